"""The command line's manners: what is on stdout, help, did you mean, codes, colours."""

import json
import pty
import os
import re

import builder
import oci_reader
import pytest
from program import environment, finish, plain

FLAGS = ["--builder", "--buildpack", "--run-image", "--output", "--env", "--env-file", "--network", "--volume",
         "--cache-dir", "--clear-cache", "--jobs", "--rootfs", "--isolation", "--default-process", "--creation-time",
         "--previous-image", "--ca-file", "--no-host-ca", "--store", "--no-color", "--report"]


@pytest.fixture
def run(program, tmp_path):
    return lambda *arguments: program.run(*arguments, env=environment(tmp_path), timeout=60)


def one_line_and_what_next(result, code=2, lines=5):
    """The mistake in one line, what to do in another: never the whole usage."""
    assert result.exit == code, result
    assert result.stdout == "", result
    assert len(result.stderr.strip().splitlines()) <= lines, result
    assert re.search(r"^error: ", result.stderr, re.M), result


@pytest.mark.parametrize("wrong, right", [("biuld", "build"), ("buld", "build"), ("Build", "build"), ("bulid", "build")])
def test_a_mistyped_command(run, wrong, right):
    result = run(wrong)
    one_line_and_what_next(result)
    assert f'did you mean "{right}"' in result.stderr


@pytest.mark.parametrize("wrong, right", [("--buildr", "--builder"), ("--chache-dir", "--cache-dir"),
                                          ("--clear-cach", "--clear-cache"), ("--ouput", "--output"),
                                          ("--no-colour", "--no-color"), ("--run_image", "--run-image")])
def test_a_mistyped_flag(run, wrong, right):
    result = run("build", wrong, "x")
    one_line_and_what_next(result)
    assert wrong in result.stderr and f'did you mean "{right}"' in result.stderr


@pytest.mark.parametrize("flag, wrong, right", [("--rootfs", "overly", "overlay"), ("--network", "hots", "host"),
                                                ("--isolation", "namespace", "namespaces")])
def test_a_mistyped_value(run, flag, wrong, right):
    result = run("build", flag, wrong, "--output", "oci:x")
    one_line_and_what_next(result)
    assert flag in result.stderr and wrong in result.stderr and f'did you mean "{right}"' in result.stderr


@pytest.mark.parametrize("reference", ["oic:x", "docker-arhive:x"])
def test_a_mistyped_kind_of_reference(run, reference, tmp_path):
    result = run("build", "--path", tmp_path, "--builder", reference, "--output", f"oci:{tmp_path}/out")
    assert result.exit in (2, 78), result
    one_line_and_what_next(result, result.exit, lines=7)  # the title of the build may stand before it
    assert "did you mean" in result.stderr, result


@pytest.mark.parametrize("arguments", [
    ["build", "--jobs", "0"], ["build", "--jobs", "many"], ["build", "--jobs", "-3"], ["build", "--jobs", ""],
    ["build", "--creation-time", "yesterday"], ["build", "--creation-time", "-1"], ["build", "--output"],
    ["build", "--output", "oci:"], ["build", "--output", ""], ["build", "--volume", "relative"], ["build", "--volume", "/:/x:rx"],
    ["build", "--env", "=x"], ["build", "one", "two"], ["build", "--volume", "/no/such/folder:/x"],
])
def test_a_value_that_is_none(run, arguments):
    if "--output" not in arguments:
        arguments = [*arguments, "--output", "oci:/nonexistent/out"]
    arguments += ["--builder", "oci:/nonexistent/builder"]  # whatever is believed by mistake ends there
    one_line_and_what_next(run(*arguments))


def test_without_an_output_the_image_is_where_the_result_says(bench):
    arguments = bench.arguments(bench.builder(builder.kinds_builder()), "-q")
    place = arguments.index("--output")
    del arguments[place: place + 2]
    result = finish(bench.program.start(*arguments, env=bench.env()))
    assert result.exit == 0, result
    name, digest = result.stdout.strip().split("@")
    assert name.startswith(f"oci:{bench.store}"), result
    assert oci_reader.skopeo_inspect(name)["Digest"] == digest


def test_no_command_shows_the_overview(run):
    result = run()
    assert result.exit in (0, 2), result
    assert "build" in result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["-h"]])
def test_help_is_an_overview_with_every_command(run, arguments):
    result = run(*arguments)
    assert (result.exit, result.stderr) == (0, ""), result
    assert re.search(r"^\s+build\s+\S", result.stdout, re.M), result
    assert len(result.stdout.splitlines()) < 60


@pytest.mark.parametrize("arguments", [["build", "--help"], ["help", "build"], ["build", "-h"]])
def test_help_of_build_is_grouped_and_has_examples(run, arguments):
    result = run(*arguments)
    assert (result.exit, result.stderr) == (0, ""), result
    for flag in FLAGS:
        assert re.search(rf"(^|[\s,]){re.escape(flag)}\b", result.stdout), f"{flag} is not in\n{result.stdout}"
    for group in ("Input", "Builder", "Output", "Cache", "Sandbox", "Log"):
        assert re.search(rf"^{group}\b", result.stdout, re.M), f"no group {group} in\n{result.stdout}"
    assert re.search(r"^examples?\b", result.stdout, re.M | re.I), result
    assert max(len(line) for line in result.stdout.splitlines()) <= 120


def test_version(run):
    result = run("--version")
    assert (result.exit, result.stderr) == (0, ""), result
    assert re.fullmatch(r"ci-image-builder \d+\.\d+\.\d+\S*\n", result.stdout), result


def test_quiet_prints_only_the_name_and_digest(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), "-q")
    assert result.exit == 0, result
    digest = oci_reader.Image(bench.out).digest
    assert re.fullmatch(rf"\S+@{digest}\n", result.stdout), result
    assert str(bench.out) in result.stdout
    assert result.stderr == "", result


def test_without_quiet_the_log_is_on_stderr_and_the_result_on_stdout(bench):
    result = bench.build(bench.builder(builder.kinds_builder()))
    assert result.exit == 0, result
    digest = oci_reader.Image(bench.out).digest
    assert digest in result.stdout and len(result.stdout.splitlines()) <= 2, result
    for phase in ("detect", "build", "export"):
        assert re.search(rf"^{phase}\b", result.stderr, re.M), result
    assert "golden/kinds" in result.stderr and "overlay" in result.stderr
    assert re.search(r"^done\b", result.stderr, re.M), result


def test_a_second_build_says_what_was_reused(bench):
    reference = bench.builder(builder.kinds_builder())
    bench.built(reference)
    result = bench.build(reference)
    assert result.exit == 0 and "reused" in result.stderr, result
    assert "launch-only" in result.stderr


def test_a_pipe_gets_no_colours(bench):
    script = r'printf "\033[31mred words\033[0m\n"'
    image = builder.golden_builder(builder.one_group("golden/red"), [builder.Buildpack.script("golden/red", script)])
    result = bench.build(bench.builder(image), env={"TERM": "xterm-256color"})
    assert result.exit == 0 and "red words" in result.stderr, result
    assert "\x1b" not in result.stderr + result.stdout


def on_a_terminal(bench, *arguments, env):
    """Runs a build whose stderr is a terminal; gives what was shown."""
    ours, theirs = pty.openpty()
    import subprocess

    process = subprocess.Popen(bench.program.command(*arguments), env=bench.env(TERM="xterm-256color", **env),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    assert process.communicate(timeout=120)[0] and process.returncode == 0, shown
    return shown.decode(errors="replace")


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_terminal_without_colours(bench, how):
    reference = bench.builder(builder.kinds_builder())
    arguments = bench.arguments(reference, *(["--no-color"] if how == "flag" else []))
    shown = on_a_terminal(bench, *arguments, env={"NO_COLOR": "1"} if how == "environment" else {})
    assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9]*m", shown), shown
    assert "golden/kinds" in plain(shown)


def test_a_terminal_gets_colours(bench):
    shown = on_a_terminal(bench, *bench.arguments(bench.builder(builder.kinds_builder())), env={})
    assert "\x1b[" in shown, shown


def test_the_report_is_json_with_the_result(bench):
    result = bench.build(bench.builder(builder.kinds_builder()))
    assert result.exit == 0, result
    text = bench.report.read_text()
    report = json.loads(text)
    assert text.endswith("\n")
    assert oci_reader.Image(bench.out).digest in text
    assert report["group"]["group"][0]["id"] == "golden/kinds"


def test_the_report_of_a_failure_tells_code_and_reason(bench):
    result = bench.build(bench.builder(builder.golden_builder(builder.one_group("golden/build-fails"))))
    assert result.exit == 51, result
    text = bench.report.read_text()
    json.loads(text)
    assert "51" in text and "golden/build-fails" in text and "going down" in text


def test_verbose_says_more(bench):
    reference = bench.builder(builder.kinds_builder())
    normal = bench.build(reference)
    verbose = bench.build(reference, "-v")
    assert (normal.exit, verbose.exit) == (0, 0)
    assert len(verbose.stderr) > len(normal.stderr)


def test_the_current_folder_is_the_application_when_none_is_named(bench):
    app = bench.app("hello")
    arguments = bench.arguments(bench.builder(builder.kinds_builder()), app=app)
    assert arguments[1:3] == ["--path", app]
    del arguments[1:3]
    result = finish(bench.program.start(*arguments, env=bench.env(), cwd=app))
    assert result.exit == 0, result
    assert oci_reader.Image(bench.out).file("/workspace/main.txt") == (app / "main.txt").read_bytes()


def test_the_application_as_an_argument(bench):
    """`build PATH`, as one types it."""
    app = bench.app("hello")
    arguments = bench.arguments(bench.builder(builder.kinds_builder()), app=app)
    arguments.remove("--path")
    result = finish(bench.program.start(*arguments, env=bench.env()))
    assert result.exit == 0, result
    assert oci_reader.Image(bench.out).file("/workspace/main.txt") == (app / "main.txt").read_bytes()


def test_the_application_of_the_user_is_not_changed(bench):
    """modern writes generated.txt into the application: into the image, not into the user's folder."""
    import golden_run

    app = bench.app("sliced")
    before = sorted((str(path), path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_mtime_ns) for path in app.rglob("*"))
    image = bench.built(bench.builder(builder.golden_builder(golden_run.read_case("plans")["order"])), app=app)
    assert image.file("/workspace/generated.txt") == b"made by a buildpack\n"
    assert sorted((str(path), path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_mtime_ns)
                  for path in app.rglob("*")) == before
