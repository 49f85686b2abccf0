"""What pip has to install, and a digest that changes when that may change."""

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path


class Unreadable(Exception):
    pass


@dataclass
class Requirements:
    source: str  # the file that decides
    arguments: list[str]  # of `pip install`; empty: nothing to install
    digest: str


def read(app):
    if (app / "requirements.txt").is_file():
        files = {}
        local = follow(app, Path("requirements.txt"), files)
        return Requirements("requirements.txt", ["-r", "requirements.txt"], digest(app, files) if not local else tree(app))
    if (app / "setup.py").is_file() or is_package(app / "pyproject.toml"):
        # The application itself is installed: every one of its files counts.
        source = "pyproject.toml" if (app / "pyproject.toml").is_file() else "setup.py"
        return Requirements(source, ["."], tree(app))
    return Requirements("pyproject.toml", [], digest(app, {Path("pyproject.toml"): None}))


def is_package(pyproject):
    """Whether pip can install it: many pyproject.toml only configure tools."""
    try:
        text = tomllib.loads(pyproject.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"pyproject.toml: {error}") from None
    return "project" in text or "build-system" in text


def follow(app, name, files):
    """Collects the requirement files that are read because of `name`. True when one of them installs something that
    lies in the application."""
    if name in files:
        return False
    files[name] = None
    try:
        text = (app / name).read_text()
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None
    local = False
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        other = re.match(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-r)|(?<=-c))(\S+)", line)
        if other and "://" not in other[1]:
            local |= follow(app, Path(os.path.normpath((app / name).parent / other[1])), files)
        elif re.match(r"-e\b|--editable\b|\.{0,2}/|\.$|file:", line) or "@ file:" in line:
            local = True
        elif "/" in line and (app / re.split(r"[=\s]", line)[-1]).exists():  # a wheel, a folder, --find-links=wheels/
            local = True
    return local


def digest(app, files):
    state = hashlib.sha256()
    for name in sorted(files):
        content = (app / name).read_bytes()
        state.update(f"{name} {len(content)}\n".encode() + content)
    return state.hexdigest()


def tree(app):
    """Every file of the application, .git apart."""
    files = {}
    for folder, folders, names in os.walk(app):
        folders[:] = sorted(set(folders) - {".git"})
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                files[path.relative_to(app)] = None
    return digest(app, files)
