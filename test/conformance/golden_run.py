"""Runs a golden case with the program and says, line by line, where it differs from the reference lifecycle."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil

import builder
import oci_reader
from program import plain

CASES = sorted(path.stem for path in (builder.GOLDENS / "cases").glob("*.json"))
RUN_LAYERS = 2  # both run images of the goldens have two
CACHE_METADATA = "io.buildpacks.lifecycle.cache.metadata"

# What the message of a failing case must say, in whatever words.
MEANINGS = {
    "only-bad-process-type": [r"a/b", r"process", r"type"],
    "only-breaks": [r"golden/breaks", r"1\.0\.0", r"\b7\b", r"cannot look"],
    "only-build-fails": [r"golden/build-fails", r"1\.0\.0", r"going down", r"\b9\b"],
    "only-cached-without-contents": [r"golden/cached-without-contents\b.*\bx\b", r"cache", r"content"],
    "only-future": [r"golden/future", r"0\.99", r"API"],
    "only-launch-without-contents": [r"golden/launch-without-contents\b.*\bx\b", r"previous image"],
    "only-needs-missing": [r"golden/needs-missing.*requires.*missing"],
    "only-old-flags": [r"golden/old-flags", r"x\.toml", r"\[?types\]?"],
    "only-opts-out": [r"golden/opts-out"],
    "only-provides-unneeded": [r"golden/provides-unneeded.*provides.*unneeded"],
    "only-two-defaults": [r"golden/two-defaults", r"default"],
    "only-undeclared-sbom": [r"golden/undeclared-sbom", r"x\.sbom\.cdx\.json", r"cyclonedx"],
    "process-type-unknown": [r"\bnope\b"],
}


@dataclasses.dataclass
class Step:
    number: int
    result: object
    expected: dict
    digest: str | None
    differences: list


def read_case(name):
    return json.loads((builder.GOLDENS / "cases" / f"{name}.json").read_text())


def read_expected(name):
    return json.loads((builder.GOLDENS / "expected" / f"{name}.json").read_text())["steps"]


def run_case(bench, name, *more, rootfs="overlay", prefix=()):
    """Yields every Step of the case, after its build was compared."""
    case = read_case(name)
    reference = bench.builder(builder.golden_builder(case["order"]), f"builder-{name}")
    run_image = bench.reachable(builder.GOLDENS / "run-images" / case["run_image"])
    common = [*more]
    for key, value in case.get("platform_env", {}).items():
        common += ["--env", f"{key}={value}"]
    if "source_date_epoch" in case:
        common += ["--creation-time", case["source_date_epoch"]]
    expected = read_expected(name)
    assert len(expected) == len(case["steps"])
    for number, (step, facts) in enumerate(zip(case["steps"], expected), 1):
        arguments = list(common)
        if step.get("clear_cache"):
            arguments.append("--clear-cache")
        if "process_type" in step:
            arguments += ["--default-process", step["process_type"]]
        # One folder for every step: the path of the application is no part of what is built.
        application = bench.app(step["app"], bench.folder / "application")
        bench.report.unlink(missing_ok=True)
        result = bench.build(reference, *arguments, app=application, run_image=f"oci:{run_image}", rootfs=rootfs,
                             prefix=prefix)
        differences, digest = compare(bench, result, facts, name)
        yield Step(number, result, facts, digest, differences)


def compare(bench, result, expected, name=None):
    """Differences between a finished build and the expected facts of a step, and the image's digest."""
    if result.exit != expected["exit"]:
        return [f"exit code: {result.exit} instead of {expected['exit']}", str(result)], None
    if expected["exit"] != 0:
        return compare_failure(bench, result, expected, name), None

    differences = []
    image = oci_reader.Image(bench.out)
    actual = oci_reader.facts(image, RUN_LAYERS)
    differences += compare_layers(actual["layers"], expected["layers"])
    differences += differ(actual["image"]["config"], expected["image"]["config"], "config")
    differences += differ(comparable_labels(actual["image"]["labels"]),
                          comparable_labels(expected["image"]["labels"]), "labels")
    if actual["image"]["manifest_media_type"] != expected["image"]["manifest_media_type"]:
        differences.append(f"manifest media type: {actual['image']['manifest_media_type']}")

    if image.strays():
        differences.append(f"output: files that nobody refers to: {image.strays()}")

    differences += compare_cache(bench.cache, expected)
    report = bench.read_report()
    differences += differ(report.get("group"), expected["group"], "report.group")
    differences += differ(sorted_plan(report.get("plan")), sorted_plan(expected["plan"]), "report.plan")
    if image.digest not in bench.report.read_text():
        differences.append(f"report: does not name the image's digest {image.digest}")
    if f"@{image.digest}" not in result.stdout:
        differences.append(f"stdout: does not give @{image.digest}, but {result.stdout!r}")
    return differences, image.digest


def compare_failure(bench, result, expected, name):
    differences = []
    said = plain(result.stderr)
    for meaning in MEANINGS[name]:
        if not re.search(meaning, said, re.I):
            differences.append(f"message: nothing like /{meaning}/ in\n{said}")
    if not re.search(r"^error: ", said, re.M):
        differences.append(f"message: no line begins with 'error: ' in\n{said}")
    if not re.search(rf"exit code {expected['exit']}\b", said):
        differences.append(f"message: 'exit code {expected['exit']}' is not told in\n{said}")
    if result.stdout:
        differences.append(f"stdout: a failed build has no result, but {result.stdout!r}")
    if bench.out.exists():
        differences.append(f"output: a failed first build left {sorted(bench.out.rglob('*'))}")
    return differences


def compare_layers(actual, expected):
    differences = []
    if len(actual) != len(expected):
        differences.append(f"layers: {len(actual)} above the run image instead of {len(expected)}")
    for number, (ours, theirs) in enumerate(zip(actual, expected)):
        place = f"layers[{number}]"
        if ours["entries"] != theirs["entries"]:
            differences += [f"{place}: only ours: {line}" for line in ours["entries"] if line not in theirs["entries"]]
            differences += [f"{place}: missing:   {line}" for line in theirs["entries"] if line not in ours["entries"]]
            if sorted(ours["entries"]) == sorted(theirs["entries"]):
                differences.append(f"{place}: order of entries: {ours['entries']}")
        if ours["size"] != theirs["size"]:
            differences.append(f"{place}: {ours['size']} bytes of tar instead of {theirs['size']}")
        if ours["diff_id"] != theirs["diff_id"]:
            differences.append(f"{place}: diffID {ours['diff_id']} instead of {theirs['diff_id']} "
                               f"({theirs['entries'][-1] if theirs['entries'] else 'empty'})")
    return differences


def compare_cache(folder, expected):
    differences = []
    committed = pathlib.Path(folder) / "committed"
    if not committed.is_dir():
        return [f"cache: no folder {committed}"]
    metadata = committed / CACHE_METADATA
    if not metadata.is_file():
        return [f"cache: no {CACHE_METADATA} among {sorted(os.listdir(committed))}"]
    text = metadata.read_bytes()
    if not text.endswith(b"\n"):
        differences.append("cache metadata: does not end with a newline")
    differences += differ(json.loads(text), expected["cache"], "cache")
    differences += differ(sorted(os.listdir(committed)), sorted(expected["cache_files"]), "cache_files")
    for path in sorted(committed.glob("*.tar")):
        digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        if path.name != f"{digest}.tar":
            differences.append(f"cache: {path.name} has the digest {digest}")
    beside = sorted(set(os.listdir(folder)) - {"committed"})
    if [name for name in beside if name in ("staging", "committed-backup")]:
        differences.append(f"cache: left beside committed/: {beside}")
    return differences


def comparable_labels(labels):
    """Without what may differ: whose launcher it is, and the names of a run image that is a layout."""
    copy = json.loads(json.dumps(labels))
    copy.get("io.buildpacks.build.metadata", {}).pop("launcher", None)
    metadata = copy.get("io.buildpacks.lifecycle.metadata", {})
    for block in (metadata.get("runImage"), (metadata.get("stack") or {}).get("runImage")):
        for key in ("reference", "image", "mirrors"):
            if block is not None:
                block.pop(key, None)
    return copy


def sorted_plan(plan):
    """The reference writes entries in random order, and no `entries` when there are none."""
    if plan is None:
        return None
    entries = plan.get("entries") or []
    return {**plan, "entries": sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))}


def differ(actual, expected, place):
    """Where two JSON values differ; 1 and 1.0 are the same number, 1 and true are not."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        lines = []
        for key in sorted(set(actual) | set(expected)):
            if key not in actual:
                lines.append(f"{place}.{key}: missing, expected {json.dumps(expected[key])}")
            elif key not in expected:
                lines.append(f"{place}.{key}: not expected: {json.dumps(actual[key])}")
            else:
                lines += differ(actual[key], expected[key], f"{place}.{key}")
        return lines
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        return [line for number, (ours, theirs) in enumerate(zip(actual, expected))
                for line in differ(ours, theirs, f"{place}[{number}]")]
    if actual == expected and isinstance(actual, bool) == isinstance(expected, bool):
        return []
    return [f"{place}: {json.dumps(actual)} instead of {json.dumps(expected)}"]


def forget(bench):
    """Back to before the first build, the store apart."""
    for folder in (bench.out, bench.cache):
        shutil.rmtree(folder, ignore_errors=True)
