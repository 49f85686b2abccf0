"""A build of the golden fixtures gives the facts of the reference lifecycle (goldens/README.md)."""

import builder
import golden_run
import oci_reader
import pytest

ROOTFS = ["overlay", "flat"]


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("case", golden_run.CASES)
def test_case_gives_the_facts_of_the_reference(bench, case, rootfs):
    run_media_types = oci_reader.layer_media_types(
        builder.GOLDENS / "run-images" / golden_run.read_case(case)["run_image"])
    for step in golden_run.run_case(bench, case, rootfs=rootfs):
        assert not step.differences, f"step {step.number}:\n" + "\n".join(step.differences)
        if step.digest:
            # Ours follow the run image's manifest: never two families in one manifest.
            assert oci_reader.layer_media_types(bench.out) == run_media_types


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_what_the_reference_left_behind_is_reused(bench, rootfs):
    go_made = builder.GOLDENS / "go-made"
    bench.copy(go_made / "cache-dir", "cache")
    previous = bench.copy(go_made / "app", "previous")
    result = bench.build(bench.builder(builder.kinds_builder()), "--previous-image", f"oci:{previous}", rootfs=rootfs)
    differences, _ = golden_run.compare(bench, result, golden_run.read_expected("kinds")[1])
    assert not differences, "\n".join(differences)

    ours, theirs = oci_reader.Image(bench.out), oci_reader.Image(go_made / "app")
    by_diff_id = {diff_id: index for index, diff_id in enumerate(theirs.diff_ids)}
    reused = [index for index, diff_id in enumerate(ours.diff_ids) if diff_id in by_diff_id]
    assert len(reused) == len(ours.diff_ids), "step 2 of kinds changes no layer"
    for index in reused:
        their_index = by_diff_id[ours.diff_ids[index]]
        assert ours.layers[index] == theirs.layers[their_index]
        assert ours.layer_blob(index) == theirs.layer_blob(their_index)
    # And the previous image itself is as it was.
    assert oci_reader.Image(previous).digest == theirs.digest


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_a_damaged_cache_is_never_used(bench, rootfs):
    """One flipped byte in every cached layer: the build goes on without them and says so."""
    reference = bench.builder(builder.kinds_builder())
    bench.built(reference, rootfs=rootfs)
    damaged = sorted((bench.cache / "committed").glob("*.tar"))
    assert damaged
    for path in damaged:
        data = bytearray(path.read_bytes())
        place = data.rfind(b"\n") if b"kept\n" in data else len(data) // 2
        data[place] ^= 1
        path.unlink()  # the program may share the file with another by a hard link
        path.write_bytes(data)
    result = bench.build(reference, rootfs=rootfs)
    assert result.exit == 0, result
    image = oci_reader.Image(bench.out)
    assert image.file("/layers/golden_kinds/launch-cache/data") == b"kept\n"
    assert "cache" in result.stderr and "golden/kinds" in result.stderr, result
    for path in (bench.cache / "committed").glob("*.tar"):
        assert path.name == builder.sha256(path.read_bytes()) + ".tar"


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"buildpacks":[{"key":7}]}', '{"buildpacks":null}'])
def test_cache_metadata_that_cannot_be_read_is_no_cache(bench, metadata):
    committed = bench.cache / "committed"
    committed.mkdir(parents=True)
    (committed / golden_run.CACHE_METADATA).write_text(metadata)
    result = bench.build(bench.builder(builder.kinds_builder()))
    differences, _ = golden_run.compare(bench, result, golden_run.read_expected("kinds")[0])
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("label", ["", "{", '{"app":"x"}', '{"buildpacks":[{"key":7}]}', "[]"])
def test_a_previous_image_with_an_unreadable_label_is_no_previous_image(bench, label):
    previous = builder.Image(labels={"io.buildpacks.lifecycle.metadata": label})
    previous.add(builder.Layer().folder("/workspace"))
    previous.write(bench.folder / "previous")
    result = bench.build(bench.builder(builder.kinds_builder()), "--previous-image", f"oci:{bench.folder / 'previous'}")
    differences, _ = golden_run.compare(bench, result, golden_run.read_expected("kinds")[0])
    assert not differences, "\n".join(differences)
