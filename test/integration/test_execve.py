"""Building needs no other program of this machine: every execve is our own helper or belongs to the root file system."""

import re

import builder
import pytest
from program import finish

# Nothing on this machine is called like this, so whatever is executed there was executed inside.
INSIDE = "/golden-only/bin"
EXECVE = re.compile(r"^(?P<pid>\d+)\s+execve(?:at)?\((?P<rest>.*)$")
PATH = re.compile(r'"(?P<path>(?:[^"\\]|\\.)*)"')


def executed(trace):
    """Paths of all execve calls that were made, whether they worked or not."""
    paths = []
    for line in trace.splitlines():
        call = EXECVE.match(line)
        if call:
            path = PATH.search(call["rest"])
            assert path, line
            paths.append((path["path"], call["rest"]))
    return paths


@pytest.mark.parametrize("rootfs", ["overlay", "flat"])
@pytest.mark.parametrize("output", ["oci", "docker-archive"])
def test_only_the_helper_and_what_the_builder_brings_is_executed(bench, root, rootfs, output):
    script = ('mkdir -p "$1/a"; printf "[types]\\nlaunch = true\\ncache = true\\n" > "$1/a.toml"; '
              f'echo x | {INSIDE}/sed s/x/y/ > "$1/a/y"')
    shell = f"{INSIDE}/sh"
    # The golden buildpacks have #!/bin/sh, which is not there; these have their own.
    image = builder.golden_builder(
        builder.one_group("golden/one", "golden/two"),
        [builder.Buildpack.script("golden/one", script, shell=shell),
         builder.Buildpack.script("golden/two", script, shell=shell)],
        bin_folder=INSIDE)
    trace = bench.folder / "trace"
    out = None if output == "oci" else f"docker-archive:{bench.folder}/image.tar"
    prefix = ("strace", "-f", "-qq", "-s", "4096", "-e", "trace=execve,execveat", "-e", "signal=none", "-o", trace)
    for _ in range(2):  # the second one restores, reuses and replaces
        process = bench.start(bench.builder(image) if not trace.exists() else f"oci:{bench.folder}/builder",
                              rootfs=rootfs, prefix=prefix, **({"out": out} if out else {}))
        result = finish(process)
        assert result.exit == 0, result
        calls = executed(trace.read_text())
        buildpacks = [path for path, _ in calls if path.startswith("/cnb/buildpacks/")]
        assert sorted(buildpacks) == sorted(f"/cnb/buildpacks/golden_{name}/1.0.0/bin/{phase}"
                                            for name in ("one", "two") for phase in ("detect", "build"))
        ours = (str(bench.program.path), "/proc/self/exe")
        foreign = [(path, rest) for path, rest in calls
                   if path not in ours and not path.startswith(("/cnb/buildpacks/", f"{INSIDE}/"))
                   and not re.match(r"/proc/self/fd/\d+$", path)]
        assert foreign == []
        assert any(path == f"{INSIDE}/sed" for path, _ in calls), "strace saw what happens inside"


def test_the_program_runs_without_a_path(bench):
    """No PATH, no HOME, nothing: what it needs is in the program."""
    reference = bench.builder(builder.kinds_builder())
    process = bench.program.start(*bench.arguments(reference), env={"TMPDIR": str(bench.home / "tmp")})
    result = finish(process)
    assert result.exit == 0, result


def test_the_program_needs_only_libraries_that_debian_has(program):
    import subprocess

    done = subprocess.run(["ldd", str(program.path)], capture_output=True, text=True, timeout=60)
    assert "not found" not in done.stdout + done.stderr
    for line in done.stdout.splitlines():
        if "=>" in line:
            assert line.split("=>")[1].strip().startswith(("/lib", "/usr/lib")), line
