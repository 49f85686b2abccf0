"""What people and registries can give us that is wrong: refused with a reason, never believed, nothing left behind."""

import gzip
import json
import os
import re
import shutil
import stat
import tarfile

import builder
import oci_reader
import pytest
from program import plain

ROOTFS = ["overlay", "flat"]
CONFIGURATION = 78


def refused(bench, result, code, *meanings):
    """The program said no: with this code, these words, the manners of EXPERIENCE, and without an output."""
    said = plain(result.stderr)
    assert result.exit == code, result
    for meaning in meanings:
        assert re.search(meaning, said, re.I), f"nothing like /{meaning}/ in\n{said}"
    assert re.search(r"^error: ", said, re.M), result
    assert re.search(rf"exit code {code}\b", said), result
    assert "this is a bug" not in said, result
    assert result.stdout == "", result
    assert not bench.out.exists(), sorted(bench.out.rglob("*"))
    partial = [path for path in bench.folder.iterdir() if re.match(r"\.?out(\W|$)", path.name)]
    assert not partial, partial


# --- references ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
def test_a_builder_that_is_not_there(bench, kind):
    result = bench.build(f"{kind}:{bench.folder}/no-such-builder")
    refused(bench, result, CONFIGURATION, r"no-such-builder")


def test_a_run_image_that_is_not_there(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), run_image=f"oci:{bench.folder}/no-such-run")
    refused(bench, result, CONFIGURATION, r"no-such-run")


def test_an_application_that_is_not_there(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), app=bench.folder / "no-such-app")
    assert result.exit in (2, CONFIGURATION), result
    refused(bench, result, result.exit, r"no-such-app")


def test_an_image_that_is_no_builder(bench):
    result = bench.build(f"oci:{builder.GOLDENS / 'run-images' / 'plain'}")
    refused(bench, result, CONFIGURATION, r"builder", r"label|io\.buildpacks")


def test_a_buildpack_that_the_builder_has_not(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), "--buildpack", "golden/kind")
    refused(bench, result, CONFIGURATION, r"golden/kind\b", r"did you mean .*golden/kinds")


def test_a_version_that_the_builder_has_not(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), "--buildpack", "golden/kinds@9.9.9")
    refused(bench, result, CONFIGURATION, r"golden/kinds", r"9\.9\.9", r"1\.0\.0")


# --- labels and configuration of a builder ---------------------------------------------------------------------


@pytest.mark.parametrize("label", ["io.buildpacks.builder.metadata", "io.buildpacks.buildpack.order",
                                   "io.buildpacks.buildpack.layers"])
@pytest.mark.parametrize("value", ["", "{", '"text"', "7", '[[[["deep"]]]]'])
def test_a_label_that_cannot_be_read(bench, label, value):
    image = builder.kinds_builder()
    image.labels[label] = value
    refused(bench, bench.build(bench.builder(image)), CONFIGURATION, re.escape(label))


@pytest.mark.parametrize("label", ["io.buildpacks.buildpack.order", "io.buildpacks.buildpack.layers"])
def test_a_label_that_is_missing(bench, label):
    image = builder.kinds_builder()
    del image.labels[label]
    refused(bench, bench.build(bench.builder(image)), CONFIGURATION, re.escape(label) + "|has no buildpack golden/kinds")


# Group 0 is no error: there are builders that run as 1001:0.
BAD_IDS = [(name, value) for name in ("CNB_USER_ID", "CNB_GROUP_ID")
           for value in (None, "", "one", "-1", "99999999999999999999", "0") if (name, value) != ("CNB_GROUP_ID", "0")]


@pytest.mark.parametrize("name, value", BAD_IDS)
def test_ids_of_the_build_user_that_are_none(bench, name, value):
    image = builder.kinds_builder()
    image.config["Env"] = [entry for entry in image.config["Env"] if not entry.startswith(name)]
    if value is not None:
        image.config["Env"].append(f"{name}={value}")
    refused(bench, bench.build(bench.builder(image)), CONFIGURATION, name)


def test_a_layers_label_that_names_a_layer_which_does_not_exist(bench):
    image = builder.kinds_builder()
    image.labels["io.buildpacks.buildpack.layers"]["golden/kinds"]["1.0.0"]["layerDiffID"] = "sha256:" + "0" * 64
    refused(bench, bench.build(bench.builder(image)), CONFIGURATION, r"golden/kinds|io\.buildpacks\.buildpack\.layers", r"0{12}")


@pytest.mark.parametrize("diff_id", ["sha256:../../../../etc/passwd", "sha256:", "md5:0", ""])
def test_a_layers_label_with_a_digest_that_is_none(bench, diff_id):
    image = builder.kinds_builder()
    image.labels["io.buildpacks.buildpack.layers"]["golden/kinds"]["1.0.0"]["layerDiffID"] = diff_id
    refused(bench, bench.build(bench.builder(image)), CONFIGURATION, r"golden/kinds|layers")


def test_an_order_that_names_a_buildpack_which_does_not_exist(bench):
    image = builder.golden_builder(builder.one_group("golden/nobody"))
    result = bench.build(bench.builder(image))
    assert result.exit in (22, CONFIGURATION), result
    refused(bench, result, result.exit, r"golden/nobody")


@pytest.mark.parametrize("id", ["../../etc", "a/../../b", "", ".", "x\ny"])
def test_an_id_that_is_a_way_out(bench, id):
    image = builder.kinds_builder()
    layers = image.labels["io.buildpacks.buildpack.layers"]
    layers[id] = {"1.0.0": dict(layers["golden/kinds"]["1.0.0"])}
    image.labels["io.buildpacks.buildpack.order"] = builder.label_order([[{"id": id, "version": "1.0.0"}]])
    result = bench.build(bench.builder(image))
    assert result.exit in (22, CONFIGURATION), result
    refused(bench, result, result.exit)


def test_an_order_that_never_ends(bench):
    """Two composites, each the order of the other: refused, not followed until the memory is gone."""
    image = builder.kinds_builder()
    layers = image.labels["io.buildpacks.buildpack.layers"]
    some = layers["golden/composite"]["2.0.0"]["layerDiffID"]
    for one, other in (("golden/ping", "golden/pong"), ("golden/pong", "golden/ping")):
        layers[one] = {"1": {"api": "0.10", "layerDiffID": some, "order": builder.label_order([[{"id": other, "version": "1"}]])}}
    image.labels["io.buildpacks.buildpack.order"] = builder.label_order([[{"id": "golden/ping", "version": "1"}]])
    result = bench.build(bench.builder(image), timeout=60)
    assert result.exit in (20, 22, CONFIGURATION), result
    refused(bench, result, result.exit, r"golden/p[io]ng")


# --- buildpacks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["api = ", 'api = "0.10"\n[buildpack]\nid = 7\n', "\0", "[[order]\n", 'api = "0.10"\n'])
def test_a_malformed_buildpack_toml_in_the_builder(bench, text):
    image = builder.kinds_builder()
    # Above its own layer: what counts is the file, and the label says nothing of it.
    image.add(builder.Layer().file("/cnb/buildpacks/golden_kinds/1.0.0/buildpack.toml", text))
    result = bench.build(bench.builder(image))
    assert result.exit in (22, CONFIGURATION), result
    refused(bench, result, result.exit, r"golden[/_]kinds", r"buildpack\.toml")


@pytest.mark.parametrize("text, place, code", [
    ("api = ", r"line 1|:1\b", CONFIGURATION), ('api = "0.10"\n\n[[order]\n', r"line 3|:3\b", CONFIGURATION),
    ('api = "0.10"\n', r"buildpack", CONFIGURATION),
    ("", r"\bapi\b", 12)])  # no API is an unknown API, as for the reference
def test_a_malformed_buildpack_toml_in_a_folder(bench, text, place, code):
    folder = builder.Buildpack.script("golden/own").write(bench.folder / "own")
    (folder / "buildpack.toml").write_text(text)
    result = bench.build(bench.builder(builder.kinds_builder()), "--buildpack", folder)
    refused(bench, result, code, r"buildpack\.toml|golden/own|/own\b", place)


def test_a_buildpack_folder_without_bin(bench):
    folder = builder.Buildpack.script("golden/own").write(bench.folder / "own")
    shutil.rmtree(folder / "bin")
    result = bench.build(bench.builder(builder.kinds_builder()), "--buildpack", folder)
    assert result.exit in (21, 22, CONFIGURATION), result
    refused(bench, result, result.exit, r"golden/own|/own\b", r"bin/(detect|build)")


@pytest.mark.parametrize("data", [b"", b"no archive at all", gzip.compress(b"neither"), gzip.compress(b"x" * 512)[:-9]])
def test_a_buildpack_archive_that_is_none(bench, data):
    archive = bench.folder / "own.tgz"
    archive.write_bytes(data)
    result = bench.build(bench.builder(builder.kinds_builder()), "--buildpack", archive)
    refused(bench, result, CONFIGURATION, r"own\.tgz")


# --- layouts and archives -------------------------------------------------------------------------------------------


def damaged_builder(bench, damage):
    reference = bench.builder(builder.kinds_builder())
    folder = bench.folder / "builder"
    damage(folder, oci_reader.Image(folder))
    return reference


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lie_about(field):
    def damage(folder, image):
        config = json.loads(image.config_bytes)
        if field == "diff_id":
            config["rootfs"]["diff_ids"][0] = "sha256:" + "1" * 64
        else:
            config["rootfs"]["diff_ids"].pop()
        data = builder.to_json(config)
        manifest = json.loads(image.manifest_bytes)
        manifest["config"].update(digest=builder.sha256(data), size=len(data))
        text = builder.to_json(manifest)
        for blob in (data, text):
            image.path(builder.sha256(blob)).write_bytes(blob)
        index = json.loads((folder / "index.json").read_text())
        index["manifests"][0].update(digest=builder.sha256(text), size=len(text))
        (folder / "index.json").write_bytes(builder.to_json(index))
    return damage


DAMAGE = {
    "no oci-layout": lambda folder, image: (folder / "oci-layout").unlink(),
    "another layout version": lambda folder, image: (folder / "oci-layout").write_text('{"imageLayoutVersion":"9"}'),
    "no index": lambda folder, image: (folder / "index.json").unlink(),
    "index is text": lambda folder, image: (folder / "index.json").write_text("hello"),
    "index is empty": lambda folder, image: (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[]}'),
    "index of the wrong types": lambda folder, image: (folder / "index.json").write_text('{"manifests":{"a":[1]}}'),
    "digest that leaves the folder": lambda folder, image: (folder / "index.json").write_text(
        (folder / "index.json").read_text().replace(image.digest, "sha256:../../../../../../etc/passwd")),
    "no manifest": lambda folder, image: image.path(image.digest).unlink(),
    "manifest changed": lambda folder, image: flip(image.path(image.digest)),
    "configuration changed": lambda folder, image: flip(image.path(image.manifest["config"]["digest"])),
    "no base layer": lambda folder, image: image.path(image.layers[0]["digest"]).unlink(),
    "base layer changed": lambda folder, image: flip(image.path(image.layers[0]["digest"])),
    "base layer cut": lambda folder, image: os.truncate(image.path(image.layers[0]["digest"]), 5000),
    "base layer empty": lambda folder, image: os.truncate(image.path(image.layers[0]["digest"]), 0),
    "diffID lies": lie_about("diff_id"),
    "a diffID too few": lie_about("count"),
}


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_builder(bench, damage, rootfs):
    reference = damaged_builder(bench, DAMAGE[damage])
    refused(bench, bench.build(reference, rootfs=rootfs), CONFIGURATION, r"builder")
    # And nothing of it is believed later: the whole builder under the same name is read anew.
    shutil.rmtree(bench.folder / "builder")
    bench.built(bench.builder(builder.kinds_builder()), rootfs=rootfs)


def test_a_layer_that_no_buildpack_of_this_build_needs_is_not_read(bench):
    image = builder.kinds_builder()
    unneeded = image.labels["io.buildpacks.buildpack.layers"]["golden/names"]["1.0.0"]["layerDiffID"]

    def damage(folder, read):
        read.path(read.layers[read.diff_ids.index(unneeded)]["digest"]).unlink()

    bench.built(damaged_builder(bench, damage))


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\0" * 1024, gzip.compress(b"neither")])
def test_an_archive_that_is_none(bench, data):
    archive = bench.folder / "builder.tar"
    archive.write_bytes(data)
    refused(bench, bench.build(f"docker-archive:{archive}"), CONFIGURATION, r"builder\.tar")


def test_an_output_that_is_a_file(bench):
    bench.out.write_text("mine")
    result = bench.build(bench.builder(builder.kinds_builder()))
    assert result.exit in (2, 74, CONFIGURATION), result
    assert str(bench.out) in result.stderr, result
    assert bench.out.read_text() == "mine"


def test_an_output_folder_with_something_else_in_it(bench):
    bench.out.mkdir()
    (bench.out / "thesis.txt").write_text("mine")
    result = bench.build(bench.builder(builder.kinds_builder()))
    assert result.exit in (2, CONFIGURATION), result
    assert str(bench.out) in result.stderr, result
    assert [path.name for path in bench.out.iterdir()] == ["thesis.txt"]


# --- hostile layers ---------------------------------------------------------------------------------------------------


class Outside:
    """A folder beside the store that no layer may touch, remembered exactly."""

    def __init__(self, bench):
        self.folder = bench.folder / "outside"
        self.folder.mkdir(mode=0o755)
        (self.folder / "victim").write_text("as it was")
        (self.folder / "secret").write_text("golden secret 1209381")
        (self.folder / "folder").mkdir()
        (self.folder / "folder" / "file").write_text("deep")
        self.climb = "../" * 40
        self.path = str(self.folder)
        self.before = self.look()

    def look(self):
        found = []
        for path in [self.folder, *sorted(self.folder.rglob("*"))]:
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found.append((str(path), status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_ino, content))
        return found


HOSTILE = {
    "dots in a name": lambda o: builder.Layer().file(f"{o.climb}{o.path[1:]}/owned", "x"),
    "dots inside a name": lambda o: builder.Layer().file(f"usr/../../../../{o.path[1:]}/owned", "x"),
    "an absolute name": lambda o: builder.Layer().file(f"{o.path}/owned", "x"),
    "an absolute name over a file": lambda o: builder.Layer().file(f"{o.path}/victim", "overwritten"),
    "a file through an absolute link": lambda o: builder.Layer().symlink("way", o.path).file("way/owned", "x"),
    "a file through a climbing link": lambda o: builder.Layer().symlink("way", o.climb + o.path[1:]).file("way/owned", "x"),
    "a file through two links": lambda o: builder.Layer().symlink("a", o.climb).symlink("b", f"a{o.path}").file("b/owned", "x"),
    "a folder through a link": lambda o: builder.Layer().symlink("way", o.path).folder("way/folder", 0o700, 7, 7),
    "the link itself as a folder": lambda o: builder.Layer().symlink("way", o.path).folder("way", 0o777, 7, 7).file("way/owned", "x"),
    "a file onto a link": lambda o: builder.Layer().symlink("way", f"{o.path}/victim").file("way", "overwritten"),
    "a hard link to outside": lambda o: builder.Layer().hardlink("stolen", f"{o.path}/secret"),
    "a hard link that climbs": lambda o: builder.Layer().hardlink("stolen", f"{o.climb}{o.path[1:]}/secret"),
    "a hard link through a link": lambda o: builder.Layer().symlink("way", o.path).hardlink("stolen", "way/secret"),
    "a whiteout through a link": lambda o: builder.Layer().symlink("way", o.path).file("way/.wh.victim", ""),
    "an opaque mark through a link": lambda o: builder.Layer().symlink("way", o.path).file("way/.wh..wh..opq", ""),
    "a whiteout of the parent": lambda o: builder.Layer().folder("etc").file("etc/.wh...", ""),
    "a whiteout of itself": lambda o: builder.Layer().folder("etc").file("etc/.wh..", ""),
    "a whiteout of nothing": lambda o: builder.Layer().folder("etc").file("etc/.wh.", ""),
    "a whiteout with a slash": lambda o: builder.Layer().file(f"etc/.wh.{o.climb}{o.path[1:]}/victim", ""),
    "an empty name": lambda o: builder.Layer().file("", "x"),
    "only dots": lambda o: builder.Layer().folder(".."),
}


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("where", ["one layer", "two layers"])
@pytest.mark.parametrize("trick", HOSTILE)
def test_a_hostile_layer_touches_nothing_outside(bench, trick, rootfs, where):
    outside = Outside(bench)
    layer = HOSTILE[trick](outside)
    layers = [layer]
    if where == "two layers":
        layers = split(layer)
    result = bench.build(bench.builder(builder.golden_builder(builder.one_group("golden/kinds"), base=layers)), rootfs=rootfs)
    assert outside.look() == outside.before
    # Either refused as what it is, or kept inside; never a crash and never a bug.
    if result.exit == 0:
        image = oci_reader.Image(bench.out)
        assert all(b"golden secret" not in image.tar(index) for index in range(len(image.layers)))
    else:
        refused(bench, result, CONFIGURATION, r"layer|builder")
    for path in bench.store.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 4096:
            assert b"golden secret" not in path.read_bytes(), path


def split(layer):
    """Its last entry in a layer of its own: tricks that need two steps must not work across layers either."""
    import io

    entries = list(oci_reader.members(layer.tar(), "trick"))
    if len(entries) == 1:
        return [layer]
    parts = []
    for some in (entries[:-1], entries[-1:]):
        part = builder.Layer()
        with tarfile.open(fileobj=io.BytesIO(layer.tar())) as archive:
            for entry in some:
                part._tar.addfile(entry, archive.extractfile(entry) if entry.isreg() else None)
        parts.append(part)
    return parts


def raw_layer(data):
    return data + b"\0" * (-len(data) % 512)


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("what", ["huge size", "negative size", "bad checksum", "endless name", "no end", "noise",
                                  "huge pax record", "pax size lies"])
def test_a_layer_that_is_no_tar(bench, what, rootfs):
    entry = tarfile.TarInfo("file")
    entry.size = 3
    header = bytearray(entry.tobuf(tarfile.USTAR_FORMAT))

    def sealed(block):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    if what == "huge size":
        header[124:136] = b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7
        data = sealed(header) + b"abc" + b"\0" * 509 + b"\0" * 1024
    elif what == "negative size":
        header[124:136] = b"\xff" * 12
        data = sealed(header) + b"abc" + b"\0" * 509 + b"\0" * 1024
    elif what == "bad checksum":
        data = bytes(header)[:148] + b"000000\0 " + bytes(header)[156:] + b"abc" + b"\0" * 509 + b"\0" * 1024
    elif what == "endless name":
        long_name = tarfile.TarInfo("././@LongLink")
        long_name.type = b"L"
        long_name.size = 1 << 40
        data = long_name.tobuf(tarfile.GNU_FORMAT) + b"n" * 4096
    elif what == "no end":
        data = bytes(header) + b"a"
    elif what == "noise":
        data = bytes(range(256)) * 8
    else:
        text = b"99999999999 path=x\n" if what == "huge pax record" else b"23 size=99999999999999\n"
        pax = tarfile.TarInfo("pax")
        pax.type = b"x"
        pax.size = len(text)
        data = pax.tobuf(tarfile.USTAR_FORMAT) + raw_layer(text) + bytes(header) + b"abc" + b"\0" * 509 + b"\0" * 1024
    image = builder.golden_builder(builder.one_group("golden/kinds"), base=[data])
    refused(bench, bench.build(bench.builder(image), rootfs=rootfs), CONFIGURATION, r"layer|builder")


def test_a_device_in_a_layer_is_no_way_to_the_disk(bench, root):
    """A builder may ship device nodes; buildpacks may not use them."""
    disk = builder.Layer()
    entry = tarfile.TarInfo("dev/disk")
    entry.type, entry.mode = tarfile.BLKTYPE, 0o666
    status = os.stat("/")
    entry.devmajor, entry.devminor = os.major(status.st_dev), os.minor(status.st_dev)
    disk.folder("dev")
    disk._tar.addfile(entry)
    script = ('mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"\n'
              'if head -c 1 /dev/disk > "$1/seen/byte" 2>/dev/null; then echo open > "$1/seen/verdict"; '
              'else echo closed > "$1/seen/verdict"; fi; rm -f "$1/seen/byte"')
    image = builder.golden_builder(builder.one_group("golden/looks"), [builder.Buildpack.script("golden/looks", script)],
                                   base=[disk])
    result = bench.build(bench.builder(image))
    if result.exit == 0:
        assert oci_reader.Image(bench.out).file("/layers/golden_looks/seen/verdict") == b"closed\n"
    else:
        refused(bench, result, CONFIGURATION, r"layer|device")


# --- detection and failing buildpacks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_no_group_detected_shows_every_verdict(bench, quiet):
    order = [[{"id": "golden/opts-out", "version": "1.0.0"}, {"id": "golden/breaks", "version": "1.0.0"}],
             [{"id": "golden/needs-missing", "version": "1.0.0"}],
             [{"id": "golden/provides-unneeded", "version": "1.0.0"}]]
    result = bench.build(bench.builder(builder.golden_builder(order)), *quiet)
    refused(bench, result, 21, r"golden/opts-out.*1\.0\.0", r"golden/breaks.*1\.0\.0.*\b7\b|golden/breaks(.|\n)*\b7\b",
            r"cannot look", r"golden/needs-missing.*requires.*missing", r"golden/provides-unneeded.*provides.*unneeded")


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_failing_buildpack_shows_its_last_lines(bench, quiet):
    script = 'i=0; while [ $i -lt 500 ]; do i=$((i + 1)); echo "line number $i"; done; echo "the last words" >&2; exit 3'
    image = builder.golden_builder(builder.one_group("golden/talks"), [builder.Buildpack.script("golden/talks", script)])
    result = bench.build(bench.builder(image), *quiet)
    refused(bench, result, 51, r"golden/talks", r"1\.0\.0", r"\b3\b", r"line number 500", r"the last words")
    if quiet:
        assert "line number 1\n" not in result.stderr
    else:
        assert "line number 1\n" in result.stderr


def test_a_buildpack_that_is_killed_by_a_signal(bench):
    image = builder.golden_builder(builder.one_group("golden/dies"),
                                   [builder.Buildpack.script("golden/dies", "kill -9 $$")])
    refused(bench, bench.build(bench.builder(image)), 51, r"golden/dies", r"signal|kill|\b9\b|137")


def test_a_buildpack_that_cannot_be_executed(bench):
    bad = builder.Buildpack.script("golden/bad", shell="/no/such/shell")
    result = bench.build(bench.builder(builder.golden_builder(builder.one_group("golden/bad"), [bad])))
    refused(bench, result, 21, r"golden/bad", r"/no/such/shell")


def test_a_buildpack_that_leaves_a_process_running(bench):
    script = ('(trap "" TERM HUP INT; sleep 98761234) & mkdir -p "$1/a"; '
              'printf "[types]\\nlaunch = true\\n" > "$1/a.toml"')
    image = builder.golden_builder(builder.one_group("golden/stays"), [builder.Buildpack.script("golden/stays", script)])
    bench.built(bench.builder(image), timeout=60)  # the bench's end sees that nothing runs on


def test_output_that_is_no_text_does_not_break_the_log(bench):
    script = r'printf "\033]0;owned\007\033[2J\377\376\0end of bytes\n"; exit 1'
    image = builder.golden_builder(builder.one_group("golden/noise"), [builder.Buildpack.script("golden/noise", script)])
    result = bench.build(bench.builder(image))
    refused(bench, result, 51, r"end of bytes")
    assert "\x1b" not in result.stderr and "\x07" not in result.stderr and "\0" not in result.stderr
    json.loads(bench.report.read_text())


def test_a_link_in_a_buildpacks_layer_does_not_bring_files_of_this_machine(bench):
    """What a buildpack leaves behind is read as it is seen inside: a link to outside stays a link."""
    outside = Outside(bench)
    script = (f'ln -s {outside.path} "$1/way"; ln -s {outside.path}/secret "$1/launch.toml"; '
              f'mkdir -p "$1/l"; ln -s {outside.path}/secret "$1/l/secret"; '
              'printf "[types]\\nlaunch = true\\n" > "$1/l.toml"; printf "[types]\\nlaunch = true\\n" > "$1/way.toml"; '
              f'ln -s {outside.path} outside')
    image = builder.golden_builder(builder.one_group("golden/links"), [builder.Buildpack.script("golden/links", script)])
    result = bench.build(bench.builder(image))
    assert outside.look() == outside.before
    assert "golden secret" not in result.stderr + bench.report.read_text()
    if result.exit == 0:
        read = oci_reader.Image(bench.out)
        assert all(b"golden secret" not in read.tar(index) for index in range(len(read.layers)))
    else:
        assert result.exit in (52, 62), result
    for path in bench.cache.rglob("*"):
        assert not path.is_file() or b"golden secret" not in path.read_bytes()
