"""Composes builder images (and any other image the tests need) as OCI layouts, from nothing but the standard library.

Everything is deterministic: the same call gives the same bytes. Nothing here shares code with the program under test.
"""

import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
GOLDENS = HERE / "goldens"
BUSYBOX = pathlib.Path("/bin/busybox")
CNB_UID = 1001
CNB_GID = 1000
MTIME = 315532801  # 1980-01-01T00:00:01Z, the time that builders are made at

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"

SUPPORTED_BUILDPACK_APIS = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12"]
SUPPORTED_PLATFORM_APIS = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14", "0.15"]


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def to_json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Layer:
    """One layer in the making. Names are written exactly as given, hostile ones too."""

    def __init__(self):
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)
        self._bytes = None

    def _add(self, name, kind, mode, uid, gid, data=None, link=""):
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.mode = mode
        entry.uid = uid
        entry.gid = gid
        entry.mtime = MTIME
        entry.linkname = link
        entry.size = len(data) if data is not None else 0
        self._tar.addfile(entry, io.BytesIO(data) if data is not None else None)
        return self

    def folder(self, name, mode=0o755, uid=0, gid=0):
        return self._add(name, tarfile.DIRTYPE, mode, uid, gid)

    def file(self, name, data, mode=0o644, uid=0, gid=0):
        return self._add(name, tarfile.REGTYPE, mode, uid, gid, data if isinstance(data, bytes) else data.encode())

    def symlink(self, name, target, mode=0o777, uid=0, gid=0):
        return self._add(name, tarfile.SYMTYPE, mode, uid, gid, link=target)

    def hardlink(self, name, target, mode=0o644, uid=0, gid=0):
        return self._add(name, tarfile.LNKTYPE, mode, uid, gid, link=target)

    def tar(self):
        if self._bytes is None:
            # Two zero blocks and no padding to 10 KiB, as image builders write it.
            self._bytes = self._buffer.getvalue()[: self._tar.offset] + b"\0" * 1024
            self._tar.close()
        return self._bytes

    def diff_id(self):
        return sha256(self.tar())


class Image:
    """An image in the making: layers as (tar bytes, blob bytes), a configuration, and a layout to put them in."""

    def __init__(self, config=None, labels=None, architecture="amd64"):
        self.config = dict(config or {})
        self.labels = dict(labels or {})
        self.architecture = architecture
        self.layers = []  # (diff_id, blob bytes, created_by)

    def add(self, layer, created_by="fixture"):
        tar = layer if isinstance(layer, bytes) else layer.tar()
        self.layers.append((sha256(tar), compress(tar), created_by))
        return sha256(tar)

    def write(self, folder, reference=None):
        """Writes the layout and returns the manifest's digest."""
        folder = pathlib.Path(folder)
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)

        def put(data):
            digest = sha256(data)
            path = blobs / digest.split(":")[1]
            if not path.exists():
                path.write_bytes(data)
            return digest

        layers = [
            {"mediaType": OCI_LAYER_GZIP, "digest": put(blob), "size": len(blob)} for _, blob, _ in self.layers
        ]
        config = to_json(
            {
                "created": "1980-01-01T00:00:01Z",
                "architecture": self.architecture,
                "os": "linux",
                "config": {**self.config, "Labels": {k: label(v) for k, v in self.labels.items()}},
                "rootfs": {"type": "layers", "diff_ids": [diff_id for diff_id, _, _ in self.layers]},
                "history": [
                    {"created": "1980-01-01T00:00:01Z", "created_by": created_by} for _, _, created_by in self.layers
                ],
            }
        )
        manifest = to_json(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "digest": put(config), "size": len(config)},
                "layers": layers,
            }
        )
        descriptor = {"mediaType": OCI_MANIFEST, "digest": put(manifest), "size": len(manifest)}
        if reference:
            descriptor["annotations"] = {"org.opencontainers.image.ref.name": reference}
        (folder / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))
        (folder / "index.json").write_bytes(
            to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor]})
        )
        return sha256(manifest)


def label(value):
    return value if isinstance(value, str) else to_json(value).decode()


def compress(tar):
    # The layers that every builder has are compressed once; large ones are not worth the memory.
    return _compress_kept(tar) if len(tar) < 8_000_000 else gzip.compress(tar, compresslevel=1, mtime=0)


@functools.lru_cache(maxsize=256)
def _compress_kept(tar):
    return gzip.compress(tar, compresslevel=6, mtime=0)


# --- buildpacks ---------------------------------------------------------------------------------------------


class Buildpack:
    """A buildpack as its files: relative name -> (bytes, mode). buildpack.toml is one of them."""

    def __init__(self, files):
        self.files = files
        self.toml = tomllib.loads(files["buildpack.toml"][0].decode())
        self.id = self.toml["buildpack"]["id"]
        self.version = self.toml["buildpack"]["version"]

    @staticmethod
    def read(folder):
        folder = pathlib.Path(folder)
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                files[name] = (path.read_bytes(), 0o755 if name.startswith("bin/") else 0o644)
        return Buildpack(files)

    @staticmethod
    def script(id, build="", detect="", version="1.0.0", api="0.10", shell="/bin/sh", toml=""):
        """A buildpack of two shell scripts, for tests that need a special one."""
        head = f"#!{shell}\nset -eu\numask 022\n"
        text = f'api = "{api}"\n\n[buildpack]\nid = "{id}"\nversion = "{version}"\n\n[[targets]]\nos = "linux"\n' + toml
        return Buildpack(
            {
                "bin/build": ((head + build + "\n").encode(), 0o755),
                "bin/detect": ((head + detect + "\n").encode(), 0o755),
                "buildpack.toml": (text.encode(), 0o644),
            }
        )

    def write(self, folder):
        """The buildpack as a folder, for `--buildpack FOLDER`."""
        for name, (data, mode) in self.files.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(mode)
        return pathlib.Path(folder)

    @property
    def root(self):
        return f"/cnb/buildpacks/{self.id.replace('/', '_')}/{self.version}"

    def layer(self):
        """Absolute names, parents first: the way builders are made in the field."""
        layer = Layer()
        layer.folder("/cnb").folder("/cnb/buildpacks")
        layer.folder(os.path.dirname(self.root)).folder(self.root)
        folders = set()
        for name in sorted(self.files):
            for parent in reversed(pathlib.PurePosixPath(name).parents[:-1]):
                if parent not in folders:
                    folders.add(parent)
                    layer.folder(f"{self.root}/{parent}")
            data, mode = self.files[name]
            layer.file(f"{self.root}/{name}", data, mode)
        return layer

    def entry(self, diff_id):
        """What the label io.buildpacks.buildpack.layers says of it."""
        described = self.toml["buildpack"]
        entry = {"api": self.toml["api"], "layerDiffID": diff_id}
        for key in ("name", "homepage"):
            if key in described:
                entry[key] = described[key]
        for key in ("targets", "stacks", "order"):
            if key in self.toml:
                entry[key] = self.toml[key]
        return entry


@functools.lru_cache(maxsize=1)
def golden_buildpacks():
    return tuple(Buildpack.read(folder) for folder in sorted((GOLDENS / "buildpacks").iterdir()))


# --- the builder --------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def busybox_applets():
    done = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True, timeout=60)
    return tuple(name for name in done.stdout.split() if name != "busybox")


@functools.lru_cache(maxsize=4)
def base_layer(bin_folder="/bin"):
    """busybox and its applets, accounts, and the folders that a build needs. Relative names, as engines write them."""
    layer = Layer()
    made = set()

    def folders(path):
        for parent in [*reversed(pathlib.PurePosixPath(path).parents), pathlib.PurePosixPath(path)]:
            name = str(parent).strip("/")
            if name and name not in made:
                made.add(name)
                layer.folder(name)

    folders(bin_folder)
    place = bin_folder.strip("/")
    layer.file(f"{place}/busybox", BUSYBOX.read_bytes(), 0o755)
    for applet in busybox_applets():
        layer.symlink(f"{place}/{applet}", "busybox")
    folders("/etc")
    layer.file("etc/passwd", f"root:x:0:0:root:/root:{bin_folder}/sh\n"
                             f"cnb:x:{CNB_UID}:{CNB_GID}:cnb:/home/cnb:{bin_folder}/sh\n")
    layer.file("etc/group", f"root:x:0:\ncnb:x:{CNB_GID}:\n")
    folders("/home")
    layer.folder("home/cnb", 0o755, CNB_UID, CNB_GID)
    layer.folder("root", 0o700)
    layer.folder("tmp", 0o1777)
    layer.tar()
    return layer


def folders_layer():
    layer = Layer()
    for name in ("/workspace", "/layers"):
        layer.folder(name, 0o755, CNB_UID, CNB_GID)
    for name in ("/cnb", "/cnb/buildpacks", "/platform", "/platform/env"):
        layer.folder(name)
    return layer


def launcher_layer(launcher=None):
    data = launcher if launcher is not None else (GOLDENS / "launcher").read_bytes()
    return (
        Layer().folder("/cnb").folder("/cnb/lifecycle").file("/cnb/lifecycle/launcher", data, 0o755)
    )


def order_toml(order):
    text = ""
    for group in order:
        text += "[[order]]\n"
        for element in group:
            text += "[[order.group]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in element.items())
    return text


def label_order(order):
    return [{"group": list(group)} for group in order]


def golden_builder(order, buildpacks=(), base=(), bin_folder="/bin", launcher=None):
    """The builder of goldens/README.md as an Image: add to it, bend it, then `.write(folder)`.

    order       list of groups, each a list of {"id", "version", "optional"?}
    buildpacks  more Buildpacks beside the golden ones
    base        more Layers directly above the base layer
    """
    image = Image(
        config={
            "Env": [f"PATH={bin_folder}", f"CNB_USER_ID={CNB_UID}", f"CNB_GROUP_ID={CNB_GID}"],
            "User": f"{CNB_UID}:{CNB_GID}",
            "WorkingDir": "/layers",
        }
    )
    image.add(base_layer(bin_folder), "base")
    for layer in base:
        image.add(layer, "more of the base")
    image.add(folders_layer(), "folders")
    image.add(launcher_layer(launcher), "lifecycle")

    every = [*golden_buildpacks(), *buildpacks]
    layers = {}
    for buildpack in every:
        diff_id = image.add(buildpack.layer(), f"buildpack {buildpack.id}@{buildpack.version}")
        layers.setdefault(buildpack.id, {})[buildpack.version] = buildpack.entry(diff_id)
    image.add(Layer().folder("/cnb").file("/cnb/order.toml", order_toml(order)), "order")

    image.labels = {
        "io.buildpacks.builder.metadata": {
            "description": "goldens",
            "buildpacks": [{"id": buildpack.id, "version": buildpack.version} for buildpack in every],
            "stack": {"runImage": {"image": "", "mirrors": None}},
            "lifecycle": {
                "version": "0.21.17",
                "api": {"buildpack": "0.7", "platform": "0.7"},
                "apis": {
                    "buildpack": {"deprecated": [], "supported": SUPPORTED_BUILDPACK_APIS},
                    "platform": {"deprecated": [], "supported": SUPPORTED_PLATFORM_APIS},
                },
            },
            "createdBy": {"name": "goldens", "version": "1"},
            "images": [],
        },
        "io.buildpacks.buildpack.order": label_order(order),
        "io.buildpacks.buildpack.layers": layers,
        "io.buildpacks.stack.id": "golden.stack",
    }
    return image


def one_group(*ids):
    """An order of one group: one_group("golden/kinds") or one_group("golden/kinds@1.0.0")."""
    group = []
    for name in ids:
        id, _, version = name.partition("@")
        group.append({"id": id, "version": version or "1.0.0"})
    return [group]


def kinds_builder():
    return golden_builder(one_group("golden/kinds"))
