"""What we write is read by others: skopeo and umoci, from layouts and archives."""

import json
import os
import stat
import tarfile

import builder
import golden_run
import oci_reader
import pytest

CASES = {"kinds": "hello", "names": "hello", "plans": "sliced"}


def golden(bench, case):
    return bench.builder(builder.golden_builder(golden_run.read_case(case)["order"]), f"builder-{case}")


@pytest.mark.parametrize("case", CASES)
def test_skopeo_copies_the_layout_without_a_change(bench, case):
    image = bench.built(golden(bench, case), app=CASES[case])
    assert oci_reader.skopeo_copy(bench.out, bench.folder / "copy") == image.digest
    copy = oci_reader.Image(bench.folder / "copy")
    assert (copy.manifest_bytes, copy.config_bytes) == (image.manifest_bytes, image.config_bytes)
    seen = oci_reader.skopeo_inspect(f"oci:{bench.out}")
    assert seen["Digest"] == image.digest
    assert seen["Layers"] == [layer["digest"] for layer in image.layers]
    assert (seen["Architecture"], seen["Os"]) == ("amd64", "linux")
    assert seen["Labels"] == image.labels
    assert oci_reader.skopeo_config(f"oci:{bench.out}") == image.config


@pytest.mark.parametrize("case", CASES)
def test_umoci_unpacks_exactly_the_listed_files(bench, case):
    image = bench.built(golden(bench, case), app=CASES[case])
    root = oci_reader.umoci_unpack(bench.out, bench.folder / "unpacked")
    expected = {}
    for index in range(len(image.layers)):
        for entry in image.entries(index):
            expected["/" + entry.name.strip("/")] = entry
    found = {"/" + path.relative_to(root).as_posix(): path for path in root.rglob("*")}
    assert set(found) == {name for name in expected if name != "/"}
    for name, path in found.items():
        entry, status = expected[name], path.lstat()
        if entry.issym():
            assert os.readlink(path) == entry.linkname
        elif entry.isdir():
            assert stat.S_ISDIR(status.st_mode), name
            assert stat.S_IMODE(status.st_mode) & 0o777 == entry.mode & 0o777, name
        elif entry.isreg():
            assert stat.S_ISREG(status.st_mode) and status.st_size == entry.size, name
            assert image.file(name) == path.read_bytes(), name
            assert int(status.st_mtime) == entry.mtime or name.startswith("/base"), name


def test_a_layer_of_many_gzip_members_is_read_by_all(bench):
    """A layer that is larger than one piece of the compressor."""
    script = ('mkdir -p "$1/big"; printf "[types]\\nlaunch = true\\n" > "$1/big.toml"; '
              'head -c 30000000 /dev/urandom > "$1/big/noise"; yes text | head -c 50000000 > "$1/big/text"')
    reference = bench.builder(builder.golden_builder(builder.one_group("golden/big"),
                                                     [builder.Buildpack.script("golden/big", script)]))
    image = bench.built(reference)
    assert oci_reader.skopeo_copy(bench.out, bench.folder / "copy") == image.digest
    root = oci_reader.umoci_unpack(bench.out, bench.folder / "unpacked")
    for name in ("noise", "text"):
        assert (root / "layers/golden_big/big" / name).read_bytes() == image.file(f"/layers/golden_big/big/{name}")


@pytest.mark.parametrize("case", CASES)
def test_an_archive_holds_the_same_image(bench, case):
    reference = golden(bench, case)
    image = bench.built(reference, app=CASES[case])
    archive = bench.folder / "image.tar"
    result = bench.build(reference, app=CASES[case], out=f"docker-archive:{archive}:example/app:1.2.3",
                         store=bench.folder / "store2", cache=bench.folder / "cache2")
    assert result.exit == 0, result
    config = oci_reader.skopeo_config(f"docker-archive:{archive}")
    assert config["rootfs"]["diff_ids"] == image.diff_ids
    assert config["config"] == image.config["config"]
    assert config["history"] == image.config["history"]
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))
        assert len(manifest) == 1 and manifest[0]["RepoTags"] == ["example/app:1.2.3"]
        assert len(manifest[0]["Layers"]) == len(image.layers)
    # And back: skopeo makes a layout of it whose layers are ours.
    oci_reader.run("skopeo", "copy", "--quiet", "--insecure-policy", f"docker-archive:{archive}",
                   f"oci:{bench.folder / 'back'}:x")
    assert oci_reader.Image(bench.folder / "back").diff_ids == image.diff_ids


def test_an_archive_is_the_same_bytes_each_time(bench):
    reference = golden(bench, "kinds")
    archives = []
    for number in (1, 2):
        archive = bench.folder / f"image{number}.tar"
        result = bench.build(reference, out=f"docker-archive:{archive}", store=bench.folder / f"store{number}",
                             cache=bench.folder / f"cache{number}")
        assert result.exit == 0, result
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]


def test_a_tagged_layout_keeps_its_neighbours(bench):
    """Two images in one layout: writing one leaves the other as it was."""
    reference = golden(bench, "kinds")
    for tag, app in (("one", "hello"), ("two", "hello-changed")):
        result = bench.build(reference, out=f"oci:{bench.out}:{tag}", app=app, cache=bench.folder / f"cache-{tag}")
        assert result.exit == 0, result
    digests = {tag: oci_reader.skopeo_inspect(f"oci:{bench.out}:{tag}")["Digest"] for tag in ("one", "two")}
    assert digests["one"] != digests["two"]
    result = bench.build(reference, out=f"oci:{bench.out}:two", app="hello", cache=bench.folder / "cache-three",
                         store=bench.folder / "store-three")
    assert result.exit == 0, result
    assert oci_reader.skopeo_inspect(f"oci:{bench.out}:one")["Digest"] == digests["one"]
    assert oci_reader.skopeo_inspect(f"oci:{bench.out}:two")["Digest"] != digests["two"]
    oci_reader.run("skopeo", "copy", "--quiet", "--insecure-policy", f"oci:{bench.out}:one", f"oci:{bench.folder}/copy:x")
    assert oci_reader.Image(bench.folder / "copy").digest == digests["one"]
