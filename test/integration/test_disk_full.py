"""No space left: exit code 74, the path in the message, nothing half done under a final name."""

import contextlib
import re
import subprocess

import builder
import pytest
from program import plain

NOISE = 24_000_000


@contextlib.contextmanager
def small_disk(folder, size):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "cib-small", folder], check=True, timeout=30)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, timeout=30)


def noisy_builder():
    """A builder whose base layer does not fit on the small disk, compressed or not."""
    import random

    noise = random.Random(7).randbytes(NOISE)
    return builder.golden_builder(builder.one_group("golden/kinds"), base=[builder.Layer().file("noise", noise)])


def heavy_builder():
    """A buildpack whose launch layer does not fit on the small disk, compressed or not."""
    script = ('mkdir -p "$1/heavy"; printf "[types]\\nlaunch = true\\n" > "$1/heavy.toml"; '
              f'head -c {NOISE} /dev/urandom > "$1/heavy/data"')
    return builder.golden_builder(builder.one_group("golden/heavy"), [builder.Buildpack.script("golden/heavy", script)])


def no_space(result, *meanings):
    said = plain(result.stderr)
    assert result.exit == 74, result
    assert re.search(r"no space left|disk (is )?full", said, re.I), result
    assert re.search(r"^error: ", said, re.M) and "exit code 74" in said, result
    for meaning in meanings:
        assert meaning in said, f"{meaning} is not named in\n{said}"
    assert result.stdout == "", result


@pytest.mark.parametrize("rootfs", ["overlay", "flat"])
def test_the_store_is_too_small_for_the_builder(bench, root, rootfs):
    reference = bench.builder(noisy_builder())
    with small_disk(bench.folder / "small", "12m") as small:
        result = bench.build(reference, store=small / "store", rootfs=rootfs)
        no_space(result, str(small))
        # What was unpacked so far does not keep the disk full.
        used = sum(path.stat().st_size for path in small.rglob("*") if path.is_file() and not path.is_symlink())
        assert used < 9_000_000, sorted(small.rglob("*"))
    assert not bench.out.exists()
    bench.built(reference, rootfs=rootfs)


def test_the_output_is_too_small_for_the_image(bench, root):
    reference = bench.builder(heavy_builder())
    with small_disk(bench.folder / "small", "6m") as small:
        result = bench.build(reference, out=small / "image")
        no_space(result, str(small))
        assert list(small.iterdir()) == [], "nothing half written stays"
    bench.built(reference)


def test_the_archive_is_too_small_for_the_image(bench, root):
    reference = bench.builder(heavy_builder())
    with small_disk(bench.folder / "small", "6m") as small:
        result = bench.build(reference, out=f"docker-archive:{small / 'image.tar'}")
        no_space(result, str(small))
        assert list(small.iterdir()) == []


def test_a_full_cache_is_a_warning(bench, root):
    """The image is what the user waits for; the cache is not worth failing."""
    script = ('mkdir -p "$1/heavy"; printf "[types]\\ncache = true\\n" > "$1/heavy.toml"; '
              f'head -c {NOISE} /dev/urandom > "$1/heavy/data"')
    image = builder.golden_builder(builder.one_group("golden/heavy"), [builder.Buildpack.script("golden/heavy", script)])
    reference = bench.builder(image)
    with small_disk(bench.folder / "small", "6m") as small:
        bench.built(reference, cache=small / "cache")
        result = bench.build(reference, cache=small / "cache")
        assert result.exit == 0, result
        assert re.search(r"warning.*cache|cache.*no space", plain(result.stderr), re.I), result
        left = [path for path in small.rglob("*") if path.is_file() and path.stat().st_size > 1_000_000]
        assert left == [], "nothing half written stays"


def test_a_report_that_cannot_be_written(bench, root):
    reference = bench.builder(builder.kinds_builder())
    with small_disk(bench.folder / "small", "4k") as small:
        (small / "filler").write_bytes(b"x" * 4096)
        bench.report = small / "report.json"
        result = bench.build(reference)
        assert result.exit == 74, result
        assert str(bench.report) in result.stderr, result
