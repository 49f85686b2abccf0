"""The Python version that the application asks for, against the one that the builder has."""

import re
import sys
import tomllib


class Unavailable(Exception):
    pass


def check(app, environment, say):
    """Raises Unavailable when the interpreter does not do; says so when only the patch level differs."""
    wanted, source = asked_for(app, environment)
    have = sys.version_info[:3]
    have_text = "%d.%d.%d" % have
    if wanted is None:
        say(f"Python {have_text}: no version was asked for")
        return
    clauses = [clause.strip() for clause in wanted.split(",") if clause.strip(" *")]
    unfit = [clause for clause in clauses if not fits(clause, have)]
    if not unfit:
        say(f"Python {have_text} for {wanted} from {source}")
    elif all(without_patch(clause) and fits(without_patch(clause), have) for clause in unfit):
        say(f"WARNING: Python {wanted} from {source} is not available, {have_text} is used")
    else:
        raise Unavailable(
            f"Python {wanted} from {source} is not available: this builder has Python {have_text}. "
            f"Ask for {have[0]}.{have[1]}, or use a builder that has the version."
        )


def asked_for(app, environment):
    """(version or constraint, where it was found), the first of: environment, runtime.txt, .python-version, pyproject.toml."""
    if environment.get("BP_CPYTHON_VERSION", "").strip():
        return environment["BP_CPYTHON_VERSION"].strip(), "BP_CPYTHON_VERSION"
    for name in ("runtime.txt", ".python-version"):
        file = app / name
        lines = file.read_text().split() if file.is_file() else []
        if lines:
            return lines[0].removeprefix("python-"), name
    file = app / "pyproject.toml"
    if file.is_file():
        try:
            constraint = tomllib.loads(file.read_text()).get("project", {}).get("requires-python")
        except tomllib.TOMLDecodeError as error:
            raise Unavailable(f"pyproject.toml: {error}") from None
        if constraint:
            return constraint, "pyproject.toml"
    return None, ""


def fits(clause, have):
    """One clause of a constraint (3.11, 3.11.*, ==3.11.2, ~=3.10, ^3.9, >=3.8, <4) against a full version."""
    operator, wanted = parse(clause)
    same = have[: len(wanted)] == wanted
    padded = wanted + (0,) * (3 - len(wanted))
    match operator:
        case "" | "=" | "==" | "===":
            return same
        case "!=":
            return not same
        case ">=":
            return have >= padded
        case "<":
            return have < padded
        case ">":
            return have > padded and not same
        case "<=":
            return have <= padded or same
        case "^":
            return have >= padded and have[0] == wanted[0]
        case "~=":
            return have >= padded and have[: max(len(wanted) - 1, 1)] == wanted[: max(len(wanted) - 1, 1)]
    return have >= padded and have[:2] == wanted[:2]  # "~"


def parse(clause):
    found = re.fullmatch(r"(={0,3}|~=|~|\^|>=|<=|!=|>|<)\s*v?(\d+(?:\.\d+){0,2})(?:\.[*x])*", clause)
    if found is None:
        raise Unavailable(f'"{clause}" is no Python version or constraint')
    return found[1], tuple(int(part) for part in found[2].split("."))


def without_patch(clause):
    """The clause for any patch level; None when it does not name one."""
    operator, wanted = parse(clause)
    if len(wanted) < 3 or operator in ("!=", "<", "<=", ">"):
        return None
    return f"{'==' if operator in ('~=', '~') else operator}{wanted[0]}.{wanted[1]}"
