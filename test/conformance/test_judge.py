"""The judge judged: the reader and the comparison agree with the fixtures, and see a change of one byte."""

import copy
import gzip
import json

import builder
import golden_run
import oci_reader
import program
import pytest


def test_reader_sees_in_the_reference_image_what_the_goldens_say():
    image = oci_reader.Image(builder.GOLDENS / "go-made" / "app")
    expected = golden_run.read_expected("kinds")[0]
    actual = oci_reader.facts(image, golden_run.RUN_LAYERS)
    assert actual["layers"] == expected["layers"]
    # Without the registry's name, which is written down as REGISTRY, everything is equal.
    reference = expected["image"]["labels"]["io.buildpacks.lifecycle.metadata"]["runImage"]["reference"]
    block = actual["image"]["labels"]["io.buildpacks.lifecycle.metadata"]["runImage"]
    assert block["reference"].split("/", 1)[1] == reference.split("/", 1)[1]
    block["reference"] = reference
    assert actual["image"] == expected["image"]


@pytest.mark.parametrize("name", ["plain", "odd-history"])
def test_run_images_are_the_base_of_the_expected_images(name):
    folder = builder.GOLDENS / "run-images" / name
    if name == "odd-history":
        with pytest.raises(oci_reader.Malformed, match="history speaks of 1 layers"):
            oci_reader.Image(folder)
        return
    image = oci_reader.Image(folder)
    for case in golden_run.CASES:
        if golden_run.read_case(case)["run_image"] == name:
            for step in golden_run.read_expected(case):
                if step["exit"] == 0:
                    config = step["image"]["config"]
                    assert config["rootfs"]["diff_ids"][: golden_run.RUN_LAYERS] == image.diff_ids
                    labels = step["image"]["labels"]
                    assert labels["io.buildpacks.lifecycle.metadata"]["runImage"]["topLayer"] == image.diff_ids[-1]
                    assert set(image.labels) < set(labels)


def test_reader_sees_in_the_reference_cache_what_the_goldens_say():
    assert golden_run.compare_cache(builder.GOLDENS / "go-made" / "cache-dir", golden_run.read_expected("kinds")[0]) == []
    assert oci_reader.gunzip(gzip.compress(b"a") + gzip.compress(b"b"), "x") == b"ab"


def test_every_failing_case_has_a_meaning():
    failing = {case for case in golden_run.CASES if golden_run.read_expected(case)[0]["exit"] != 0}
    assert failing == set(golden_run.MEANINGS)


def test_meanings_are_met_by_the_reference_where_it_names_the_buildpack():
    for case in ("only-needs-missing", "only-provides-unneeded", "only-breaks", "process-type-unknown"):
        said = "\n".join(golden_run.read_expected(case)[0]["output"])
        for meaning in golden_run.MEANINGS[case]:
            assert golden_run.re.search(meaning, said, golden_run.re.I), (case, meaning)


@pytest.mark.parametrize("case", golden_run.CASES)
def test_expected_facts_equal_themselves_and_differ_from_a_changed_copy(case):
    for step in golden_run.read_expected(case):
        assert golden_run.differ(step, copy.deepcopy(step), "x") == []
        if step["exit"] == 0:
            changed = copy.deepcopy(step)
            changed["layers"][0]["entries"][0] += "!"
            assert golden_run.compare_layers(changed["layers"], step["layers"])
            changed = copy.deepcopy(step)
            changed["image"]["config"]["history"].pop()
            assert golden_run.differ(changed["image"], step["image"], "image")


def test_one_is_not_true():
    assert golden_run.differ(1, True, "x") and golden_run.differ({"a": 0}, {"a": False}, "x")
    assert not golden_run.differ({"a": [1.0]}, {"a": [1]}, "x")


def test_labels_that_may_differ_are_left_out_and_no_others():
    labels = golden_run.read_expected("kinds")[0]["image"]["labels"]
    left = golden_run.comparable_labels(labels)
    assert "launcher" not in left["io.buildpacks.build.metadata"]
    assert set(left["io.buildpacks.lifecycle.metadata"]["runImage"]) == {"topLayer"}
    assert left["io.buildpacks.lifecycle.metadata"]["stack"] == {"runImage": {}}
    assert labels["io.buildpacks.lifecycle.metadata"]["runImage"]["reference"]  # the original is untouched


def small_image():
    image = builder.Image()
    image.add(builder.Layer().folder("a").file("a/b", "text"))
    return image


def test_builders_are_deterministic(tmp_path):
    assert builder.kinds_builder().write(tmp_path / "a") == builder.kinds_builder().write(tmp_path / "b")


def test_builder_is_what_the_goldens_describe(tmp_path):
    case = golden_run.read_case("composite")
    builder.golden_builder(case["order"]).write(tmp_path / "b")
    image = oci_reader.Image(tmp_path / "b")
    labels = oci_reader.labels_parsed(image.labels)
    assert labels["io.buildpacks.buildpack.order"] == [{"group": group} for group in case["order"]]
    layers = labels["io.buildpacks.buildpack.layers"]
    assert {entry["layerDiffID"] for versions in layers.values() for entry in versions.values()} <= set(image.diff_ids)
    assert len(layers) == len(list((builder.GOLDENS / "buildpacks").iterdir()))
    assert layers["golden/composite"]["2.0.0"]["order"][1]["group"][0] == {
        "id": "golden/provides-unneeded", "version": "1.0.0", "optional": True}
    assert layers["golden/future"]["1.0.0"]["api"] == "0.99"
    entries = {}
    for index in range(len(image.layers)):
        for entry in image.entries(index):
            entries["/" + entry.name.lstrip("/")] = entry
    for name, owner, mode in (("/workspace", (1001, 1000), 0o755), ("/layers", (1001, 1000), 0o755),
                              ("/home/cnb", (1001, 1000), 0o755), ("/tmp", (0, 0), 0o1777),
                              ("/cnb/buildpacks/golden_kinds/1.0.0/bin/build", (0, 0), 0o755),
                              ("/cnb/buildpacks/golden_kinds/1.0.0/buildpack.toml", (0, 0), 0o644),
                              ("/cnb/lifecycle/launcher", (0, 0), 0o755)):
        assert ((entries[name].uid, entries[name].gid), entries[name].mode) == (owner, mode), name
    assert image.file("/cnb/lifecycle/launcher") == (builder.GOLDENS / "launcher").read_bytes()
    assert image.file("/bin/busybox") == builder.BUSYBOX.read_bytes()
    for applet in ("sh", "sed", "env", "mkfifo", "touch", "ln", "id", "sort", "grep"):
        assert entries[f"/bin/{applet}"].linkname == "busybox"


def test_other_readers_accept_our_fixtures(tmp_path):
    digest = builder.kinds_builder().write(tmp_path / "b")
    assert oci_reader.skopeo_copy(tmp_path / "b", tmp_path / "copy") == digest
    assert oci_reader.Image(tmp_path / "copy").digest == digest
    assert oci_reader.skopeo_inspect(f"oci:{tmp_path / 'b'}")["Digest"] == digest
    root = oci_reader.umoci_unpack(tmp_path / "b", tmp_path / "unpacked")
    assert (root / "cnb" / "order.toml").is_file()
    for fixture in ("go-made/app", "run-images/plain"):
        folder = builder.GOLDENS / fixture
        assert oci_reader.skopeo_inspect(f"oci:{folder}")["Digest"] == oci_reader.Image(folder).digest


@pytest.mark.parametrize("what", ["blob", "size", "diff_id", "truncated", "trailing", "index", "missing", "twice"])
def test_reader_refuses(tmp_path, what):
    folder = tmp_path / "image"
    small_image().write(folder)
    image = oci_reader.Image(folder)
    blob = image.path(image.layers[0]["digest"])
    data = blob.read_bytes()
    if what == "blob":
        blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif what == "truncated":
        replace_layer(folder, image, data[:-3])
    elif what == "trailing":
        replace_layer(folder, image, data + b"\0" * 8)
    elif what == "diff_id":
        replace_layer(folder, image, gzip.compress(b"\0" * 1024))
    elif what == "size":
        replace_manifest(folder, image, lambda manifest: manifest["layers"][0].update(size=7))
    elif what == "index":
        (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    elif what == "missing":
        blob.unlink()
    else:
        (folder / "index.json").write_text('{"schemaVersion":2,"schemaVersion":2,"manifests":[]}')
    with pytest.raises(oci_reader.Malformed):
        oci_reader.Image(folder)


def replace_layer(folder, image, data):
    digest = builder.sha256(data)
    (folder / "blobs" / "sha256" / digest.split(":")[1]).write_bytes(data)
    replace_manifest(folder, image, lambda manifest: manifest["layers"][0].update(digest=digest, size=len(data)))


def replace_manifest(folder, image, change):
    manifest = json.loads(image.manifest_bytes)
    change(manifest)
    data = builder.to_json(manifest)
    (folder / "blobs" / "sha256" / builder.sha256(data).split(":")[1]).write_bytes(data)
    index = json.loads((folder / "index.json").read_text())
    index["manifests"][0].update(digest=builder.sha256(data), size=len(data))
    (folder / "index.json").write_bytes(builder.to_json(index))


def test_left_over_processes_and_mounts_are_seen(root, bench):
    import subprocess

    stray = subprocess.run(["sh", "-c", "sleep 543216 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True,
                           timeout=30)
    point = bench.folder / "mounted"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "cib-test", point], check=True, timeout=30)
    (bench.home / "tmp" / "stray").write_text("x")
    seen = bench.left_behind()
    subprocess.run(["umount", point], check=True, timeout=30)
    (bench.home / "tmp" / "stray").unlink()
    assert len(seen) == 3, seen
    assert any(stray.stdout.strip() in line and "543216" in line for line in seen)
    assert bench.left_behind() == []
    assert program.processes_with("543216") == []


# --- the fixtures without the program: a chroot, and tar headers written by hand ------------------------------------


def built_by_hand(bench, id):
    """Runs a golden buildpack in a root made of the builder, as the reference did; gives the root."""
    import os
    import subprocess

    builder.kinds_builder().write(bench.folder / "by-hand")
    root = oci_reader.umoci_unpack(bench.folder / "by-hand", bench.folder / "unpacked")
    escaped = id.replace("/", "_")
    bench.app("hello", bench.folder / "copied").rename(root / "workspace" / "app")
    for path in (root / "workspace" / "app").iterdir():
        path.rename(root / "workspace" / path.name)
    (root / "workspace" / "app").rmdir()
    (root / "layers" / escaped).mkdir(mode=0o755)
    for top in ("layers", "workspace", "home/cnb"):
        for folder, folders, files in os.walk(root / top):
            for name in (".", *folders, *files):
                os.chown(os.path.join(folder, name), builder.CNB_UID, builder.CNB_GID, follow_symlinks=False)
    (root / "dev").mkdir()
    (root / "dev" / "null").touch()
    (root / "dev" / "null").chmod(0o666)
    (root / "tmp" / "plan.toml").write_text("")
    (root / "tmp" / "plan.toml").chmod(0o644)
    place = f"/cnb/buildpacks/{escaped}/1.0.0"
    done = subprocess.run(
        ["/usr/sbin/chroot", f"--userspec={builder.CNB_UID}:{builder.CNB_GID}", "--groups=", root, "/bin/sh", "-c",
         'cd /workspace && exec "$@"', "sh", f"{place}/bin/build", f"/layers/{escaped}", "/platform", "/tmp/plan.toml"],
        env={"PATH": "/bin", "HOME": "/home/cnb", "CNB_BUILDPACK_DIR": place, "CNB_LAYERS_DIR": f"/layers/{escaped}",
             "CNB_PLATFORM_DIR": "/platform", "CNB_BP_PLAN_PATH": "/tmp/plan.toml"},
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return root


def walk(root, folder):
    """Parents of the folder, then it and everything in it in the order of names within each folder."""
    import os
    import pathlib

    names = [str(parent) for parent in reversed(pathlib.PurePosixPath(folder).parents)][1:]

    def below(name):
        names.append(name)
        place = root / name[1:]
        if place.is_dir() and not place.is_symlink():
            for child in sorted(os.listdir(place), key=os.fsencode):
                below(f"{name}/{child}")

    below(folder)
    return names


def ustar(root, folder):
    """A layer of plain files, folders and links with short names, byte by byte as cnb.md 6.2 says."""
    import os
    import stat as st

    data = b""
    for name in walk(root, folder):
        path = root / name[1:]
        status = path.lstat()
        content = path.read_bytes() if st.S_ISREG(status.st_mode) else b""
        link = os.readlink(path).encode() if st.S_ISLNK(status.st_mode) else b""
        kind = b"5" if st.S_ISDIR(status.st_mode) else b"2" if link else b"0"
        header = bytearray(512)
        header[0: len(name)] = name.encode()
        header[100:108] = b"%07o\0" % (0o777 if link else status.st_mode & 0o7777)
        header[108:116] = b"%07o\0" % status.st_uid
        header[116:124] = b"%07o\0" % status.st_gid
        header[124:136] = b"%011o\0" % len(content)
        header[136:148] = b"%011o\0" % builder.MTIME
        header[148:156] = b" " * 8
        header[156:157] = kind
        header[157: 157 + len(link)] = link
        header[257:265] = b"ustar\0" + b"00"
        header[329:345] = b"0000000\0" * 2
        header[148:156] = b"%06o\0 " % sum(header)
        data += bytes(header) + content + b"\0" * (-len(content) % 512)
    return data + b"\0" * 1024


def test_the_fixtures_make_the_layers_of_the_reference(root, bench):
    """If this fails, it is this machine's busybox or our builder, not the program."""
    made = built_by_hand(bench, "golden/kinds")
    layers = golden_run.read_expected("kinds")[0]["layers"]
    by_name = {layer["entries"][2].split()[-1]: layer for layer in layers[:4]}
    assert sorted(by_name) == [f"/layers/golden_kinds/{name}" for name in ("all", "launch-build", "launch-cache", "launch-only")]
    for name, layer in by_name.items():
        assert builder.sha256(ustar(made, name)) == layer["diff_id"], name
    assert builder.sha256(ustar(made, "/workspace")) == layers[5]["diff_id"]


def test_the_fixtures_make_the_odd_names_of_the_reference(root, bench):
    made = built_by_hand(bench, "golden/names")
    expected = golden_run.read_expected("names")[0]["layers"][0]["entries"]
    names = [line.split(" -> ")[0].split(" ", 4)[4] for line in expected]
    assert walk(made, "/layers/golden_names/odd") == names
