"""A build that is stopped, politely or not: it says so, and nothing of it goes on or stays."""

import pathlib
import shutil
import signal
import time

import builder
import oci_reader
import pytest
from program import GRACE, finish, mounts_below, plain, processes_with, wait_until

BIG = 400_000_000

# One buildpack for all of this: it sleeps where it is told to, and can leave a large layer. How it is told is no part
# of the image.
SLEEPER = builder.Buildpack.script(
    "golden/sleeper",
    detect='[ -z "${SLEEP_IN_DETECT:-}" ] || exec sleep "$SLEEP_IN_DETECT"',
    build='[ -z "${SLEEP_IN_BUILD:-}" ] || { (trap "" TERM INT HUP; sleep "$SLEEP_IN_BUILD") & sleep "$SLEEP_IN_BUILD"; }\n'
          'mkdir -p "$1/big"; printf "[types]\\nlaunch = true\\ncache = true\\n" > "$1/big.toml"\n'
          'if [ -n "${BIG:-}" ]; then head -c "$BIG" /dev/urandom > "$1/big/data"; else echo small > "$1/big/data"; fi\n'
          'echo sleeper is done',
)
MARKS = iter(range(86_400_111, 86_500_000))
STOPS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}
ROOTFS = ["overlay", "flat"]


@pytest.fixture
def reference(bench):
    return bench.builder(builder.golden_builder(builder.one_group("golden/sleeper"), [SLEEPER]))


def sleeping_build(bench, reference, phase, rootfs="overlay", **options):
    """A build that stands still in detect or build, and the word in its sleeping process's command line."""
    mark = str(next(MARKS))
    process = bench.start(reference, "--env", f"SLEEP_IN_{phase}={mark}", rootfs=rootfs, **options)
    wait_until(lambda: processes_with(mark), f"sleeping in {phase}", process=process)
    return process, mark


def exporting_build(bench, reference, rootfs="overlay"):
    """A build whose buildpack has ended and whose export of a large layer has not."""
    process = bench.start(reference, "--env", f"BIG={BIG}", rootfs=rootfs)
    script = f"{SLEEPER.root}/bin/build"
    wait_until(lambda: processes_with(script), "the buildpack began", process=process)
    wait_until(lambda: not processes_with(script), "the buildpack ended", process=process)
    assert process.poll() is None, finish(process)
    return process


def stopped(bench, process, number, code):
    began = time.monotonic()
    process.send_signal(number)
    result = finish(process, timeout=30)
    assert time.monotonic() - began < GRACE, f"took {time.monotonic() - began:.1f} s\n{result}"
    assert result.exit == code, result
    assert "cancelled" in plain(result.stderr), result
    assert f"exit code {code}" in plain(result.stderr), result
    assert result.stdout == "", result
    return result


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("phase", ["DETECT", "BUILD"])
def test_stopped_in_a_buildpack(bench, reference, phase, stop, rootfs):
    process, mark = sleeping_build(bench, reference, phase, rootfs)
    number, code = STOPS[stop]
    result = stopped(bench, process, number, code)
    assert processes_with(mark) == []
    assert "golden/sleeper" in plain(result.stderr), "which buildpack was running is told"
    assert not bench.out.exists()


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("stop", STOPS)
def test_stopped_in_the_export_of_a_large_layer(bench, reference, stop, rootfs):
    process = exporting_build(bench, reference, rootfs)
    number, code = STOPS[stop]
    stopped(bench, process, number, code)
    assert not bench.out.exists(), "no image stands under its final name"
    large = [path for path in bench.folder.rglob("*") if path.is_file() and path.stat().st_size > BIG // 100]
    assert large == [], "what was being written is gone"


def test_an_earlier_image_survives_a_stopped_build(bench, reference):
    before = bench.built(reference).digest
    process, _ = sleeping_build(bench, reference, "BUILD")
    stopped(bench, process, signal.SIGINT, 130)
    assert oci_reader.Image(bench.out).digest == before
    process = exporting_build(bench, reference)
    stopped(bench, process, signal.SIGTERM, 143)
    assert oci_reader.Image(bench.out).digest == before


def test_a_stopped_build_with_quiet_still_says_what_happened(bench, reference):
    mark = str(next(MARKS))
    process = bench.start(reference, "-q", "--env", f"SLEEP_IN_BUILD={mark}")
    wait_until(lambda: processes_with(mark), "sleeping", process=process)
    result = stopped(bench, process, signal.SIGINT, 130)
    assert "golden/sleeper" in plain(result.stderr)


def gone(bench, mark=None):
    """After kill -9 there is nobody to tidy up: the kernel and the next build must."""
    if mark:
        wait_until(lambda: not processes_with(mark), "the killed build's processes ended", timeout=GRACE)
    assert mounts_below(bench.folder) == []


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("when", ["DETECT", "BUILD", "export"])
def test_killed_and_built_again_gives_the_same_image(bench, reference, when, rootfs):
    clean = bench.folder / "clean"
    expected = bench.built(reference, out=clean / "out", store=clean / "store", cache=clean / "cache", rootfs=rootfs).digest
    if when == "export":
        process, mark = exporting_build(bench, reference, rootfs), None
    else:
        process, mark = sleeping_build(bench, reference, when, rootfs)
    process.send_signal(signal.SIGKILL)
    assert finish(process).exit == -signal.SIGKILL
    gone(bench, mark)
    assert bench.built(reference, rootfs=rootfs).digest == expected
    # What the killed build was writing is cleared away by the next one.
    large = [path for path in bench.folder.rglob("*") if path.is_file() and path.stat().st_size > BIG // 100]
    assert large == []


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_killed_while_the_builder_is_unpacked(bench, rootfs):
    """A large base layer: killed half way into the store, which then holds no half layer under its final name."""
    noise = builder.Layer()
    for number in range(40):
        noise.file(f"noise/{number}", bytes((number * 31 + i * i % 251) & 255 for i in range(65536)) * 40)
    image = builder.golden_builder(builder.one_group("golden/sleeper"), [SLEEPER], base=[noise])
    reference = bench.builder(image)
    clean = bench.folder / "clean"
    expected = bench.built(reference, out=clean / "out", store=clean / "store", cache=clean / "cache", rootfs=rootfs).digest
    shutil.rmtree(clean)

    def begun():
        try:
            return any(True for _ in bench.store.rglob("9"))
        except OSError:  # a folder that was renamed under our eyes
            return False

    process = bench.start(reference, rootfs=rootfs)
    wait_until(begun, "unpacking", process=process)
    process.send_signal(signal.SIGKILL)
    finish(process)
    gone(bench)
    assert bench.built(reference, rootfs=rootfs).digest == expected


def test_two_builds_at_once_share_a_store(bench, reference):
    other = bench.folder / "other"
    waiting, mark = sleeping_build(bench, reference, "BUILD")
    second = bench.built(reference, out=other / "out", cache=other / "cache")
    stopped(bench, waiting, signal.SIGTERM, 143)
    assert processes_with(mark) == []
    assert bench.built(reference).digest == second.digest


def test_a_closed_stderr_is_no_reason_to_die_of_sigpipe(bench, reference):
    process = bench.start(reference)
    process.stderr.close()
    process.stderr = None
    stdout = process.stdout.read()
    assert process.wait(timeout=120) == 0
    assert oci_reader.Image(bench.out).digest in stdout.decode()


def test_stopped_before_it_has_begun_leaves_nothing(bench, reference):
    process = bench.start(reference)
    process.send_signal(signal.SIGTERM)
    result = finish(process, timeout=30)
    # Either it had not set up its handling of signals yet, or it says cancelled.
    assert result.exit in (-signal.SIGTERM, 143), result
    assert not pathlib.Path(bench.out).exists()
