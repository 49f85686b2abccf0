"""The floors of the house (ARCHITECTURE.md): a room includes only what is below it, and some rooms know only interfaces."""

import pathlib
import re

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "src"

FLOORS = {
    "base": 1,
    "oci": 2, "http": 2, "codebase": 2, "report": 2,
    "cnb": 3, "store": 3, "registry": 3,
    "sandbox": 4, "notify": 4, "aws": 4, "launcher": 4,
    "build": 5,
    "cli": 6,
}
MAIN_FLOOR = 7
# Rooms that see images, targets and sandboxes only as interfaces.
ONLY_INTERFACES = ("cnb", "oci", "build")
FORBIDDEN_THERE = ("registry", "aws")
# ca_bundle is functions on texts, no sandbox.
SANDBOX_INTERFACES = ("sandbox/sandbox.hpp", "sandbox/ca_bundle.hpp")
# Headers that make every file that sees them slow to compile: for .cpp files only.
HEAVY = ("nlohmann/json.hpp", "toml++/toml.h", "toml++/toml.hpp", "CLI/CLI.hpp", "spdlog/", "yaml-cpp/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def files():
    return sorted(path for path in SOURCES.rglob("*") if path.suffix in (".hpp", ".cpp", ".h", ".c"))


def includes(path):
    return INCLUDE.findall(path.read_text())


def room_of(path):
    parts = path.relative_to(SOURCES).parts
    return parts[0] if len(parts) > 1 else None


def name_of(path):
    return path.relative_to(REPOSITORY).as_posix()


def test_there_is_something_to_look_at():
    assert len(files()) > 20


def test_every_room_has_a_floor():
    assert {room_of(path) for path in files()} - {None} <= set(FLOORS)


def test_a_room_includes_only_rooms_below_it():
    wrong = []
    for path in files():
        room = room_of(path)
        floor = FLOORS.get(room, MAIN_FLOOR)
        for _, name in includes(path):
            other = name.split("/")[0]
            if other in FLOORS and other != room and FLOORS[other] >= floor:
                wrong.append(f"{name_of(path)} (floor {floor}) includes {name} (floor {FLOORS[other]})")
    assert wrong == []


def test_rooms_that_see_only_interfaces_include_nothing_concrete():
    wrong = []
    for path in files():
        if room_of(path) in ONLY_INTERFACES:
            for _, name in includes(path):
                room = name.split("/")[0]
                if room in FORBIDDEN_THERE or (room == "sandbox" and name not in SANDBOX_INTERFACES):
                    wrong.append(f"{name_of(path)} includes {name}")
    assert wrong == []


def test_our_own_headers_are_included_from_src_and_exist():
    wrong = []
    for path in files():
        for quote, name in includes(path):
            if quote == '"' and not (SOURCES / name).is_file():
                wrong.append(f'{name_of(path)}: "{name}" is not in src/')
            if quote == "<" and (SOURCES / name).is_file():
                wrong.append(f"{name_of(path)}: <{name}> is ours, with quotes please")
    assert wrong == []


def test_every_header_is_included_once():
    assert [name_of(path) for path in files()
            if path.suffix == ".hpp" and not re.search(r"^#pragma once$", path.read_text(), re.M)] == []


def test_headers_are_light():
    """A header that needs a heavy one is for .cpp files alone: no other header may include it."""
    headers = {path.relative_to(SOURCES).as_posix(): path for path in files() if path.suffix == ".hpp"}
    heavy = {name for name, path in headers.items() if any(other.startswith(HEAVY) for _, other in includes(path))}
    wrong = [f"{name} includes {other}" for name, path in headers.items() for _, other in includes(path) if other in heavy]
    assert wrong == []


def test_no_file_is_longer_than_the_house_allows():
    assert [name_of(path) for path in files() if len(path.read_text().splitlines()) > 600] == []


def test_only_the_table_of_apis_compares_versions():
    """A row in cnb/api.hpp says from which API on something holds; nobody else compares."""
    pattern = re.compile(r"""[<>]=?\s*(ApiVersion|Api)\s*[({]\s*\d|_api\(?\)?\s*(<|>|<=|>=)\s*["{(]""")
    wrong = [f"{name_of(path)}: {match.group(0)}" for path in files()
             if path.name not in ("api.hpp", "api.cpp") and room_of(path) != "launcher"
             for match in pattern.finditer(path.read_text())]
    assert wrong == []


@pytest.mark.parametrize("text, found", [('#include "oci/digest.hpp"', ['oci/digest.hpp']),
                                         ("  #  include <vector>", ["vector"]), ("// #include <x>", [])])
def test_the_search_finds_includes(tmp_path, text, found):
    path = tmp_path / "x.cpp"
    path.write_text(text)
    assert [name for _, name in includes(path)] == found
