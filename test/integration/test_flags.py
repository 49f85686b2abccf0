"""What the flags of build do, each seen from inside a buildpack or in the image."""

import subprocess
import tarfile
import time

import builder
import golden_run
import oci_reader
import pytest

ROOTFS = ["overlay", "flat"]


def record(what):
    """A buildpack that writes what it sees into /layers/golden_see/seen/what."""
    return builder.Buildpack.script(
        "golden/see",
        'mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"\n' f'( {what} ) > "$1/seen/what" 2>&1')


def seen(bench, what, *arguments, order=None, base=(), **options):
    image = builder.golden_builder(order or builder.one_group("golden/see"), [record(what)], base=base)
    return bench.built(bench.builder(image), *arguments, **options).file("/layers/golden_see/seen/what").decode()


# --- buildpacks -----------------------------------------------------------------------------------------------


OWN = builder.Buildpack.script("golden/own", 'mkdir -p "$1/l"; printf "[types]\\nlaunch = true\\n" > "$1/l.toml"; echo own > "$1/l/f"')


def group_of(bench):
    return [(element["id"], element["version"]) for element in bench.read_report()["group"]["group"]]


@pytest.mark.parametrize("name", ["golden/kinds", "golden/kinds@1.0.0"])
def test_a_buildpack_of_the_builder(bench, name):
    """Named buildpacks replace the builder's order."""
    bench.built(bench.builder(builder.golden_builder(builder.one_group("golden/breaks"))), "--buildpack", name)
    assert group_of(bench) == [("golden/kinds", "1.0.0")]


def test_several_buildpacks_in_the_order_given(bench):
    bench.built(bench.builder(builder.kinds_builder()), "--buildpack", "golden/names", "--buildpack", "golden/kinds")
    assert group_of(bench) == [("golden/names", "1.0.0"), ("golden/kinds", "1.0.0")]


def packed(bench, kind):
    folder = OWN.write(bench.folder / "own")
    if kind == "folder":
        return folder
    archive = bench.folder / ("own.tgz" if kind == "tgz" else "own.tar")
    with tarfile.open(archive, "w:gz" if kind == "tgz" else "w") as tar:
        tar.add(folder, "." if kind == "tar with a dot" else "")
    return archive


@pytest.mark.parametrize("rootfs", ROOTFS)
@pytest.mark.parametrize("kind", ["folder", "tgz", "tar", "tar with a dot"])
def test_a_buildpack_of_ones_own(bench, kind, rootfs):
    image = bench.built(bench.builder(builder.kinds_builder()), "--buildpack", packed(bench, kind),
                        "--buildpack", "golden/kinds", rootfs=rootfs)
    assert group_of(bench) == [("golden/own", "1.0.0"), ("golden/kinds", "1.0.0")]
    assert image.file("/layers/golden_own/l/f") == b"own\n"


def test_a_buildpack_of_ones_own_stands_in_for_the_builders(bench):
    folder = builder.Buildpack.script("golden/kinds", 'mkdir -p "$1/l"; printf "[types]\\nlaunch = true\\n" > "$1/l.toml"; '
                                      'echo mine > "$1/l/f"').write(bench.folder / "mine")
    image = bench.built(bench.builder(builder.kinds_builder()), "--buildpack", folder)
    assert image.file("/layers/golden_kinds/l/f") == b"mine\n"
    assert image.file("/layers/golden_kinds/all/env.launch/RUNS.override") is None


def test_a_composite_buildpack_of_the_builder(bench):
    bench.built(bench.builder(builder.golden_builder(builder.one_group("golden/breaks"))), "--buildpack", "golden/composite")
    assert group_of(bench) == [("golden/kinds", "1.0.0")]


# --- environment ------------------------------------------------------------------------------------------------


def test_env_in_all_its_forms(bench):
    (bench.folder / "one.env").write_text("# a comment\nFROM_FILE=from file\nBOTH=file\n\nINHERITED\nEMPTY=\n")
    (bench.folder / "two.env").write_text("SECOND=x=y\nFROM_HOST=overruled\n")
    what = "for n in FROM_FILE BOTH INHERITED EMPTY SECOND FROM_HOST GIVEN UNSET; do eval \"echo $n=\\${$n-unset}\"; done"
    text = seen(bench, what, "--env-file", bench.folder / "one.env", "--env-file", bench.folder / "two.env",
                "--env", "BOTH=flag", "--env", "FROM_HOST", "--env", "GIVEN=a b$c", "--env", "UNSET",
                env={"INHERITED": "from the host", "FROM_HOST": "host", "NOT_ASKED_FOR": "x"})
    assert text.splitlines() == ["FROM_FILE=from file", "BOTH=flag", "INHERITED=from the host", "EMPTY=",
                                 "SECOND=x=y", "FROM_HOST=host", "GIVEN=a b$c", "UNSET="]


def test_nothing_of_the_callers_environment_reaches_a_buildpack(bench):
    text = seen(bench, "env", env={"AWS_SECRET_ACCESS_KEY": "golden-credential", "LD_PRELOAD_X": "x", "CIB_STORE": "/x"})
    assert "golden-credential" not in text
    names = {line.split("=", 1)[0] for line in text.splitlines() if "=" in line}
    allowed = {"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "HOSTNAME", "CNB_BUILDPACK_DIR", "CNB_PLATFORM_DIR",
               "CNB_BP_PLAN_PATH", "CNB_LAYERS_DIR", "CNB_TARGET_OS", "CNB_TARGET_ARCH", "CNB_TARGET_DISTRO_NAME",
               "CNB_TARGET_DISTRO_VERSION", "CNB_STACK_ID", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "_"}
    assert names <= allowed, names - allowed


def test_env_is_not_in_the_image(bench):
    image = bench.built(bench.builder(builder.kinds_builder()), "--env", "TOKEN=golden-secret-value")
    assert b"golden-secret-value" not in image.config_bytes + image.manifest_bytes
    for index in range(len(image.layers)):
        assert b"golden-secret-value" not in image.tar(index)


# --- the inside -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_a_read_only_volume(bench, rootfs):
    data = bench.folder / "data"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    (data / "file").write_text("from the host\n")
    what = "cat /data/file; echo x > /data/new && echo written || echo refused; rm -f /data/file || true; ls /data"
    text = seen(bench, what, "--volume", f"{data}:/data", rootfs=rootfs)
    assert "from the host\n" in text and "refused" in text and text.endswith("file\n")
    assert [path.name for path in data.iterdir()] == ["file"]


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_a_writable_volume(bench, rootfs):
    data = bench.folder / "data"
    data.mkdir()
    data.chmod(0o777)
    seen(bench, "echo made > /data/new; mkdir /data/folder", "--volume", f"{data}:/data:rw", rootfs=rootfs)
    assert (data / "new").read_text() == "made\n" and (data / "folder").is_dir()


def test_a_volume_is_seen_in_detection_too(bench):
    data = bench.folder / "data"
    data.mkdir(mode=0o755)
    (data / "file").write_text("x")
    pack = builder.Buildpack.script("golden/wants", detect="test -f /data/file || exit 100")
    reference = bench.builder(builder.golden_builder(builder.one_group("golden/wants"), [pack]))
    assert bench.build(reference).exit == 20
    bench.built(reference, "--volume", f"{data}:/data:ro")


NETWORK = "ip -o link | sed 's/^[0-9]*: \\([a-z0-9]*\\).*/\\1/' | sort; nc -w 5 127.0.0.1 {port} < /dev/null || echo unreachable"


@pytest.mark.parametrize("network, reached", [("host", True), ("none", False)])
def test_network(bench, network, reached):
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            try:
                while True:
                    connection, _ = server.accept()
                    connection.sendall(b"hello from the host\n")
                    connection.close()
            except OSError:
                pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        text = seen(bench, NETWORK.format(port=server.getsockname()[1]), "--network", network)
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)
    assert ("hello from the host" in text) is reached, text
    assert ("unreachable" in text) is not reached, text
    if not reached:
        assert [line for line in text.splitlines() if line not in ("lo", "unreachable") and "refused" not in line
                and "can't" not in line] == [], text


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_what_buildpacks_need_is_there(bench, rootfs):
    what = """
      for f in null zero random urandom tty; do test -c /dev/$f && echo $f; done
      test -e /dev/fd/0 && echo fd; test -r /proc/self/status && echo proc; test -e /etc/resolv.conf && echo resolv
      test -e /etc/hosts && echo hosts; echo x > /tmp/x && echo tmp; echo x > $HOME/x && echo home $HOME; umask; pwd; id -u; id -g
      readlink /proc/self/fd/0; mkfifo /tmp/p && echo fifo; echo x > /dev/shm/x 2>/dev/null && echo shm || echo no shm
    """
    text = seen(bench, what, rootfs=rootfs).split("\n")
    assert text[:10] == ["null", "zero", "random", "urandom", "tty", "fd", "proc", "resolv", "hosts", "tmp"], text
    assert text[10:16] == ["home /home/cnb", "0022", "/workspace", "1001", "1000", "/dev/null"], text


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_what_buildpacks_must_not_have_is_not_there(bench, rootfs):
    """No privilege to gain, nothing of the machine to read, no place to write but their own."""
    what = f"""
      grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status
      for f in /cnb/order.toml /etc/passwd /bin/x /cnb/buildpacks/x /x /platform/env/X; do echo x 2>/dev/null > $f && echo "wrote $f"; done
      ls {bench.folder} 2>/dev/null && echo "saw the machine"
      ls -d /proc/[0-9]* | wc -l; mount -t tmpfs x /tmp 2>/dev/null && echo mounted
      unshare -U true 2>/dev/null && echo "made a user namespace"; ls /proc/self/fd | wc -l; cat /proc/1/environ 2>/dev/null | head -c 300
      mknod /tmp/null c 1 3 2>/dev/null && echo "made a device"; chroot / true 2>/dev/null && echo "chrooted"
      cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; dmesg 2>/dev/null | head -1; echo end
    """
    text = seen(bench, what, rootfs=rootfs, env={"SECRET_OF_CALLER": "golden-credential"})
    status = dict(line.replace(":", "").split()[:2] for line in text.splitlines() if line.startswith(("Cap", "NoNew", "Secc")))
    assert {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {"CapEff": 0, "CapPrm": 0, "CapAmb": 0}, text
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", text
    for word in ("wrote ", "saw the machine", "mounted", "made a", "chrooted", "golden-credential"):
        assert word not in text, text
    assert text.rstrip().endswith("end")


@pytest.mark.parametrize("rootfs", ROOTFS)
def test_a_buildpack_sees_no_processes_of_the_machine(bench, rootfs):
    sleeper = subprocess.Popen(["sleep", "87654987"])
    try:
        text = seen(bench, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", rootfs=rootfs)
    finally:
        sleeper.kill()
        sleeper.wait(timeout=30)
    assert "87654987" not in text
    assert "ci-image-builder" not in text or str(bench.folder) not in text, text


# --- the image --------------------------------------------------------------------------------------------------


def test_creation_time_now(bench):
    before = int(time.time())
    image = bench.built(bench.builder(builder.kinds_builder()), "--creation-time", "now")
    created = time.strptime(image.config["created"], "%Y-%m-%dT%H:%M:%SZ")
    import calendar

    assert before <= calendar.timegm(created) <= time.time()
    assert {entry["created"] for entry in image.config["history"]} == {image.config["created"]}


def test_source_date_epoch_of_the_environment(bench):
    result = bench.build(bench.builder(builder.kinds_builder()), env={"SOURCE_DATE_EPOCH": "1641359105"})
    differences, _ = golden_run.compare(bench, result, golden_run.read_expected("epoch")[0])
    assert not differences, "\n".join(differences)


def test_the_default_process_is_the_entrypoint(bench):
    image = bench.built(bench.builder(builder.kinds_builder()), "--default-process", "worker.v2")
    assert image.config["config"]["Entrypoint"] == ["/cnb/process/worker.v2"]


def test_without_a_cache_folder_the_build_still_works(bench):
    arguments = bench.arguments(bench.builder(builder.kinds_builder()))
    place = arguments.index("--cache-dir")
    del arguments[place: place + 2]
    result = bench.program.run(*arguments, env=bench.env())
    assert result.exit == 0, result
    expected = golden_run.read_expected("kinds")[0]["image"]["config"]["rootfs"]["diff_ids"]
    assert oci_reader.Image(bench.out).diff_ids == expected


def test_the_run_image_of_the_builder_is_used_when_none_is_named(bench):
    """A builder in a layout may name a run image in a layout."""
    image = builder.kinds_builder()
    name = f"oci:{builder.GOLDENS / 'run-images' / 'plain'}"
    image.labels["io.buildpacks.builder.metadata"]["stack"]["runImage"]["image"] = name
    image.labels["io.buildpacks.builder.metadata"]["images"] = [{"image": name, "mirrors": None}]
    arguments = bench.arguments(bench.builder(image))
    place = arguments.index("--run-image")
    del arguments[place: place + 2]
    result = bench.program.run(*arguments, env=bench.env())
    assert result.exit == 0, result
    assert oci_reader.Image(bench.out).diff_ids[:2] == oci_reader.Image(builder.GOLDENS / "run-images/plain").diff_ids
