"""A strict reader of OCI layouts, written from the image specification alone, and helpers for other people's readers.

It believes nothing: every size, digest, diffID, gzip member and tar header is checked, and what is wrong raises
Malformed with the place. `facts()` gives an image in the shape of goldens/expected/*.json.
"""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import io
import zlib

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.docker.container.image.v1+json",
}
GZIP_LAYERS = {
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
PLAIN_LAYERS = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
}


class Malformed(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Malformed(text)


def no_twice(pairs):
    keys = [key for key, _ in pairs]
    need(len(keys) == len(set(keys)), f"JSON object with a key twice: {keys}")
    return dict(pairs)


def parse_json(data, what):
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=no_twice)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"{what}: {error}") from error


def gunzip(data, what):
    """Every member, to the last byte; the CRC and length of each are checked by zlib."""
    out = []
    rest = data
    while rest:
        one = zlib.decompressobj(wbits=31)
        try:
            out.append(one.decompress(rest))
            out.append(one.flush())
        except zlib.error as error:
            raise Malformed(f"{what}: {error}") from error
        need(one.eof, f"{what}: gzip member ends early")
        need(len(one.unused_data) < len(rest), f"{what}: empty gzip member")
        rest = one.unused_data
    return b"".join(out)


class Image:
    def __init__(self, folder, descriptor=None):
        self.folder = pathlib.Path(folder)
        if descriptor is None:
            descriptor = only_descriptor(self.folder)
        self.digest = descriptor["digest"]
        self.manifest_bytes = self.blob(descriptor, "manifest")
        self.manifest = parse_json(self.manifest_bytes, "manifest")
        kind = self.manifest.get("mediaType")
        need(kind in MANIFESTS, f"manifest: media type {kind!r}")
        need(descriptor["mediaType"] == kind, "manifest: its descriptor says another media type")
        need(self.manifest.get("schemaVersion") == 2, "manifest: schemaVersion is not 2")
        need(set(self.manifest) <= {"schemaVersion", "mediaType", "config", "layers", "annotations"},
             f"manifest: unexpected keys in {sorted(self.manifest)}")
        need(self.manifest["config"]["mediaType"] == MANIFESTS[kind], "config: media type of another family")

        self.config_bytes = self.blob(self.manifest["config"], "config")
        self.config = parse_json(self.config_bytes, "config")
        rootfs = self.config["rootfs"]
        need(rootfs["type"] == "layers", "config: rootfs.type")
        self.diff_ids = rootfs["diff_ids"]
        self.layers = self.manifest["layers"]
        need(len(self.diff_ids) == len(self.layers),
             f"{len(self.diff_ids)} diffIDs for {len(self.layers)} layers")
        history = self.config.get("history")
        if history is not None:
            filled = sum(1 for entry in history if not entry.get("empty_layer"))
            need(filled == len(self.layers), f"history speaks of {filled} layers, there are {len(self.layers)}")
        self._tars = {}
        for index in range(len(self.layers)):
            self.tar(index)

    @property
    def labels(self):
        return (self.config.get("config") or {}).get("Labels") or {}

    def path(self, digest):
        need(isinstance(digest, str) and DIGEST.match(digest), f"not a sha256 digest: {digest!r}")
        return self.folder / "blobs" / "sha256" / digest.split(":")[1]

    def blob(self, descriptor, what):
        path = self.path(descriptor["digest"])
        need(path.is_file() and not path.is_symlink(), f"{what}: no blob {descriptor['digest']}")
        data = path.read_bytes()
        need(len(data) == descriptor["size"], f"{what}: {len(data)} bytes, descriptor says {descriptor['size']}")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        need(digest == descriptor["digest"], f"{what}: digest is {digest}, descriptor says {descriptor['digest']}")
        return data

    def layer_blob(self, index):
        return self.blob(self.layers[index], f"layer {index}")

    def tar(self, index):
        """The verified uncompressed bytes of a layer."""
        if index not in self._tars:
            what = f"layer {index}"
            data = self.layer_blob(index)
            kind = self.layers[index]["mediaType"]
            if kind in GZIP_LAYERS:
                data = gunzip(data, what)
            else:
                need(kind in PLAIN_LAYERS, f"{what}: media type {kind!r}")
            diff_id = "sha256:" + hashlib.sha256(data).hexdigest()
            need(diff_id == self.diff_ids[index], f"{what}: diffID is {diff_id}, config says {self.diff_ids[index]}")
            need(len(data) % 512 == 0 and data[-1024:] == b"\0" * 1024, f"{what}: no end of archive")
            self._tars[index] = data
        return self._tars[index]

    def strays(self):
        """Files of the layout that the image does not need."""
        wanted = {"oci-layout", "index.json"}
        for digest in (self.digest, self.manifest["config"]["digest"], *(layer["digest"] for layer in self.layers)):
            wanted.add(self.path(digest).relative_to(self.folder).as_posix())
        return sorted({path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*")
                       if not path.is_dir()} - wanted)

    def entries(self, index):
        return list(members(self.tar(index), f"layer {index}"))

    def file(self, name):
        """Content of a regular file in the topmost layer that has it; None when no layer has it."""
        found = None
        for index in range(len(self.layers)):
            with tarfile.open(fileobj=io.BytesIO(self.tar(index)), mode="r:") as archive:
                for entry in archive:
                    if entry.isreg() and "/" + entry.name.lstrip("/") == name:
                        found = archive.extractfile(entry).read()
        return found


def members(data, what):
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            yield from archive
    except tarfile.TarError as error:
        raise Malformed(f"{what}: {error}") from error


def listing(data, what="layer"):
    """Lines of "type mode uid:gid size name[ -> target]", as in the goldens."""
    lines = []
    for entry in members(data, what):
        size = entry.size if entry.isreg() else 0
        line = (f"{entry.type.decode()} {entry.mode:04o} {entry.uid}:{entry.gid} {size} "
                f"{entry.name.encode('utf-8', 'surrogateescape').decode('utf-8')}")
        if entry.issym() or entry.islnk():
            line += f" -> {entry.linkname}"
        lines.append(line)
    return lines


def only_descriptor(folder):
    folder = pathlib.Path(folder)
    layout = parse_json((folder / "oci-layout").read_bytes(), "oci-layout")
    need(layout == {"imageLayoutVersion": "1.0.0"}, f"oci-layout: {layout}")
    index = parse_json((folder / "index.json").read_bytes(), "index.json")
    need(index.get("schemaVersion") == 2, "index.json: schemaVersion is not 2")
    need(index.get("mediaType", "application/vnd.oci.image.index.v1+json")
         == "application/vnd.oci.image.index.v1+json", "index.json: media type")
    need(len(index["manifests"]) == 1, f"index.json: {len(index['manifests'])} manifests instead of one")
    descriptor = index["manifests"][0]
    need({"mediaType", "digest", "size"} <= set(descriptor), f"index.json: descriptor {descriptor}")
    return descriptor


def layer_media_types(folder):
    """Of the layout's only manifest, read without a look at configuration or layers."""
    digest = only_descriptor(folder)["digest"]
    manifest = parse_json((pathlib.Path(folder) / "blobs" / "sha256" / digest.split(":")[1]).read_bytes(), "manifest")
    return {layer["mediaType"] for layer in manifest["layers"]}


def labels_parsed(labels):
    """Labels that hold JSON objects become objects; the others stay strings."""
    parsed = {}
    for key, value in labels.items():
        need(isinstance(value, str), f"label {key}: not a string")
        parsed[key] = parse_json(value.encode(), f"label {key}") if value[:1] in "{[" else value
    return parsed


def facts(image, run_layers):
    """The image in the shape of goldens/expected: `layers` are those above the first `run_layers`."""
    config = json.loads(json.dumps(image.config))
    labels = config.get("config", {}).pop("Labels", None) or {}
    return {
        "image": {
            "manifest_media_type": image.manifest["mediaType"],
            "layer_media_types": sorted({layer["mediaType"] for layer in image.layers}),
            "config": config,
            "labels": labels_parsed(labels),
        },
        "layers": [
            {"diff_id": image.diff_ids[index], "size": len(image.tar(index)), "entries": listing(image.tar(index))}
            for index in range(run_layers, len(image.layers))
        ],
    }


# --- other people's readers -------------------------------------------------------------------------------------


def run(*command, timeout=120):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise Malformed(f"{command[0]} refuses: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def skopeo_copy(source, target):
    """Copies the only image of a layout with skopeo (`target` as folder[:tag]); returns the digest that it then has."""
    run("skopeo", "copy", "--quiet", "--insecure-policy", "--preserve-digests", f"oci:{source}", f"oci:{target}")
    return only_descriptor(str(target).rsplit(":", 1)[0] if ":" in str(target) else target)["digest"]


def skopeo_inspect(reference):
    return json.loads(run("skopeo", "inspect", "--no-tags", reference))


def skopeo_config(reference):
    return json.loads(run("skopeo", "inspect", "--config", "--no-tags", reference))


def umoci_unpack(source, scratch):
    """Unpacks the only image of a layout rootless with umoci; returns the root file system's folder."""
    scratch = pathlib.Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    skopeo_copy(source, f"{scratch / 'tagged'}:latest")
    run("umoci", "unpack", "--rootless", "--image", f"{scratch / 'tagged'}:latest", scratch / "bundle")
    shutil.rmtree(scratch / "tagged")
    return scratch / "bundle" / "rootfs"
