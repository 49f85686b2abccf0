"""Buildpacks, caches, images and layouts that mean harm: the program reads and writes nothing outside, and ends with a
code that says whose fault it was."""

import json
import os
import signal
import subprocess
import time

import builder
import oci_reader
import pytest
from program import GRACE, finish, plain

Script = builder.Buildpack.script
LAUNCH = 'printf "[types]\\nlaunch = true\\n" > '


def golden(bench, *buildpacks, name="builder"):
    order = builder.one_group(*(buildpack.id for buildpack in buildpacks))
    return bench.builder(builder.golden_builder(order, list(buildpacks)), name)


@pytest.fixture
def outside(bench):
    """A folder of this machine that nobody gave to the build."""
    folder = bench.folder / "outside"
    (folder / "keep").mkdir(parents=True)
    (folder / "keep" / "file").write_text("mine")
    (folder / "keep.toml").write_text("")
    (folder / "store.toml").write_text('[metadata]\nsecret = "from the machine"\n')
    (folder / "keep.ignore").write_text("mine too")
    return folder


def tree(folder):
    return {str(path.relative_to(folder)): (path.lstat().st_uid, path.read_bytes() if path.is_file() else None)
            for path in sorted(folder.rglob("*"))}


# --- links in the place of folders --------------------------------------------------------------------------------


def test_a_buildpack_that_makes_its_layers_folder_a_link(bench, outside):
    before = tree(outside)
    bad = Script("golden/bad", f'cd /; rmdir "$1"; ln -s "{outside}" "$1"')
    result = bench.build(golden(bench, bad))
    assert tree(outside) == before
    assert result.exit == 52, result


def test_a_buildpack_that_makes_anothers_layers_folder_a_link(bench, outside):
    before = tree(outside)
    first = Script("golden/first", 'mkdir "$1/x"')
    bad = Script("golden/second", f'rm -r /layers/golden_first; ln -s "{outside}" /layers/golden_first')
    result = bench.build(golden(bench, first, bad))
    assert tree(outside) == before
    assert result.exit in (52, 62), result
    assert "from the machine" not in result.stdout + result.stderr


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_a_detect_that_makes_the_place_of_anothers_plan_a_link(bench, outside, jobs):
    """Several bin/detect run at once, and all as the same user."""
    before = tree(outside)
    bad = Script("golden/bad", detect='for i in 1 2 3 4 5; do rm -rf /tmp/plan.$i; '
                                      f'ln -s "{outside}" /tmp/plan.$i; done')
    others = [Script(f"golden/other{i}", detect="sleep 0.3") for i in range(5)]
    result = bench.build(golden(bench, bad, *others), "--jobs", jobs)
    assert tree(outside) == before
    assert result.exit in (21, 22, 52), result


def test_a_detect_that_prepares_the_place_where_bills_of_materials_are_restored(bench, outside):
    toml = 'sbom-formats = ["application/vnd.cyclonedx+json"]\n'
    text = (f'api = "0.10"\n\n[buildpack]\nid = "golden/bom"\nversion = "1.0.0"\n{toml}'
            '\n[[targets]]\nos = "linux"\n').encode()
    def bom(detect):
        pack = Script("golden/bom", 'mkdir -p "$1/x"; [ -e "$1/x.sbom.cdx.json" ] || echo "{}" > "$1/x.sbom.cdx.json"; '
                      + LAUNCH + '"$1/x.toml"', detect=detect)
        pack.files["buildpack.toml"] = (text, 0o644)
        return pack
    bench.built(golden(bench, bom(""), name="one"))
    # The layers of the previous image are unknown to the second build, its bills of materials are not.
    bad = bom(f'ln -s "{outside}" /layers/golden_bom')
    before = tree(outside)
    result = bench.build(golden(bench, bad, name="two"))
    assert tree(outside) == before
    assert result.exit == 52, result


def test_what_a_detect_left_in_a_layers_place_is_not_taken_for_the_layer(bench):
    def pack(detect):
        return Script("golden/keeper", 'if [ ! -e "$1/x/kept" ]; then mkdir -p "$1/x"; echo made > "$1/x/kept"; fi\n'
                      'printf "[types]\\nlaunch = true\\ncache = true\\n" > "$1/x.toml"; ls "$1/x"', detect=detect)
    first = bench.built(golden(bench, pack(""), name="one"))
    bad = pack('mkdir -p /layers/golden_keeper/x; echo more > /layers/golden_keeper/x/more')
    result = bench.build(golden(bench, bad, name="two"))
    assert result.exit == 0, result
    # Either way, buildpack and image must see the same: the folder that is mounted is the layer that is exported.
    seen = "more" in result.stderr.split()
    names = {entry.name if hasattr(entry, "name") else entry for entry in listing(bench.out)}
    assert ("/layers/golden_keeper/x/more" in names) == seen, result


def listing(out):
    image = oci_reader.Image(out)
    return [name for index in range(len(image.manifest["layers"])) for name in image.entries(index)]


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["", "launch = true", "build = true", "cache = true"])
@pytest.mark.parametrize("name", [".", ".."])
def test_layers_named_like_folders_that_are_there_already(bench, name, flag):
    bad = Script("golden/bad", f'printf "[types]\\n{flag}\\n" > "$1/{name}.toml"')
    result = bench.build(golden(bench, bad))
    assert result.exit == 52, result
    assert not bench.out.exists()


def test_a_layer_with_a_name_that_is_no_text(bench):
    bad = Script("golden/bad", 'n=$(printf "a\\377b"); mkdir "$1/$n"; ' + LAUNCH + '"$1/$n.toml"')
    result = bench.build(golden(bench, bad))
    assert result.exit in (0, 52, 62), result
    again = bench.build(golden(bench, bad, name="again"))
    assert again.exit == result.exit, again


def test_a_label_of_the_previous_image_with_names_that_are_taken(bench):
    pack = Script("golden/good", 'mkdir -p "$1/x"; ' + LAUNCH + '"$1/x.toml"; [ -e "$1/store.toml" ] || '
                  'printf "[metadata]\\na = 1\\n" > "$1/store.toml"')
    reference = golden(bench, pack)
    bench.built(reference)
    def change(config):
        labels = config["config"]["Labels"]
        metadata = json.loads(labels["io.buildpacks.lifecycle.metadata"])
        layers = metadata["buildpacks"][0]["layers"]
        for name in ("store", "launch", "build", "x.toml", "y" * 300, "../../up", "", ".", ".."):
            layers[name] = {**layers["x"], "data": {"a": 1}}
        labels["io.buildpacks.lifecycle.metadata"] = json.dumps(metadata)
    rewrite_config(bench.out, change)
    result = bench.build(reference)
    assert result.exit == 0, result


def test_a_previous_image_that_calls_a_blob_of_the_output_by_a_wrong_diff_id(bench):
    reference = golden(bench, Script("golden/good", 'mkdir -p "$1/x"; echo x > "$1/x/file"; ' + LAUNCH + '"$1/x.toml"'))
    bench.built(reference)
    bench.copy(bench.out, "previous")
    def swap(manifest):
        manifest["layers"] = [manifest["layers"][0]] * len(manifest["layers"])
    rewrite_config(bench.folder / "previous", lambda config: None, swap)
    result = bench.build(reference, "--previous-image", f"oci:{bench.folder / 'previous'}")
    assert result.exit == 0, result
    image = oci_reader.Image(bench.out)
    for index in range(len(image.manifest["layers"])):
        image.tar(index)
    assert image.file("/layers/golden_good/x/file") == b"x\n"


def rewrite_config(out, change, change_manifest=lambda manifest: None):
    """Changes the only image of a layout, digests and all."""
    index = json.loads((out / "index.json").read_text())
    blobs = out / "blobs" / "sha256"
    def put(document):
        data = json.dumps(document).encode()
        digest = builder.sha256(data)
        digest = digest if digest.startswith("sha256:") else f"sha256:{digest}"
        (blobs / digest.removeprefix("sha256:")).write_bytes(data)
        return {"digest": digest, "size": len(data)}
    entry = index["manifests"][0]
    manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    change(config)
    change_manifest(manifest)
    manifest["config"].update(put(config))
    entry.update(put(manifest))
    (out / "index.json").write_text(json.dumps(index))


# --- what would never end, or never fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "blobs/sha256/.partial-fifo"])
def test_a_fifo_in_the_output_is_no_reason_to_wait(bench, name):
    reference = golden(bench, Script("golden/good", "true"))
    bench.built(reference)
    path = bench.out / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    result = bench.build(reference, timeout=30)
    assert result.exit in (0, 78), result


def test_a_fifo_in_the_cache_is_a_miss(bench):
    reference = golden(bench, Script("golden/good", "true"))
    bench.built(reference)
    path = bench.cache / "committed" / "io.buildpacks.lifecycle.cache.metadata"
    path.unlink()
    os.mkfifo(path)
    result = bench.build(reference, timeout=30)
    assert result.exit == 0, result


def test_a_cache_with_metadata_that_is_too_long_is_empty(bench):
    reference = golden(bench, Script("golden/good", "true"))
    bench.built(reference)
    with open(bench.cache / "committed" / "io.buildpacks.lifecycle.cache.metadata", "ab") as file:
        file.truncate(65 << 20)
    result = bench.build(reference)
    assert result.exit == 0, result


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_an_archive_of_a_buildpack_whose_description_is_no_file(bench, outside, kind):
    (outside / "buildpack.toml").write_text('api = "0.10"\nsecret from the machine\n')
    reference = golden(bench, Script("golden/good", "true"))
    folder = bench.folder / "pack"
    (folder / "bin").mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(folder / "buildpack.toml")
    else:
        (folder / "buildpack.toml").symlink_to(outside / "buildpack.toml")
    subprocess.run(["tar", "-C", folder, "-cf", bench.folder / "pack.tar", "."], check=True, timeout=60)
    result = bench.build(reference, "--buildpack", bench.folder / "pack.tar", timeout=30)
    assert result.exit == 78, result
    assert "secret" not in result.stderr, result


def test_an_archive_of_a_buildpack_that_is_a_link_to_a_folder_of_this_machine(bench, outside):
    pack = Script("golden/mine", 'cat "$CNB_BUILDPACK_DIR/keep/file"')
    pack.write(outside)
    reference = golden(bench, Script("golden/good", "true"))
    folder = bench.folder / "pack"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    subprocess.run(["tar", "-C", folder, "-cf", bench.folder / "pack.tar", "link"], check=True, timeout=60)
    result = bench.build(reference, "--buildpack", bench.folder / "pack.tar")
    assert result.exit == 78, result


def test_bills_of_materials_without_end_do_not_fill_the_memory(bench):
    toml = ('api = "0.10"\n\n[buildpack]\nid = "golden/bom"\nversion = "1.0.0"\n'
            'sbom-formats = ["application/vnd.cyclonedx+json"]\n\n[[targets]]\nos = "linux"\n')
    bad = Script("golden/bom", 'i=0; while [ $i -lt 40 ]; do dd if=/dev/zero of="$1/x$i.sbom.cdx.json" bs=1 count=0 '
                 'seek=200M 2>/dev/null; ' + LAUNCH + '"$1/x$i.toml"; i=$((i+1)); done')
    bad.files["buildpack.toml"] = (toml.encode(), 0o644)
    result = bench.build(golden(bench, bad), prefix=("prlimit", f"--as={6 << 30}"))
    assert result.exit == 52, result


def test_a_very_deep_tree_is_an_error_of_the_buildpack_and_goes_with_the_build(bench):
    deep = ('cd "$1"; mkdir x; cd x; i=0; d=d/d/d/d/d/d/d/d/d/d; while [ $i -lt 300 ]; do mkdir -p $d; cd -P $d; '
            'i=$((i+1)); done; cd "$1"; ' + LAUNCH + '"$1/x.toml"')
    reference = golden(bench, Script("golden/deep", deep))
    result = bench.build(reference)
    assert result.exit in (0, 52, 62), result
    assert list((bench.store / "builds").glob("*")) == [] if (bench.store / "builds").exists() else True
    good = bench.build(golden(bench, Script("golden/good", "true"), name="good"))
    assert good.exit == 0, good


# --- others beside us ---------------------------------------------------------------------------------------------


def test_waiting_for_anothers_cache_can_be_stopped(bench):
    import fcntl
    reference = golden(bench, Script("golden/good", "true"))
    bench.built(reference)
    with open(bench.cache / ".lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = bench.start(reference)
        time.sleep(2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        result = finish(process, timeout=GRACE)
    assert result.exit == 130, result


def test_run_image_previous_image_and_output_may_be_one_layout(bench):
    """The run image is replaced by what was built on it, as asked; nothing is lost on the way."""
    reference = golden(bench, Script("golden/good", "true"))
    bench.copy(oci_run_image(), "out")
    x = f"oci:{bench.out}"
    result = bench.build(reference, "--previous-image", x, run_image=x)
    assert result.exit == 0, result
    image = oci_reader.Image(bench.out)
    for index in range(len(image.manifest["layers"])):
        image.tar(index)


def oci_run_image():
    from program import PLAIN_RUN_IMAGE
    return PLAIN_RUN_IMAGE


def test_an_output_without_a_tag_leaves_an_image_with_a_tag_alone(bench):
    pack = Script("golden/good", "true")
    image = builder.golden_builder(builder.one_group(pack.id), [pack])
    image.write(bench.out, "mine")
    result = bench.build(f"oci:{bench.out}:mine")
    assert result.exit == 0, result
    result = bench.build(f"oci:{bench.out}:mine")
    assert result.exit == 0, result


def test_an_empty_mount_point_can_be_the_output(bench, root):
    bench.out.mkdir()
    reference = golden(bench, Script("golden/good", "true"))
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
               f'mkdir {bench.folder}/volume; mount --bind {bench.folder}/volume {bench.out}; exec "$@"', "sh")
    result = bench.build(reference, prefix=command)
    assert result.exit == 0, result
    assert (bench.folder / "volume" / "index.json").exists()


# --- an ordinary user ---------------------------------------------------------------------------------------------


def test_files_that_not_even_their_owner_may_read(bench, user_bench):
    bad = Script("golden/odd", 'mkdir -p "$1/x/locked"; echo secret > "$1/x/file"; echo in > "$1/x/locked/in"; '
                 'chmod 000 "$1/x/file" "$1/x/locked"; ' + LAUNCH + '"$1/x.toml"; '
                 'mkdir /workspace/locked; echo app > /workspace/locked/file; chmod 000 /workspace/locked/file /workspace/locked')
    reference = golden(bench, bad)
    result = bench.build(reference, "--isolation", "rootless")
    assert result.exit == 0, result
    image = oci_reader.Image(bench.out)
    assert image.file("/layers/golden_odd/x/file") == b"secret\n"
    assert image.file("/layers/golden_odd/x/locked/in") == b"in\n"
    assert image.file("/workspace/locked/file") == b"app\n"
    modes = {}
    for index in range(len(image.manifest["layers"])):
        for member in members(image.tar(index)):
            modes[member.name.strip("/")] = member.mode
    for name in ("layers/golden_odd/x/file", "layers/golden_odd/x/locked", "workspace/locked", "workspace/locked/file"):
        assert modes[name] == 0, name


def members(data):
    import io
    import tarfile
    return tarfile.open(fileobj=io.BytesIO(data)).getmembers()
