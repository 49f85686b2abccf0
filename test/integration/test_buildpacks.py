"""The embedded buildpacks as programs of their own: what they read and write, without a builder."""

import os
import pathlib
import subprocess
import sys
import tomllib

import pytest
from program import REPOSITORY

BUILDPACKS = REPOSITORY / "buildpacks"
sys.path.insert(0, str(BUILDPACKS / "python" / "lib"))

import requirements  # noqa: E402
import versions  # noqa: E402


class Run:
    def __init__(self, name, folder):
        self.buildpack = BUILDPACKS / name
        self.app = folder / "app"
        self.layers = folder / "layers"
        self.platform = folder / "platform"
        self.plan = folder / "plan.toml"
        for place in (self.app, self.layers, self.platform):
            place.mkdir()

    def __call__(self, step, **env):
        self.plan.write_text("")
        return subprocess.run(
            [self.buildpack / "bin" / step], cwd=self.app, capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.app), "CNB_BUILDPACK_DIR": str(self.buildpack),
                 "CNB_PLATFORM_DIR": str(self.platform), "CNB_LAYERS_DIR": str(self.layers),
                 "CNB_BUILD_PLAN_PATH": str(self.plan), "CNB_BP_PLAN_PATH": str(self.plan), **env})

    def processes(self, **env):
        result = self("build", **env)
        assert result.returncode == 0, result
        return tomllib.loads((self.layers / "launch.toml").read_text())["processes"]


@pytest.fixture
def procfile(tmp_path):
    return Run("procfile", tmp_path)


@pytest.fixture
def python(tmp_path):
    return Run("python", tmp_path)


# --- procfile

def test_procfile_needs_a_procfile(procfile):
    assert procfile("detect").returncode == 100


def test_procfile_of_comments_alone_is_none(procfile):
    (procfile.app / "Procfile").write_text("# web: x\n\n  indented: y\nno colon\nempty:\n")
    assert procfile("detect").returncode == 100


def test_procfile_provides_and_requires_itself(procfile):
    (procfile.app / "Procfile").write_text("web: x")
    assert procfile("detect").returncode == 0
    assert tomllib.loads(procfile.plan.read_text()) == {"provides": [{"name": "procfile"}], "requires": [{"name": "procfile"}]}


@pytest.mark.parametrize("command", [
    "gunicorn app", 'sh -c "echo \\"$PORT\\" | tee \'a b\'"', "a\\tb\\n", "x\ty", "printf '%s' é", "echo a:b: c", "a   b",
    "echo '''", "[[processes]]"])
def test_procfile_commands_arrive_as_they_are_written(procfile, command):
    (procfile.app / "Procfile").write_text(f"web: {command}\n")
    assert procfile.processes() == [{"type": "web", "command": ["bash", "-c"], "args": [command], "default": True}]


def test_procfile_ignores_windows_line_ends(procfile):
    (procfile.app / "Procfile").write_bytes(b"web: run\r\nworker: work\r\n")
    assert [process["args"] for process in procfile.processes()] == [["run"], ["work"]]


def test_procfile_types_are_sorted_and_the_last_line_of_a_type_counts(procfile):
    (procfile.app / "Procfile").write_text("worker: w\nb_1-x: b\nworker: w2\n")
    assert [(process["type"], process["args"][0]) for process in procfile.processes()] == [("b_1-x", "b"), ("worker", "w2")]


@pytest.mark.parametrize("text, default", [("web: a\nworker: b", "web"), ("Web: a\nworker: b", "Web"), ("worker: b\nx: c", "worker"),
                                           ("x: c", None)])
def test_procfile_default_is_web_or_worker(procfile, text, default):
    (procfile.app / "Procfile").write_text(text)
    assert [process["type"] for process in procfile.processes() if process.get("default")] == ([default] if default else [])


def test_procfile_may_come_from_the_environment_and_a_binding(procfile):
    assert procfile("detect", BP_PROCFILE_DEFAULT_PROCESS="from env").returncode == 0
    assert procfile.processes(BP_PROCFILE_DEFAULT_PROCESS="from env")[0]["args"] == ["from env"]
    (procfile.app / "Procfile").write_text("web: from file")
    assert procfile.processes(BP_PROCFILE_DEFAULT_PROCESS="from env")[0]["args"] == ["from file"]
    binding = procfile.platform / "bindings" / "b"
    binding.mkdir(parents=True)
    (binding / "type").write_text("PROCFILE\n")
    (binding / "Procfile").write_text("web: from binding")
    assert procfile.processes(BP_PROCFILE_DEFAULT_PROCESS="from env")[0]["args"] == ["from binding"]


def test_procfile_refuses_control_characters(procfile):
    (procfile.app / "Procfile").write_text("web: a\x07b\n")
    result = procfile("build")
    assert result.returncode == 1 and "control character" in result.stderr


# --- python

@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "setup.py"])
def test_python_takes_part_where_something_says_what_is_required(python, name):
    assert python("detect").returncode == 100
    (python.app / name).write_text("")
    assert python("detect").returncode == 0
    plan = tomllib.loads(python.plan.read_text())
    assert plan["provides"] == [{"name": "python"}]
    assert plan["requires"] == [{"name": "python", "metadata": {"source": name}}]


@pytest.mark.parametrize("clause, fits", [
    ("3.11", True), ("3.11.*", True), ("3.11.x", True), ("3", True), ("3.*", True), ("==3.11.2", True), ("3.11.3", False),
    ("3.12.*", False), (">=3.10", True), (">= 3.11.2", True), (">=3.11.3", False), ("<4", True), ("<3.11", False),
    ("<=3.11", True), ("<=3.10", False), (">3.11", False), (">3.10", True), ("~=3.11", True), ("~=3.11.1", True),
    ("~=3.12", False), ("~=3.10", True), ("~=3.10.1", False), ("^3.9", True), ("^3.12", False), ("~3.11", True),
    ("~3.10", False), ("!=3.11.*", False), ("!=3.10", True)])
def test_python_versions(clause, fits):
    assert versions.fits(clause, (3, 11, 2)) is fits


@pytest.mark.parametrize("clause, allowed", [("3.11.9", True), (">=3.11.9", True), ("~=3.11.9", True), ("3.12.9", False),
                                             ("~=3.10.9", False), ("<3.11.1", False), ("3.12", False)])
def test_python_versions_that_differ_in_the_patch_level_alone(clause, allowed):
    assert not versions.fits(clause, (3, 11, 2))
    other = versions.without_patch(clause)
    assert bool(other and versions.fits(other, (3, 11, 2))) is allowed


@pytest.mark.parametrize("text", ["pypy3.9", "3.11-dev", "latest", ">=", "3.11; rm -rf /"])
def test_python_versions_that_are_none(text):
    with pytest.raises(versions.Unavailable):
        versions.fits(text, (3, 11, 2))


@pytest.mark.parametrize("files, env, found", [
    ({}, {}, (None, "")),
    ({"runtime.txt": "python-3.10.1\n"}, {}, ("3.10.1", "runtime.txt")),
    ({".python-version": "3.9\n", "runtime.txt": "python-3.10.1\n"}, {}, ("3.10.1", "runtime.txt")),
    ({".python-version": "3.9\n"}, {"BP_CPYTHON_VERSION": "3.8.*"}, ("3.8.*", "BP_CPYTHON_VERSION")),
    ({".python-version": "\n", "pyproject.toml": '[project]\nrequires-python = ">=3.7"\n'}, {}, (">=3.7", "pyproject.toml"))])
def test_python_version_is_found_where_it_is_said_first(tmp_path, files, env, found):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert versions.asked_for(tmp_path, env) == found


def digest(app):
    return requirements.read(app).digest


def test_requirements_that_are_included_count(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r more/base.txt\n--constraint=limits.txt\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("-r other.txt\nx\n")
    (tmp_path / "more" / "other.txt").write_text("y==1\n")
    (tmp_path / "limits.txt").write_text("z<2\n")
    seen = {digest(tmp_path)}
    for name in ("more/base.txt", "more/other.txt", "limits.txt"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# changed\n")
        seen.add(digest(tmp_path))
    (tmp_path / "app.py").write_text("print()")
    seen.add(digest(tmp_path))
    assert len(seen) == 4


@pytest.mark.parametrize("line", [".", "-e .", "./lib", "lib/", "--find-links=lib/", "-f lib/", "shop @ file:lib", "--editable lib"])
def test_requirements_that_install_a_folder_depend_on_all_files(tmp_path, line):
    (tmp_path / "requirements.txt").write_text(line + "\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "setup.py").write_text("1")
    before = digest(tmp_path)
    (tmp_path / "lib" / "setup.py").write_text("2")
    assert digest(tmp_path) != before


def test_requirements_that_include_each_other_end(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r a.txt\n")
    (tmp_path / "a.txt").write_text("-r requirements.txt\n")
    assert digest(tmp_path) == digest(tmp_path)


def test_a_requirements_file_that_is_missing_is_named(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r missing.txt\n")
    with pytest.raises(requirements.Unreadable, match="missing.txt: No such file"):
        requirements.read(tmp_path)


def test_a_pyproject_that_only_configures_tools_requires_nothing(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nline-length = 100\n")
    assert requirements.read(tmp_path).arguments == []
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    assert requirements.read(tmp_path).arguments == ["."]


def test_a_pyproject_that_is_no_toml_is_an_error(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(requirements.Unreadable, match="pyproject.toml"):
        requirements.read(tmp_path)
