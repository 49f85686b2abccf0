"""The launcher as a container starts it: what it starts, with which arguments and environment, and how it fails."""
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
GOLDENS = REPO / "test/conformance/goldens/launcher-cases"
CASES = json.loads((GOLDENS / "cases.json").read_text())
EXPECTED = {case["name"]: case for case in json.loads((GOLDENS / "expected.json").read_text())}

CONTAINER_ENV = {
    "PATH": "/cnb/process:/cnb/lifecycle:/bin",
    "CNB_LAYERS_DIR": "/layers",
    "CNB_APP_DIR": "/workspace",
    "CNB_PLATFORM_API": "0.12",
    "CNB_DEPRECATION_MODE": "quiet",
    "HOME": "/home/x",
}
ERROR = "\x1b[31;1mERROR: \x1b[0m"
WARNING = "\x1b[33;1mWarning: \x1b[0m"


@pytest.fixture(scope="session")
def launcher():
    path = Path(os.environ.get("CIB_BUILD", REPO / "build")) / "launcher"
    assert path.is_file(), f"{path} is not built"
    return path.resolve()


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def tree(root, files):
    """Makes files of {path: text}; a text that starts with #! is executable."""
    for path, text in files.items():
        write(root / path, text, 0o755 if text[:2] in ("#!", b"#!") else 0o644)


def has_namespaces():
    return subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode == 0


class Root:
    """A root file system with busybox and bash, in which the launcher runs as in a container."""

    def __init__(self, path, launcher, bash=True):
        self.path = path
        for folder in ("bin", "dev", "cnb/process", "cnb/lifecycle", "workspace", "layers/config"):
            (path / folder).mkdir(parents=True)
        shutil.copy(launcher, path / "cnb/lifecycle/launcher")
        shutil.copy("/bin/busybox", path / "bin/busybox")
        for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
            if applet not in ("busybox", "bash"):
                (path / "bin" / applet).symlink_to("busybox")
        if bash:
            shutil.copy("/bin/bash-static", path / "bin/bash")
        write(path / "dev/null", "")

    def add_processes(self, *types):
        for type_ in types:
            (self.path / "cnb/process" / type_).symlink_to("/cnb/lifecycle/launcher")

    def run(self, *argv, env=None, unset=(), stdin=subprocess.DEVNULL):
        merged = {k: v for k, v in {**CONTAINER_ENV, **(env or {})}.items() if v is not None and k not in unset}
        chroot = ["env", "-i", *(f"{k}={v}" for k, v in merged.items()),
                  shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin"), str(self.path), *argv]
        if has_namespaces():
            # A mount namespace of its own: the device is gone with the process.
            script = 'mount --bind /dev/null "$1/dev/null" && shift && exec "$@"'
            command = ["unshare", "-Urm", "sh", "-c", script, "sh", str(self.path), *chroot]
        else:  # root in a container that may make devices but no namespaces
            null = self.path / "dev/null"
            null.unlink()
            os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            command = chroot
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=60)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done


@pytest.fixture(scope="module")
def golden_root(launcher):
    with tempfile.TemporaryDirectory() as folder:
        root = Root(Path(folder), launcher)
        shutil.copytree(GOLDENS / "root", root.path, dirs_exist_ok=True)
        root.add_processes(*(Path(case["argv"][0]).name for case in {c["argv"][0]: c for c in CASES}.values()
                             if case["argv"][0].startswith("/cnb/process/")))
        root.add_processes("rel-dir", "shell-dir", "eight-direct")
        yield root


@pytest.fixture
def root(launcher):
    with tempfile.TemporaryDirectory() as folder:
        yield Root(Path(folder), launcher)


# What the reference launcher did.

@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_does_what_the_reference_does(golden_root, case):
    expected = EXPECTED[case["name"]]
    done = golden_root.run(*case["argv"], env=case["env"])
    assert (done.returncode, done.stdout) == (expected["exit"], expected["stdout"])
    assert done.stderr == expected["stderr"]


def test_a_relative_command_is_looked_up_in_the_app_and_started_in_the_working_directory(golden_root):
    done = golden_root.run("/cnb/process/rel-dir")
    assert done.returncode == 82
    assert done.stdout.endswith(f"{ERROR}failed to launch: direct exec: no such file or directory\n")


def test_a_shell_process_starts_in_its_working_directory(golden_root):
    done = golden_root.run("/cnb/process/shell-dir")
    assert done.returncode == 0
    assert done.stdout.endswith("app profile\n/workspace/sub\nlocal in /workspace/sub\n")


def test_user_arguments_follow_those_of_an_old_buildpack(golden_root):
    done = golden_root.run("/cnb/process/eight-direct", "mine")
    assert done.returncode == 0
    assert "[x]\n[$T_OVER]\n[mine]\n" in done.stdout


def test_two_dashes_alone_are_left_to_bash(golden_root):
    done = golden_root.run("/cnb/lifecycle/launcher", "--")
    assert done.returncode == 2
    assert "bash: -c: option requires an argument" in done.stderr


# The acceptance scenarios of the launcher, each with a fixture of its own.

OLD_METADATA = """
[[buildpacks]]
  id = "some/bp"
  version = "1"
  api = "0.8"

[[processes]]
  type = "web"
  command = ["echo"]
  args = ["Executing web process-type"]
  direct = false
  buildpack-id = "some/bp"
[[processes]]
  type = "process.with.period"
  command = ["echo Executing process.with.period process-type"]
  direct = false
  buildpack-id = "some/bp"
[[processes]]
  type = "worker"
  command = ["echo $WORKER_VAR"]
  direct = false
  buildpack-id = "some/bp"
[[processes]]
  type = "exec.d-checker"
  command = ["echo $VAR_FROM_EXEC_D"]
  direct = false
  buildpack-id = "some/bp"
"""


@pytest.fixture
def acceptance(root):
    layer = "layers/some_bp/some-layer"
    tree(root.path, {
        "layers/config/metadata.toml": OLD_METADATA,
        f"{layer}/env/SOME_VAR": "some-bp-val",
        f"{layer}/env/OTHER_VAR.append": "other-bp-val",
        f"{layer}/env/OTHER_VAR.delim": "**",
        f"{layer}/env/WORKER_VAR": "worker-no-process-val",
        f"{layer}/env.launch/worker/WORKER_VAR": "worker-process-val",
        f"{layer}/profile.d/bp.sh": "echo sourced bp profile\n",
        f"{layer}/bin/bp-executable": "#!/bin/sh\necho bp executable\n",
        "workspace/.profile": "echo sourced app profile\n",
    })
    root.add_processes("web", "process.with.period", "worker", "exec.d-checker")
    return root


PROFILES = "sourced bp profile\nsourced app profile\n"


def succeeds(done, stdout):
    assert (done.returncode, done.stdout, done.stderr) == (0, stdout, "")


def test_the_entrypoint_names_the_process(acceptance):
    succeeds(acceptance.run("/cnb/process/web"), PROFILES + "Executing web process-type\n")


def test_user_arguments_are_appended_for_an_old_buildpack(acceptance):
    succeeds(acceptance.run("/cnb/process/web", "with user provided args"),
             PROFILES + "Executing web process-type with user provided args\n")


def test_a_process_type_may_have_dots(acceptance):
    succeeds(acceptance.run("/cnb/process/process.with.period"),
             PROFILES + "Executing process.with.period process-type\n")


def test_a_command_of_the_user_goes_through_the_shell(acceptance):
    succeeds(acceptance.run("/cnb/lifecycle/launcher", "echo", "something"), PROFILES + "something\n")


def test_a_command_after_dashes_is_direct(acceptance):
    done = acceptance.run("/cnb/lifecycle/launcher", "--", "env")
    assert done.returncode == 0
    env = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert env["SOME_VAR"] == "some-bp-val"
    assert env["OTHER_VAR"] == "other-bp-val"
    assert [name for name in env if name.startswith("CNB_")] == []
    assert "sourced" not in done.stdout


def test_appended_values_follow_the_user_s(acceptance):
    done = acceptance.run("/cnb/lifecycle/launcher", "echo $OTHER_VAR", env={"OTHER_VAR": "other-user-val"})
    succeeds(done, PROFILES + "other-user-val**other-bp-val\n")


def test_variables_may_be_of_one_process_type(acceptance):
    succeeds(acceptance.run("/cnb/process/worker"), PROFILES + "worker-process-val\n")
    succeeds(acceptance.run("/cnb/lifecycle/launcher", "echo $WORKER_VAR"), PROFILES + "worker-no-process-val\n")


def test_exec_d_helpers_set_variables_one_after_the_other(acceptance):
    helper = """#!/bin/sh
echo "helper of %s in $(pwd)"
printf 'VAR_FROM_EXEC_D = "%%s:%s"\\n' "$VAR_FROM_EXEC_D" >&3
"""
    exec_d = acceptance.path / "layers/some_bp/some-layer/exec.d"
    tree(exec_d, {"helper": helper % ("all", "val-from-exec.d"),
                  "exec.d-checker/helper": helper % ("one", "val-from-exec.d-for-process-type-exec.d-checker")})
    done = acceptance.run("/cnb/process/exec.d-checker", env={"VAR_FROM_EXEC_D": "orig-val"})
    succeeds(done, "helper of all in /workspace\nhelper of one in /workspace\n" + PROFILES +
             "orig-val:val-from-exec.d:val-from-exec.d-for-process-type-exec.d-checker\n")


def test_cnb_process_type_is_warned_about_and_ignored(acceptance):
    done = acceptance.run("/cnb/lifecycle/launcher", env={"CNB_PROCESS_TYPE": "web"})
    assert done.returncode == 82
    assert done.stdout == (
        f"{WARNING}CNB_PROCESS_TYPE is not supported in Platform API 0.12\n"
        f"{WARNING}Run with ENTRYPOINT 'web' to invoke the 'web' process type\n"
        f"{ERROR}failed to launch: determine start command: "
        "when there is no default process a command is required\n")


def test_programs_of_layers_are_found(acceptance):
    succeeds(acceptance.run("/cnb/lifecycle/launcher", "--", "bp-executable"), "bp executable\n")
    succeeds(acceptance.run("/cnb/lifecycle/launcher", "bp-executable"), PROFILES + "bp executable\n")


def test_a_layer_counts_with_nothing_but_profile_scripts(acceptance):
    tree(acceptance.path, {"layers/some_bp/only-profile/profile.d/x.sh": "echo sourced alone\n"})
    succeeds(acceptance.run("/cnb/process/worker"),
             "sourced alone\nsourced bp profile\nsourced app profile\nworker-process-val\n")


def test_a_direct_process_needs_no_bash_and_a_shell_process_says_so(launcher):
    with tempfile.TemporaryDirectory() as folder:
        root = Root(Path(folder), launcher, bash=False)
        tree(root.path, {"layers/config/metadata.toml": OLD_METADATA})
        root.add_processes("web")
        succeeds(root.run("/cnb/lifecycle/launcher", "--", "echo", "direct"), "direct\n")
        done = root.run("/cnb/process/web")
        assert done.returncode == 82
        assert done.stdout == f"{ERROR}failed to launch: bash exec: no such file or directory\n"


def test_names_of_profile_scripts_are_not_expanded(acceptance):
    name = 'x$(touch pwned)"`touch pwned`\\.sh'
    tree(acceptance.path, {f"layers/some_bp/quoting/profile.d/{name}": "echo odd name\n"})
    done = acceptance.run("/cnb/lifecycle/launcher", "ls")
    succeeds(done, "odd name\n" + PROFILES)


# Without a root file system of its own: layers and application in a temporary folder.

class Image:
    def __init__(self, folder, launcher):
        self.folder = folder
        self.launcher = launcher
        self.layers = folder / "layers"
        self.app = folder / "app"
        self.app.mkdir()
        (self.layers / "config").mkdir(parents=True)
        self.env = {"PATH": "/usr/bin:/bin", "CNB_LAYERS_DIR": str(self.layers), "CNB_APP_DIR": str(self.app),
                    "CNB_PLATFORM_API": "0.12"}

    def metadata(self, text):
        write(self.layers / "config/metadata.toml", text)

    def entry(self, type_):
        link = self.folder / type_
        if not link.is_symlink():
            link.symlink_to(self.launcher)
        return str(link)

    def run(self, type_, *args, env=None, **popen):
        merged = {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}
        return subprocess.run([self.entry(type_), *args], env=merged, capture_output=True, timeout=60,
                              text=True, errors="surrogateescape", **popen)

    def lines(self, type_, *args, **options):
        done = self.run(type_, *args, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def fails(self, code, text, type_="x", *args, **options):
        done = self.run(type_, *args, **options)
        assert (done.returncode, done.stdout) == (code, f"{ERROR}{text}\n")


@pytest.fixture
def image(launcher):
    with tempfile.TemporaryDirectory() as folder:
        yield Image(Path(folder).resolve(), launcher)


ARGUMENTS = """
buildpacks = [{id = "old/bp", api = "0.8"}, {id = "new/bp", api = "0.9"}]
[[processes]]
type = "old"
command = "printf"
args = ['[%s]', "a"]
direct = true
buildpack-id = "old/bp"
[[processes]]
type = "new"
command = ["printf"]
args = ["[%s]", "a"]
direct = true
buildpack-id = "new/bp"
[[processes]]
type = "always"
command = ["printf", "[%s]"]
args = ["a", "b"]
direct = true
buildpack-id = "new/bp"
[[processes]]
type = "old-always"
command = ["printf", "[%s]"]
args = ["a", "b"]
direct = true
buildpack-id = "old/bp"
[[processes]]
type = "nobody"
command = ["printf"]
args = ["a"]
direct = true
"""


@pytest.mark.parametrize("platform, type_, user, stdout", [
    ("0.10", "old", [], "[a]"),
    ("0.10", "old", ["u"], "[a][u]"),
    ("0.10", "new", [], "[a]"),
    ("0.10", "new", ["<%s>", "u"], "<u>"),
    ("0.10", "always", [], "[a][b]"),
    ("0.10", "always", ["u"], "[u]"),
    ("0.10", "old-always", ["u"], "[u]"),
    ("0.10", "nobody", ["u"], "u"),
    ("0.14", "always", ["u"], "[u]"),
    ("0.9", "old", ["u"], "[a][u]"),
    ("0.9", "new", [], "[a]"),
    ("0.9", "new", ["u"], "[a][u]"),
    ("0.9", "always", ["u"], "[a][b][u]"),
    ("0.7", "new", ["u"], "[a][u]"),
])
def test_user_arguments_replace_or_follow(image, platform, type_, user, stdout):
    image.metadata(ARGUMENTS)
    done = image.run(type_, *user, env={"CNB_PLATFORM_API": platform})
    assert (done.returncode, done.stdout) == (0, stdout)


def test_a_shell_command_of_several_words_is_joined_before_platform_api_0_10(image):
    image.metadata("""
[[processes]]
type = "x"
command = ["echo", "a   b", "&& echo c"]
""")
    assert image.lines("x", env={"CNB_PLATFORM_API": "0.9"}) == ["a b", "c"]


def test_bash_sees_the_launcher_s_name_in_profile_scripts(image):
    image.metadata('processes = [{type = "x", command = ["true"]}]')
    write(image.app / ".profile", 'echo "$0"')
    assert image.lines("x") == [image.entry("x")]


@pytest.mark.parametrize("api", ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14"])
def test_knows_the_platform_apis(image, api):
    image.metadata("")
    assert image.lines("launcher", "--", "echo", "ok", env={"CNB_PLATFORM_API": api}) == ["ok"]


@pytest.mark.parametrize("api", [None, ""])
def test_needs_a_platform_api(image, api):
    image.fails(11, "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired "
                    "platform API version", env={"CNB_PLATFORM_API": api})


@pytest.mark.parametrize("api", ["0.3", "0.6", "0.15", "0.99", "1.0", "1.12", "0.012345"])
def test_refuses_other_platform_apis(image, api):
    image.fails(11, f"failed to set platform API: platform API version '{api}' is incompatible with the lifecycle",
                env={"CNB_PLATFORM_API": api})


@pytest.mark.parametrize("api", ["x", "0", "0.", ".12", "0.12.1", "-0.12", "0.-12", " 0.12", "0.99999999999"])
def test_refuses_what_is_no_platform_api(image, api):
    image.fails(11, f"failed to parse platform API '{api}'", env={"CNB_PLATFORM_API": api})


@pytest.mark.parametrize("api", ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12"])
def test_knows_the_buildpack_apis(image, api):
    image.metadata(f'buildpacks = [{{id = "x/y", api = "{api}"}}]')
    assert image.lines("launcher", "--", "echo", "ok") == ["ok"]


@pytest.mark.parametrize("api", ["0.2", "0.6", "0.13", "0.99", "1.8"])
def test_refuses_other_buildpack_apis(image, api):
    image.metadata(f'buildpacks = [{{id = "a/b", api = "0.8"}}, {{id = "x/y", api = "{api}"}}]')
    image.fails(12, f"failed to set API for buildpack 'x/y': buildpack API version '{api}' is incompatible with "
                    "the lifecycle")


def test_refuses_a_buildpack_without_api(image):
    image.metadata('[[buildpacks]]\nid = "x/y"\n')
    image.fails(12, "failed to parse buildpack API '' for buildpack 'x/y'")


def test_tells_that_metadata_is_missing(image):
    path = image.layers / "config/metadata.toml"
    image.fails(1, f"failed to read metadata: open {path}: no such file or directory")


@pytest.mark.parametrize("text, problem", [
    ("[[processes]\n", ": line 1: "),
    ('processes = "web"', ": processes is not an array of tables"),
    ("processes = [1]", ": processes is not an array of tables"),
    ("[buildpacks]\nid = 'x'", ": buildpacks is not an array of tables"),
    ("[[processes]]\ntype = 1", ": type is not a string"),
    ("[[processes]]\ntype = 'x'", ": process type 'x' has no command"),
    ("[[processes]]\ntype = 'x'\ncommand = []", ": process type 'x' has no command"),
    ("[[processes]]\ntype = 'x'\ncommand = 1", ": command is not an array"),
    ("[[processes]]\ntype = 'x'\ncommand = [1]", ": command is not an array of strings"),
    ("[[processes]]\ntype = 'x'\ncommand = ['x']\nargs = 'x'", ": args is not an array"),
    ("[[processes]]\ntype = 'x'\ncommand = ['x']\nargs = [['x']]", ": args is not an array of strings"),
    ("[[processes]]\ntype = 'x'\ncommand = ['x']\ndirect = 'true'", ": direct is neither true nor false"),
    ("[[processes]]\ntype = 'x'\ncommand = ['x']\nworking-dir = []", ": working-dir is not a string"),
    ('[[processes]]\ntype = "x"\ncommand = ["a\\u0000b"]', ": command contains a NUL character"),
    ("[[buildpacks]]\nid = ''\napi = '0.8'", ": '' is not an id"),
    ("[[buildpacks]]\nid = '..'\napi = '0.8'", ": '..' is not an id"),
    ("[[buildpacks]]\nid = 'x'\napi = 0.8", ": api is not a string"),
    ("x = " + "[" * 100000, ": line 1: "),
    (b"x = '\xff'", ": line 1: "),
    ("[, {", ": malformed"),  # trips over an assertion of the parser
    ("a" + ".a" * 1000000 + " = 1", ": line 1: nested too deeply"),
    ("\nx = [\n" + "{a" + ".a" * 600 + " = [\n{b" + ".b" * 600 + " = 1}]}]", ": line 4: nested too deeply"),
])
def test_tells_that_metadata_is_malformed(image, text, problem):
    image.metadata(text)
    done = image.run("x")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{ERROR}failed to read metadata: {image.layers}/config/metadata.toml{problem}")
    assert done.stdout.count("\n") == 1


def test_the_deepest_metadata_that_is_read_fits_on_a_small_stack(image):
    image.metadata("[a" + ".a" * 999 + "]\nb" + ".b" * 740 + " = " + "[{c.c = " * 100 + "1" + "}]" * 100 + "\n")
    stack = 512 * 1024
    assert image.lines("launcher", "--", "echo", "ok",
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))) == ["ok"]


def test_letters_beyond_ascii_are_taken_as_they_are(image):
    image.metadata("""
[[processes]]  # é
type = "wéb"
command = ["echo", "\u2028\u00e9", '''日本''']
args = [\"\"\"\\
   é\"\"\"]
direct = true
""")
    assert image.run("wéb").stdout == "\u2028é 日本 é\n"


def test_metadata_that_is_no_file_does_not_hold_up_the_start(image):
    path = image.layers / "config/metadata.toml"
    os.mkfifo(path)
    image.fails(1, f"failed to read metadata: open {path}: not a regular file")
    path.unlink()
    path.mkdir()
    image.fails(1, f"failed to read metadata: open {path}: not a regular file")


def test_damaged_metadata_never_crashes(image):
    """Bytes of a good file are changed, removed and doubled (always in the same ways)."""
    good = ARGUMENTS.replace("printf", "true").encode()
    dice = random.Random(20240711)
    codes = set()
    for _ in range(400):
        text = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text))
            kind = dice.randrange(3)
            if kind == 0:
                text[at] = dice.choice(b'\x00\n"\'[]{}=.#\\u\xff09')
            elif kind == 1:
                del text[at:at + dice.randint(1, 20)]
            else:
                text[at:at] = text[at:at + dice.randint(1, 40)]
        image.metadata(bytes(text))
        done = image.run("always")
        assert done.returncode in (0, 1, 12, 82), (bytes(text), done)
        if done.returncode != 0:
            assert done.stdout.startswith(ERROR), (bytes(text), done)
        codes.add(done.returncode)
    assert {0, 1, 12} <= codes


def test_colors_can_be_turned_off(image):
    done = image.run("x", env={"CNB_NO_COLOR": "true"})
    assert done.stdout.startswith("ERROR: failed to read metadata: open ")


def test_the_first_process_of_a_type_counts(image):
    image.metadata("""processes = [{type = "x", command = ["echo", "1"], direct = true},
                                   {type = "x", command = ["echo", "2"], direct = true}]""")
    assert image.lines("x") == ["1"]


@pytest.mark.parametrize("self", ["", "/", "..", "x/..", "."])
def test_odd_names_of_itself_select_no_process(image, self):
    image.metadata("""processes = [{type = "", command = ["echo", "1"], direct = true},
                                   {type = "..", command = ["echo", "1"], direct = true},
                                   {type = ".", command = ["echo", "1"], direct = true}]""")
    done = subprocess.run([self], executable=image.launcher, env=image.env, capture_output=True, text=True)
    assert done.returncode == 82
    assert "when there is no default process a command is required" in done.stdout


# Looking up the command, and folders.

@pytest.fixture
def command(image):
    def set_command(name, working_dir=""):
        image.metadata(f"[[processes]]\ntype = 'x'\ncommand = ['{name}']\ndirect = true\n"
                       f"working-dir = '{working_dir}'\n")
        return image
    return set_command


def test_a_relative_command_that_the_app_lacks_is_not_found(command):
    command("./tool").fails(82, 'failed to launch: path lookup: exec: "./tool": stat ./tool: no such file or directory')


def test_a_relative_command_starts_from_the_app(command):
    image = command("./tool")
    tree(image.app, {"tool": '#!/bin/sh\necho "$0 in $(pwd)"\n'})
    assert image.lines("x") == [f"./tool in {image.app}"]


def test_a_command_that_is_not_executable_says_so(command):
    image = command("./tool")
    write(image.app / "tool", "")
    image.fails(82, 'failed to launch: path lookup: exec: "./tool": permission denied')
    image = command("./sub")
    (image.app / "sub").mkdir()
    image.fails(82, 'failed to launch: path lookup: exec: "./sub": is a directory')


def test_a_command_without_interpreter_says_so(command):
    image = command("./tool")
    write(image.app / "tool", "echo x\n", 0o755)
    image.fails(82, "failed to launch: direct exec: exec format error")


def test_nothing_is_started_from_the_current_folder_by_its_bare_name(command):
    image = command("tool")
    tree(image.app, {"tool": "#!/bin/sh\necho wrong\n"})
    for path in (":/usr/bin", "/usr/bin:.", "/usr/bin:"):
        image.fails(82, 'failed to launch: path lookup: exec: "tool": '
                        'cannot run executable found relative to current directory', env={"PATH": path})
    for path in ("", None):
        image.fails(82, 'failed to launch: path lookup: exec: "tool": executable file not found in $PATH',
                    env={"PATH": path})


def test_an_empty_command_is_not_found(command):
    command("").fails(82, 'failed to launch: path lookup: exec: "": executable file not found in $PATH')


def test_missing_folders_are_named(command):
    image = command("true", "/no/such")
    image.fails(82, "failed to launch: change to working directory: chdir /no/such: no such file or directory")
    image.fails(82, "failed to launch: change to app directory: chdir /no/app: no such file or directory",
                env={"CNB_APP_DIR": "/no/app"})


def test_relative_folders_are_meant_from_the_start(command):
    image = command("env")
    (image.layers / "x_y/l/bin").mkdir(parents=True)
    with open(image.layers / "config/metadata.toml", "a") as file:
        file.write('[[buildpacks]]\nid = "x/y"\napi = "0.8"\n')
    lines = image.lines("x", env={"CNB_LAYERS_DIR": "layers", "CNB_APP_DIR": "app"}, cwd=image.folder)
    assert f"PATH={image.layers}/x_y/l/bin:/usr/bin:/bin" in lines


# The environment.

@pytest.fixture
def layered(image):
    """An image of one buildpack whose process prints its environment."""
    image.metadata("""
buildpacks = [{id = "x/y", api = "0.9"}, {id = "not/there", api = "0.9"}]
processes = [{type = "x", command = ["env"], direct = true}]
""")
    (image.layers / "x_y").mkdir()

    def environment(files, env=None, **options):
        tree(image.layers / "x_y", files)
        return dict(line.split("=", 1) for line in image.lines("x", env=env, **options))
    environment.image = image
    return environment


def test_files_of_unknown_actions_are_left_alone(layered):
    env = layered({"l/env/A.append.bak": "x", "l/env/B.foo": "x", "l/env/.override": "x", "l/env/C.delim": "x",
                   "l/env/D=E": "x", "l/env/F.": "x", "l/env/dir/G": "x"})
    assert set(env) == {"PATH"}


def test_values_are_exact_bytes(layered):
    assert layered({"l/env/A": "  a b \t", "l/env/B.override": ""}) == {"A": "  a b \t", "B": "", "PATH": "/usr/bin:/bin"}


def test_a_default_yields_to_a_value_but_not_to_an_empty_one(layered):
    files = {f"l/env/{name}.default": "layer" for name in ("A", "B", "C")}
    env = layered(files, {"A": "user", "B": ""})
    assert (env["A"], env["B"], env["C"]) == ("user", "layer", "layer")


def test_only_delimited_values_are_separated(layered):
    env = layered({"l/env/A.append": "x", "l/env/B.prepend": "x", "l/env/B.delim": "::", "l/env/C.append": "x",
                   "l/env/C.delim": "::", "l/env/PATH.prepend": "/pre"}, {"A": "u", "B": "u"})
    assert (env["A"], env["B"], env["C"], env["PATH"]) == ("ux", "x::u", "x", "/pre/usr/bin:/bin")


def test_actions_on_one_variable_follow_the_file_names(layered):
    # append, default, override, prepend
    env = layered({"l/env/A.append": "1", "l/env/A.override": "2", "l/env/A.prepend": "3", "l/env/A.default": "4"})
    assert env["A"] == "32"


def test_env_launch_comes_after_env_and_layers_follow_their_names(layered):
    env = layered({"b/env/A": "b", "a/env/A": "a", "a/env.launch/A.append": "+a", "b/env.launch/A.append": "+b",
                   "b/env.launch/x/A.append": "+x", "b/env.launch/other/A.append": "+other"})
    assert env["A"] == "b+b+x"


def test_folders_of_a_buildpack_come_before_its_files(layered):
    env = layered({"a/env/PATH.append": "/tail", "a/env/PATH.delim": ":", "b/bin/t": "", "a/lib/t": "", "b/lib/t": ""},
                  {"LD_LIBRARY_PATH": "/user"})
    layers = layered.image.layers / "x_y"
    assert env["PATH"] == f"{layers}/b/bin:/usr/bin:/bin:/tail"
    assert env["LD_LIBRARY_PATH"] == f"{layers}/b/lib:{layers}/a/lib:/user"


def test_files_in_place_of_folders_are_no_layers(layered):
    env = layered({"file": "", "l/bin": "", "l/env": "", "l/env.launch": "", "l/exec.d": "", "l/profile.d": ""})
    assert set(env) == {"PATH"}


def test_links_to_files_count_and_links_to_layers_do_not(layered):
    layers = layered.image.layers / "x_y"
    tree(layers, {"l/data": "linked", "l/env/B": "x", "elsewhere/not": ""})
    (layers / "l/env/A").symlink_to("../data")
    (layers / "m").symlink_to("l")
    tree(layers, {"l/env/N.append": "1"})
    env = layered({})
    assert (env["A"], env["N"]) == ("linked", "1")


def test_a_value_with_a_nul_is_refused(layered):
    path = layered.image.layers / "x_y/l/env/A"
    write(path, b"a\0b")
    layered.image.fails(82, f"failed to launch: modify env: read {path}: a value with a NUL character")


def test_the_launcher_s_own_variables_and_folders_are_removed(layered):
    env = layered({}, {"PATH": "/cnb/process:/usr/bin:/cnb/lifecycle:/bin:/cnb/lifecycle/x", "CNB_PROCESS_TYPE": "",
                       "CNB_DEPRECATION_MODE": "quiet", "CNB_EXEC_ENV": "test", "EMPTY": ""})
    assert env == {"PATH": "/usr/bin:/bin:/cnb/lifecycle/x", "CNB_EXEC_ENV": "test", "EMPTY": ""}


# exec.d

def test_exec_d_is_read_as_toml_strings(layered):
    env = layered({"l/exec.d/x": r'''#!/bin/sh
cat >&3 <<'END'
# comment
A = "tab\there"
B = 'raw\t'
C = """\
    folded\
    """
"D-E" = "x"
END
'''})
    assert env == {"A": "tab\there", "B": "raw\\t", "C": "folded", "D-E": "x", "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize("output, problem", [
    ("A = 1", '"A" is not a string'),
    ("A.B = 'x'", '"A" is not a string'),
    ("[A]", '"A" is not a string'),
    ("A = ['x']", '"A" is not a string'),
    ("'' = 'x'", '"" cannot be the name of a variable'),
    ("'A=B' = 'x'", '"A=B" cannot be the name of a variable'),
    ('A = "x\\\\u0000"', '"A" contains a NUL character'),
])
def test_exec_d_output_of_other_kinds_is_refused(layered, output, problem):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": f"#!/bin/sh\ncat >&3 <<END\n{output}\nEND\n"})
    image.fails(82, "failed to launch: exec.d: failed to decode output from exec.d file at path "
                    f"'{image.layers}/x_y/l/exec.d/x': {problem}")


def test_exec_d_output_that_is_no_toml_is_refused(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\nprintf 'A=1\\nA=hello' >&3\n"})
    done = image.run("x")
    assert done.returncode == 82
    assert "failed to decode output from exec.d file at path" in done.stdout
    assert "'/x: line 2: ".replace("'/x", "/exec.d/x'") in done.stdout


@pytest.mark.parametrize("helper, problem", [
    ("#!/bin/sh\nexit 3\n", "exit status 3"),
    ("#!/bin/sh\necho 'A=\"x\"' >&3\nkill -9 $$\n", "signal: killed"),
    ("#!/no/such/interpreter\n", "no such file or directory"),
])
def test_an_exec_d_helper_that_fails_ends_the_launch(layered, helper, problem):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": helper})
    image.fails(82, "failed to launch: exec.d: failed to execute exec.d file at path "
                    f"'{image.layers}/x_y/l/exec.d/x': {problem}")


def test_an_exec_d_helper_that_is_not_executable_ends_the_launch(layered):
    image = layered.image
    write(image.layers / "x_y/l/exec.d/x", "")
    image.fails(82, "failed to launch: exec.d: failed to execute exec.d file at path "
                    f"'{image.layers}/x_y/l/exec.d/x': permission denied")


def test_an_endless_exec_d_helper_is_stopped(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\nexec cat /dev/zero >&3\n"})
    done = image.run("x")
    assert done.returncode == 82
    assert "failed to read output from exec.d file" in done.stdout


def test_exec_d_helpers_may_be_links(layered):
    layers = layered.image.layers / "x_y"
    tree(layers, {"l/helper": "#!/bin/sh\necho \"A = '$(basename $0)'\" >&3\n", "l/exec.d/keep/none": "#!/bin/sh\n"})
    (layers / "l/exec.d/named").symlink_to("../helper")
    assert layered({})["A"] == "named"


def test_an_exec_d_helper_has_its_own_input_and_no_other_descriptors(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\ncat\nls /proc/$$/fd | tr '\\n' ' '\nreadlink /proc/$$/fd/0\n"})
    done = image.run("x", input="not for the helper")
    # 10 is the shell's own copy of the script.
    assert done.stdout.splitlines()[0].replace(" 10", "") == "0 1 2 3 /dev/null"


@pytest.mark.parametrize("closed", [(), (0,), (1,), (0, 1), (0, 1, 2), (2,)])
def test_exec_d_works_with_closed_descriptors(layered, closed):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\necho \"A = 'set'\" >&3\n"})
    out = image.folder / "out"
    image.metadata("""
buildpacks = [{id = "x/y", api = "0.9"}]
processes = [{type = "x", command = ["sh", "-c", 'echo $A >"%s"'], direct = true}]
""" % out)

    def close():
        for fd in closed:
            os.close(fd)
    done = subprocess.run([image.entry("x")], env=image.env, preexec_fn=close, timeout=60)
    assert (done.returncode, out.read_text()) == (0, "set\n")


# What the process inherits.

def test_the_process_gets_the_same_descriptors_as_without_launcher(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\necho \"A = 'set'\" >&3\n"})
    image.metadata("""
buildpacks = [{id = "x/y", api = "0.9"}]
processes = [{type = "x", command = ["ls", "/proc/self/fd"], direct = true},
             {type = "read", command = ["sh", "-c", "cat <&3"], direct = true}]
""")
    write(image.folder / "inherited", "from outside")
    with open(image.folder / "inherited") as file:
        def put_at_3():
            os.dup2(file.fileno(), 3)
        # Descriptor 3 belongs to the process (sockets are passed like this), although helpers write to theirs.
        env = {**image.env, "PATH": "/usr/bin:/bin"}
        plain = subprocess.run(["ls", "/proc/self/fd"], preexec_fn=put_at_3, env=env, pass_fds=(3,), capture_output=True)
        launched = subprocess.run([image.entry("x")], preexec_fn=put_at_3, env=env, pass_fds=(3,), capture_output=True)
        assert plain.stdout.split()[:4] == [b"0", b"1", b"2", b"3"]
        assert launched.stdout == plain.stdout
        done = subprocess.run([image.entry("read")], preexec_fn=put_at_3, env=env, pass_fds=(3,), capture_output=True)
        assert done.stdout == b"from outside"


def test_signals_stay_as_they_were(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\necho \"A = 'set'\" >&3\n"})
    image.metadata("""
buildpacks = [{id = "x/y", api = "0.9"}]
processes = [{type = "x", command = ["grep", "^Sig", "/proc/self/status"], direct = true}]
""")

    def odd_signals():
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})

    def signals(command):
        done = subprocess.run(command, env=image.env, preexec_fn=odd_signals, restore_signals=False,
                              capture_output=True, text=True)
        return [line for line in done.stdout.splitlines() if not line.startswith("SigQ")]
    plain = signals(["grep", "^Sig", "/proc/self/status"])
    assert any(line.startswith("SigBlk") and int(line.split()[1], 16) for line in plain)
    assert signals([image.entry("x")]) == plain


def test_exec_d_works_when_child_signals_are_ignored(layered):
    image = layered.image
    tree(image.layers, {"x_y/l/exec.d/x": "#!/bin/sh\necho \"A = 'set'\" >&3\n"})
    env = layered({}, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert env["A"] == "set"


# The program itself.

def test_the_program_is_small_static_and_runs_without_anything_else(launcher):
    program = launcher.read_bytes()
    assert len(program) < 3_000_000
    headers = subprocess.check_output(["readelf", "-lW", str(launcher)], text=True)
    assert "INTERP" not in headers and "DYNAMIC" not in headers
    assert str(REPO).encode() not in program
