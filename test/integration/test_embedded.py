"""The embedded builder: made of Debian packages once, then a Python application built, served, and built again.

Needs Debian's mirror and the Python package index, as `make quickstart` does. The builder is kept in the build folder.
"""

import gzip
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import tarfile
import urllib.request

import pytest
from program import REPOSITORY, build_folder, environment, finish, wait_until

EXAMPLE = REPOSITORY / "examples" / "python-web"
MAKING_TAKES = 900  # seconds, on a machine that does other things as well
PROXIES = {name: value for name, value in os.environ.items() if name.lower() in ("http_proxy", "https_proxy", "no_proxy")}


@pytest.fixture(scope="session")
def store(program, root):
    """A store with the embedded builder in it."""
    folder = build_folder() / "embedded-store"
    scratch = folder.parent / "embedded-scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "tmp").mkdir(parents=True)
    result = program.run("build", EXAMPLE, "--store", folder, "--output", f"oci:{scratch}/image", "--cache-dir",
                         scratch / "cache", env={**environment(scratch), **PROXIES}, timeout=MAKING_TAKES)
    shutil.rmtree(scratch)
    assert result.exit == 0, result
    return folder


class Shop:
    """Builds of one application with the embedded builder."""

    def __init__(self, bench, store):
        self.bench = bench
        self.store = store
        self.app = bench.folder / "app"
        shutil.copytree(EXAMPLE, self.app)

    def run(self, *more, cache=None):
        arguments = ["build", self.app, "--store", self.store, "--output", f"oci:{self.bench.out}", "--cache-dir",
                     cache or self.bench.cache, "--report", self.bench.report, *more]
        return self.bench.program.run(*arguments, env=self.bench.env(**PROXIES), timeout=300)

    def build(self, *more, cache=None):
        """The digest, the log and the report of a build that must succeed."""
        result = self.run(*more, cache=cache)
        assert result.exit == 0, result
        return result.stdout.strip().split("@")[1], result.stderr, self.bench.read_report()

    def start(self, *arguments):
        return self.bench.program.start("run", f"oci:{self.bench.out}", "--store", self.store, *arguments, env=self.bench.env())


@pytest.fixture
def shop(bench, store):
    return Shop(bench, store)


def layers(report, where="image"):
    return {layer["name"]: layer["how"] for layer in report["layers"] if layer["where"] == where}


VENV = "ci-image-builder/python:venv"


def test_the_web_process_serves_its_page_and_stops_when_it_is_told(shop):
    shop.build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = shop.start("--process", "web", "--env", f"PORT={port}", "--env", "HOST=127.0.0.1")

    def answers():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answers.page = opener.open(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
        except OSError:
            return False
        return True

    try:
        wait_until(answers, "an answer", process=process)
    finally:
        process.send_signal(signal.SIGTERM)
    assert "user 1002, in /workspace" in answers.page
    assert finish(process, 10).exit == 143


def test_the_second_process_of_the_procfile_runs_too(shop):
    shop.build()
    process = shop.start("--process", "worker")
    line = process.stdout.readline().decode()
    process.send_signal(signal.SIGTERM)
    finish(process, 10)
    assert line == "worker: round 1\n"


def test_run_gives_the_exit_code_and_the_output_of_the_process(shop):
    shop.build()
    result = finish(shop.start("--entrypoint", "sh", "--env", "X=7", "--", "-c", "echo $X in $PWD as $(id -u); exit 5"), 60)
    assert (result.exit, result.stdout) == (5, "7 in /workspace as 1002\n"), result


def test_run_says_which_processes_there_are(shop):
    shop.build()
    result = finish(shop.start("--process", "wroker"), 60)
    assert result.exit == 82, result
    assert 'has no process "wroker" (did you mean "worker"?)' in result.stderr, result
    assert "next: name one with --process: " in result.stderr and "web" in result.stderr, result
    result = finish(shop.start("--process", "web", "--entrypoint", "sh"), 60)
    assert result.exit == 2 and "contradict each other" in result.stderr, result


def test_unchanged_requirements_are_reused_without_looking(shop):
    first, _, _ = shop.build()
    second, log, report = shop.build()
    assert second == first
    assert "reused: requirements.txt unchanged" in log and "pip install" not in log
    assert layers(report)[VENV] == "reused"
    assert set(layers(report).values()) <= {"reused", "same"}


def test_the_application_may_change_without_its_requirements(shop):
    shop.build()
    (shop.app / "app.py").write_text((shop.app / "app.py").read_text() + "\n# changed\n")
    _, log, report = shop.build()
    assert "pip install" not in log
    assert layers(report)[VENV] == "reused"
    assert layers(report)["application"] == "fresh"


def test_changed_requirements_are_installed(shop):
    shop.build()
    (shop.app / "requirements.txt").write_text("bottle==0.13.3\n")
    _, log, report = shop.build()
    assert "Successfully installed bottle-0.13.3" in log
    assert layers(report)[VENV] == "fresh"
    assert finish(shop.start("--entrypoint", "/cnb/lifecycle/launcher", "--", "python", "-c",
                             "import bottle; print(bottle.__version__)"), 60).stdout == "0.13.3\n"


def test_two_builds_from_nothing_are_equal(shop):
    first, _, _ = shop.build()
    shutil.rmtree(shop.bench.out)
    second, log, _ = shop.build(cache=shop.bench.folder / "empty")
    assert "pip install" in log
    assert second == first


def test_bytecode_is_part_of_the_image_and_valid(shop):
    shop.build()
    check = ("import bottle, importlib.util as u, struct; head = open(bottle.__cached__, 'rb').read(16);"
             "print(head[:4] == u.MAGIC_NUMBER, struct.unpack('<I', head[4:8])[0])")
    result = finish(shop.start("--entrypoint", "/cnb/lifecycle/launcher", "--", "python", "-c", check), 60)
    assert result.stdout == "True 1\n", result  # 1: told by its hash, which nobody checks


def test_a_python_that_is_not_there_is_an_error_that_says_what_is(shop):
    (shop.app / "runtime.txt").write_text("python-3.12.4\n")
    result = shop.run()
    assert result.exit == 51, result
    assert "Python 3.12.4 from runtime.txt is not available: this builder has Python 3.11" in result.stderr


def test_another_patch_level_is_only_a_warning(shop):
    (shop.app / "runtime.txt").write_text("python-3.11.99\n")
    _, log, _ = shop.build()
    assert "WARNING: Python 3.11.99 from runtime.txt is not available" in log


def test_the_version_may_come_from_the_build_environment(shop):
    result = shop.run("--env", "BP_CPYTHON_VERSION=3.13.*")
    assert result.exit == 51, result
    assert "Python 3.13.* from BP_CPYTHON_VERSION" in result.stderr


def test_a_package_that_does_not_exist_is_shown_as_pip_says_it(shop):
    (shop.app / "requirements.txt").write_text("bottle==0.0.0.0.1\n")
    result = shop.run()
    assert result.exit == 51, result
    assert "No matching distribution found for bottle==0.0.0.0.1" in result.stderr


def test_an_application_with_pyproject_toml_is_installed_itself(shop):
    (shop.app / "requirements.txt").unlink()
    (shop.app / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=68"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "shop"\nversion = "1.0"\nrequires-python = ">=3.10"\n[tool.setuptools]\npy-modules = ["app"]\n'
        '[project.scripts]\nhello-shop = "app:hello"\n')
    (shop.app / "app.py").write_text("def hello():\n    print('hello from the shop')\n")
    shop.build()
    result = finish(shop.start("--entrypoint", "/cnb/lifecycle/launcher", "--", "hello-shop"), 60)
    assert result.stdout == "hello from the shop\n", result
    # Its own code is part of the layer: another one is another layer.
    (shop.app / "app.py").write_text("def hello():\n    print('changed')\n")
    _, _, report = shop.build()
    assert layers(report)[VENV] == "fresh"


def test_the_bill_of_materials_names_what_was_installed(shop):
    shop.build()
    result = finish(shop.start("--entrypoint", "cat", "--", "/layers/sbom/launch/ci-image-builder_python/venv/sbom.cdx.json"), 60)
    components = json.loads(result.stdout)["components"]
    assert [component["purl"] for component in components] == ["pkg:pypi/bottle@0.13.2"]


# --- the builder itself


class Layout:
    def __init__(self, folder):
        self.folder = folder
        index = json.loads((folder / "index.json").read_text())
        self.manifest = self.json(index["manifests"][0]["digest"])
        self.config = self.json(self.manifest["config"]["digest"])

    def blob(self, digest):
        return self.folder / "blobs" / digest.replace(":", "/")

    def json(self, digest):
        return json.loads(self.blob(digest).read_bytes())

    def layer(self, number):
        with gzip.open(self.blob(self.manifest["layers"][number]["digest"])) as stream:
            return tarfile.open(fileobj=io.BytesIO(stream.read()))


@pytest.fixture(scope="session")
def made(store):
    folders = [folder for folder in (store / "builders").iterdir() if (folder / "builder" / "index.json").exists()]
    newest = max(folders, key=lambda folder: folder.stat().st_mtime)
    return Layout(newest / "builder"), Layout(newest / "run")


def test_build_and_run_image_share_their_lower_layer(made):
    builder, run = made
    assert builder.config["rootfs"]["diff_ids"][0] == run.config["rootfs"]["diff_ids"][0]
    assert len(run.config["rootfs"]["diff_ids"]) == 1
    assert builder.config["config"]["User"] == "1001:1000"
    assert run.config["config"]["User"] == "1002:1000"
    assert run.config["config"]["Labels"]["io.buildpacks.base.distro.name"] == "debian"


def test_nothing_of_the_machine_is_in_the_images(made):
    builder, _ = made
    hosts = set()
    sources = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    for source in sources:
        if source.is_file():
            for word in source.read_text().replace("//", " ").replace("/", " ").split():
                if "." in word and not word.endswith(("debian.org", ".gpg", ".asc")) and word.replace(".", "").isalnum():
                    hosts.add(word.encode())
    hosts.add(socket.gethostname().encode())
    for number in (0, 1):
        with builder.layer(number) as tar:
            for entry in tar:
                assert not entry.name.startswith(("var/cache/apt/", "var/lib/apt/lists/", "tmp/", "run/", "dev/")), entry.name
                assert entry.name not in ("etc/resolv.conf", "etc/hostname", "etc/hosts", "etc/machine-id"), entry.name
                assert not (entry.isfile() and entry.name.startswith("var/log/")), entry.name
                if entry.isfile() and entry.name.startswith(("etc/apt/", "etc/dpkg/")):
                    text = tar.extractfile(entry).read()
                    assert not [host for host in hosts if len(host) > 3 and host in text], entry.name


def test_files_keep_the_times_that_pythons_bytecode_was_made_for(made):
    builder, _ = made
    with builder.layer(0) as tar:
        source = tar.getmember("usr/lib/python3.11/json/decoder.py")
        compiled = tar.extractfile("usr/lib/python3.11/json/__pycache__/decoder.cpython-311.pyc").read()
    assert int.from_bytes(compiled[8:12], "little") == source.mtime


def test_the_upper_layer_holds_nothing_twice(made):
    builder, _ = made
    with builder.layer(0) as below, builder.layer(1) as above:
        lower = {entry.name: (entry.size, entry.mtime, entry.mode) for entry in below if entry.isfile()}
        twice = [entry.name for entry in above if entry.isfile() and lower.get(entry.name) == (entry.size, entry.mtime, entry.mode)
                 and entry.mtime != 315532801]
    assert twice == []


def test_an_equal_builder_is_not_made_of_packages_again(made, bench):
    """The same definition, from the files of this checkout, over what was made before."""
    builder, run = made
    for layout, name in ((builder, "builder"), (run, "run")):
        shutil.copytree(layout.folder, bench.folder / name)
    create = ["builder", "create", "--config", REPOSITORY / "builders" / "embedded" / "builder.toml", "--output",
              f"oci:{bench.folder}/builder", "--run-output", f"oci:{bench.folder}/run"]
    result = bench.program.run(*create, env=bench.env(), timeout=120)
    assert result.exit == 0, result
    assert "installing" not in result.stderr
    assert Layout(bench.folder / "builder").config["rootfs"]["diff_ids"][:7] == builder.config["rootfs"]["diff_ids"][:7]
    again = bench.program.run(*create, env=bench.env(), timeout=120)
    assert again.stdout == result.stdout


def test_without_mmdebstrap_the_error_says_what_to_install(bench):
    (bench.folder / "bin").mkdir()
    result = bench.program.run("builder", "create", "--config", REPOSITORY / "builders" / "embedded" / "builder.toml",
                               "--output", f"oci:{bench.out}", env={**bench.env(), "PATH": str(bench.folder / "bin")}, timeout=60)
    assert result.exit == 78, result
    assert "apt-get install mmdebstrap" in result.stderr
    assert not bench.out.exists()


def test_a_debian_package_that_does_not_exist_is_named(bench, root):
    definition = bench.folder / "builder.toml"
    definition.write_text('[[buildpacks]]\nuri = "%s"\n[[order]]\n[[order.group]]\nid = "ci-image-builder/procfile"\n'
                          '[build.debian]\nsuite = "bookworm"\npackages = ["no-such-package-at-all"]\n'
                          '[[run.images]]\nimage = "run"\n' % (REPOSITORY / "buildpacks" / "procfile"))
    result = bench.program.run("builder", "create", "--config", definition, "--output", f"oci:{bench.out}",
                               env={**bench.env(), **PROXIES}, timeout=MAKING_TAKES)
    assert result.exit == 78, result
    assert "Unable to locate package no-such-package-at-all" in result.stderr
    assert not bench.out.exists()


def test_an_installation_that_is_cancelled_leaves_nothing(bench, root):
    definition = REPOSITORY / "builders" / "embedded" / "builder.toml"
    process = bench.program.start("builder", "create", "--config", definition, "--output", f"oci:{bench.out}", "--run-output",
                                  f"oci:{bench.folder}/run", env={**bench.env(), **PROXIES})
    said = b""
    while b"extracting" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGTERM)
    assert finish(process, 60).exit == 143
    assert not bench.out.exists() and not (bench.folder / "run").exists()
    # Mounts, processes and temporary files: the bench looks for them.
