"""A user without any privilege builds the same image, bit for bit."""

import subprocess

import builder
import golden_run
import oci_reader
import pytest

USER = 1000


@pytest.fixture(params=["one id", "subordinate ids"])
def ids(request, user_bench):
    """A prefix under which the machine says what the parameter says, whatever its own /etc/subuid holds."""
    folder = user_bench.folder / "etc"
    folder.mkdir()
    line = "builder-user:300000:65536\n" if request.param == "subordinate ids" else ""
    (folder / "subuid").write_text(line)
    (folder / "subgid").write_text(line)
    (folder / "passwd").write_text("root:x:0:0::/root:/bin/sh\n"
                                   f"builder-user:x:{USER}:{USER}::{user_bench.home}:/bin/sh\n")
    (folder / "group").write_text(f"root:x:0:\nbuilder-user:x:{USER}:\n")
    binds = "; ".join(f'mount --bind "{folder}/{name}" /etc/{name}' for name in ("subuid", "subgid", "passwd", "group"))
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{binds}; exec "$@"', "sh")


@pytest.mark.parametrize("rootfs", ["overlay", "flat"])
def test_the_golden_kinds_as_an_ordinary_user(bench, program, ids, rootfs):
    """`bench` has been given to uid 1000; its program too."""
    ours = []
    for step in golden_run.run_case(bench, "kinds", "--isolation", "rootless", rootfs=rootfs, prefix=ids):
        assert not step.differences, f"step {step.number}:\n" + "\n".join(step.differences)
        ours.append(step.digest)
    assert all(path.stat().st_uid == USER for path in bench.out.rglob("*"))

    # The same four builds as root, beside it.
    bench.owner, bench.program = None, program
    golden_run.forget(bench)
    bench.store = bench.folder / "store-of-root"
    subprocess.run(["rm", "-rf", bench.folder / "builder-kinds"], check=True, timeout=60)
    roots = [step.digest for step in golden_run.run_case(bench, "kinds", rootfs=rootfs)]
    assert ours == roots


@pytest.mark.parametrize("case", ["names", "plans"])
@pytest.mark.parametrize("rootfs", ["overlay", "flat"])
def test_odd_files_and_environments_as_an_ordinary_user(bench, ids, case, rootfs):
    for step in golden_run.run_case(bench, case, "--isolation", "rootless", rootfs=rootfs, prefix=ids):
        assert not step.differences, f"step {step.number}:\n" + "\n".join(step.differences)


def test_files_of_other_owners_in_the_builder_look_the_same_to_buildpacks(bench, ids):
    """With one id everything belongs to it; what a buildpack may read and write stays what the archive says."""
    odd = builder.Layer().file("etc/only-root", "secret\n", 0o600).folder("mine", 0o700, 1001, 1000)
    odd.file("mine/file", "mine\n", 0o600, 1001, 1000)
    script = ('mkdir -p "$1/seen"; printf "[types]\\nlaunch = true\\n" > "$1/seen.toml"; id -u > "$1/seen/id"; '
              'id -g >> "$1/seen/id"; cat /mine/file >> "$1/seen/id"; echo "$HOME" >> "$1/seen/id"; touch "$HOME/x" /tmp/x')
    image = builder.golden_builder(builder.one_group("golden/looks"), [builder.Buildpack.script("golden/looks", script)],
                                   base=[odd])
    read = bench.built(bench.builder(image), "--isolation", "rootless", prefix=ids)
    assert read.file("/layers/golden_looks/seen/id") == b"1001\n1000\nmine\n/home/cnb\n"


def test_without_user_namespaces_it_says_so(bench, user_bench):
    """A seccomp-like refusal: the limit of user namespaces set to none, inside a user namespace of the test's own."""
    prefix = ("unshare", "--user", "--map-root-user", "sh", "-ec",
              'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh")
    builder_reference = bench.builder(builder.kinds_builder())
    # setpriv comes after the limit: the order of prefixes is the bench's, so the program is started directly here.
    bench.program.prefix = ()
    command = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", *prefix)
    result = bench.build(builder_reference, "--isolation", "rootless", prefix=command)
    assert result.exit in (77, 78), result
    assert "user namespace" in result.stderr or "unshare" in result.stderr or "clone" in result.stderr, result
    assert not bench.out.exists()


def test_root_and_user_agree_on_an_image_of_each_other(bench, user_bench, program):
    """An image that root built is the previous image of a user's build."""
    reference = bench.builder(builder.kinds_builder())
    first = bench.build(reference, "--isolation", "rootless")
    assert first.exit == 0, first
    result = bench.build(reference, "--isolation", "rootless", "--previous-image", f"oci:{bench.out}")
    differences, _ = golden_run.compare(bench, result, golden_run.read_expected("kinds")[1])
    assert not differences, "\n".join(differences)
    assert oci_reader.Image(bench.out)
