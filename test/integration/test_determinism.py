"""The same input gives the same manifest digest, whatever the machine does differently."""

import itertools
import os

import builder
import golden_run
import oci_reader
import pytest


def digest_of(bench, name, reference, *arguments, **options):
    """A first build with everything of its own: store, cache and output."""
    folder = bench.folder / name
    image = bench.built(reference, *arguments, out=folder / "out", store=folder / "store", cache=folder / "cache",
                        **options)
    return image.digest


@pytest.mark.parametrize("case", ["kinds", "names", "plans"])
def test_overlay_and_flat_give_the_same_digest(bench, case):
    facts = golden_run.read_case(case)
    reference = bench.builder(builder.golden_builder(facts["order"]))
    app = facts["steps"][0]["app"]
    digests = {rootfs: digest_of(bench, rootfs, reference, rootfs=rootfs, app=app) for rootfs in ("overlay", "flat")}
    assert digests["overlay"] == digests["flat"]


def test_the_number_of_jobs_does_not_change_the_image(bench):
    """Many layers, one of them large enough to be packed in several pieces."""
    build = "\n".join(
        f'mkdir -p "$1/l{n}"; printf "[types]\\nlaunch = true\\ncache = true\\n" > "$1/l{n}.toml"; '
        f'yes "layer {n} of many" | head -c {size} > "$1/l{n}/data"'
        for n, size in enumerate([40_000_000, 1, 0, 70_000, 3_000_000, 512, 1_000_000, 9])
    )
    image = builder.golden_builder(one := builder.one_group("golden/many"),
                                   [builder.Buildpack.script("golden/many", build)])
    assert one
    reference = bench.builder(image)
    digests = {jobs: digest_of(bench, f"jobs{jobs}", reference, "--jobs", jobs) for jobs in (1, 2, 7)}
    assert len(set(digests.values())) == 1, digests


def test_times_and_order_of_the_files_of_an_application_do_not_count(bench):
    reference = bench.builder(builder.kinds_builder())
    first = bench.app("hello", bench.folder / "first")
    second = bench.folder / "second"
    second.mkdir(mode=0o755)
    for path in sorted(first.rglob("*"), reverse=True):
        copy = second / path.relative_to(first)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            copy.write_bytes(path.read_bytes())
            copy.chmod(path.stat().st_mode & 0o777)
    for path in itertools.chain([second], second.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert digest_of(bench, "a", reference, app=first) == digest_of(bench, "b", reference, app=second)


def test_the_umask_and_the_environment_of_the_caller_do_not_count(bench):
    reference = bench.builder(builder.kinds_builder())
    plain = digest_of(bench, "plain", reference)
    odd = digest_of(bench, "odd", reference, prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"),
                    env={"LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "SOMETHING": "else"})
    assert plain == odd


def test_a_builder_in_an_archive_is_the_same_builder(bench):
    reference = bench.builder(builder.kinds_builder())
    archive = bench.folder / "builder.tar"
    oci_reader.run("skopeo", "copy", "--quiet", "--insecure-policy", reference, f"docker-archive:{archive}")
    assert digest_of(bench, "layout", reference) == digest_of(bench, "archive", f"docker-archive:{archive}")


def test_a_second_build_without_a_change_writes_the_same_image(bench):
    """legacy, modern and last keep no count of their runs."""
    reference = bench.builder(builder.golden_builder(golden_run.read_case("plans")["order"]))
    first = bench.built(reference, app="sliced")
    second = bench.built(reference, app="sliced")
    assert first.digest == second.digest
