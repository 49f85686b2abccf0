"""What every test has: the program, a workbench on a disk, and proof that nothing is left behind."""

import os
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE / "conformance", HERE / "fakes"):
    sys.path.insert(0, str(folder))

import pytest  # noqa: E402

import program as programs  # noqa: E402


def pytest_configure(config):
    programs.become_subreaper()


@pytest.fixture(scope="session")
def program():
    return programs.Program(programs.build_folder())


@pytest.fixture(scope="session")
def root():
    """For tests that mount or change ids. Never a skip: `make test` runs this suite as root."""
    if os.geteuid() != 0:
        pytest.fail("this test needs root; `make test` uses sudo")


@pytest.fixture
def bench(request, program):
    """A fresh workbench below /var/tmp (a disk: overlay file systems need one), gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cib-test-", dir=os.environ.get("CIB_TEST_TMP", "/var/tmp")))
    folder.chmod(0o755)
    place = programs.Bench(folder, program)
    yield place
    left = place.left_behind()
    programs.unmount_below(folder)
    shutil.rmtree(folder)
    assert not left, "left behind:\n  " + "\n  ".join(left)


@pytest.fixture
def user_bench(root, bench):
    """A workbench that belongs to uid 1000, with its own copy of the program: the checkout may be out of its reach."""
    return bench.hand_over(uid=1000, gid=1000)
