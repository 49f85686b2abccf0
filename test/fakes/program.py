"""Runs the program under test the way a person does: as a process, with a clean environment and a time limit."""

import ctypes
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import builder
import oci_reader

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PLAIN_RUN_IMAGE = builder.GOLDENS / "run-images" / "plain"
GRACE = 5.0  # seconds within which everything of a cancelled or killed build is gone
TIME_LIMIT = 180


def build_folder():
    return pathlib.Path(os.environ.get("CIB_BUILD", REPOSITORY / "build")).resolve()


def become_subreaper():
    """Whatever a program leaves running becomes our child, so that it can be seen."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


@dataclasses.dataclass
class Result:
    exit: int
    stdout: str
    stderr: str

    def __str__(self):
        return f"exit {self.exit}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class Program:
    def __init__(self, folder, prefix=()):
        self.path = pathlib.Path(folder) / "ci-image-builder"
        self.prefix = tuple(prefix)

    def command(self, *arguments):
        assert self.path.is_file(), f"{self.path} is not there: run make, or set CIB_BUILD"
        return [*self.prefix, str(self.path), *(str(argument) for argument in arguments)]

    def start(self, *arguments, env=None, cwd=None, prefix=()):
        return subprocess.Popen(
            [*(str(part) for part in prefix), *self.command(*arguments)],
            env=env if env is not None else environment("/nonexistent"),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments, env=None, cwd=None, prefix=(), timeout=TIME_LIMIT):
        return finish(self.start(*arguments, env=env, cwd=cwd, prefix=prefix), timeout)


def finish(process, timeout=TIME_LIMIT):
    """Waits for the end; a program that does not end is killed and the test fails with what it said until then."""
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate(timeout=GRACE)
        raise AssertionError(
            f"no end after {timeout} s: {process.args}\n{stdout.decode(errors='replace')}"
            f"{stderr.decode(errors='replace')}"
        ) from None
    return Result(process.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))


def environment(home):
    """Only what a login gives, so that nothing of the machine reaches a build by accident."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "TMPDIR": f"{home}/tmp", "LANG": "C.UTF-8"}


class Bench:
    """A folder with everything of one test: home, store, cache, output."""

    def __init__(self, folder, program):
        self.folder = folder
        self.program = program
        self.home = folder / "home"
        self.store = folder / "store"
        self.cache = folder / "cache"
        self.out = folder / "out"
        self.report = folder / "report.json"
        (self.home / "tmp").mkdir(parents=True)
        self.owner = None

    def hand_over(self, uid, gid):
        """Gives this bench to another user; builds then run as that user."""
        copy = self.folder / "bin"
        copy.mkdir(mode=0o755)
        for name in ("ci-image-builder", "launcher"):
            source = self.program.path.parent / name
            if source.exists():
                shutil.copy2(source, copy / name)
                (copy / name).chmod(0o755)
        prefix = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--")
        self.program = Program(copy, prefix)
        self.owner = (uid, gid)
        self.give(self.folder)
        return self

    def give(self, path):
        """Makes everything below `path` the bench's owner's."""
        if self.owner is None:
            return path
        for folder, folders, files in os.walk(path):
            os.chown(folder, *self.owner)
            for name in folders + files:
                os.chown(os.path.join(folder, name), *self.owner, follow_symlinks=False)
        return path

    def app(self, name="hello", target=None):
        """A copy of a golden application with the modes of the reference runs, 0755 and 0644."""
        source = builder.GOLDENS / "apps" / name
        target = target or self.folder / "apps" / name
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        for path in sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir():
                copy.mkdir()
                copy.chmod(0o755)
            else:
                copy.write_bytes(path.read_bytes())
                copy.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        for folder in (target, target.parent):
            folder.chmod(0o755)
        return self.give(target)

    def copy(self, source, name):
        """A writable copy of a fixture folder."""
        target = self.folder / name
        shutil.copytree(source, target)
        for folder, folders, files in os.walk(target):
            os.chmod(folder, 0o755)
            for file in files:
                os.chmod(os.path.join(folder, file), 0o644)
        return self.give(target)

    def builder(self, image, name="builder"):
        """Writes a builder.Image as a layout and returns its reference."""
        image.write(self.folder / name)
        self.give(self.folder / name)
        return f"oci:{self.folder / name}"

    def arguments(self, builder_reference, *more, app="hello", out=None, store=None, cache=None, run_image=None,
                  report=True, rootfs="overlay"):
        return [
            "build", "--path", app if isinstance(app, pathlib.Path) else self.app(app),
            "--builder", builder_reference,
            "--run-image", run_image or f"oci:{self.reachable(PLAIN_RUN_IMAGE)}",
            "--output", out if isinstance(out, str) else f"oci:{out or self.out}",
            "--cache-dir", cache or self.cache,
            "--store", store or self.store,
            "--rootfs", rootfs,
            *(["--report", self.report] if report else []),
            *more,
        ]

    def reachable(self, fixture):
        """The fixture itself, or for another user a copy."""
        if self.owner is None:
            return fixture
        copy = self.folder / "fixtures" / fixture.name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            os.chown(copy.parent, *self.owner)
            self.copy(fixture, copy.relative_to(self.folder))
        return copy

    def env(self, **more):
        return {**environment(self.home), **more}

    def start(self, *arguments, env=None, prefix=(), **options):
        return self.program.start(*self.arguments(*arguments, **options), env=self.env(**(env or {})), prefix=prefix)

    def build(self, *arguments, env=None, prefix=(), timeout=TIME_LIMIT, **options):
        return finish(self.start(*arguments, env=env, prefix=prefix, **options), timeout)

    def built(self, *arguments, **options):
        """A build that must succeed; gives the image as our own reader sees it."""
        result = self.build(*arguments, **options)
        assert result.exit == 0, result
        out = options.get("out") or self.out
        return oci_reader.Image(out)

    def read_report(self):
        return json.loads(self.report.read_text())

    # --- what may not be left -----------------------------------------------------------------------------------

    def left_behind(self):
        left = [f"mount {line}" for line in mounts_below(self.folder)]
        left += [f"process {text}" for text in surviving_children()]
        temporary = self.home / "tmp"
        if temporary.is_dir():
            left += [f"temporary file {path}" for path in sorted(temporary.iterdir())]
        return left


def mounts_below(folder):
    """Mount points of ours in this mount namespace: below the folder, or made of something in it."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(folder) in line]


def unmount_below(folder):
    for line in reversed(mounts_below(folder)):
        point = line.split()[4].encode().decode("unicode_escape")
        if point == str(folder) or point.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", point], check=False, timeout=60)


def children():
    found = []
    for task in pathlib.Path("/proc/self/task").iterdir():
        try:
            found += [int(pid) for pid in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def surviving_children():
    """Processes that outlive their program by more than the grace; they are ended here, by id."""
    deadline = time.monotonic() + GRACE
    while True:
        alive = []
        for pid in children():
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if done == 0:
                alive.append(pid)
        if not alive:
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    described = []
    for pid in alive:
        described.append(f"{pid} {command_line(pid)}")
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except OSError:
            pass
    return described


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def processes_with(word):
    """Ids of all processes of the machine whose command line has `word` as one of its arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def wait_until(condition, what, timeout=60.0, process=None):
    """Waits for a condition that must come true; the end of `process` before that is a failure."""
    deadline = time.monotonic() + timeout
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the program ended before {what}: {finish(process)}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout} s")
        time.sleep(0.005)


def plain(text):
    """Text without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
