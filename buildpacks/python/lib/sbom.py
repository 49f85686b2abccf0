"""A CycloneDX list of the distributions in a virtual environment: no times, no random numbers, sorted."""

import json
import re
from importlib.metadata import distributions


def of(venv, buildpack_version):
    components = {}
    for site in sorted((venv / "lib").glob("python3*/site-packages")):
        for distribution in distributions(path=[str(site)]):
            name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
            purl = f"pkg:pypi/{name}@{distribution.version}"
            component = {"type": "library", "bom-ref": purl, "name": name, "version": distribution.version, "purl": purl}
            license_name = (distribution.metadata.get("License-Expression") or distribution.metadata.get("License") or "").strip()
            if license_name and "\n" not in license_name and license_name != "UNKNOWN":
                component["licenses"] = [{"license": {"name": license_name}}]
            components[purl] = component
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "version": 1,
        "metadata": {"tools": [{"vendor": "ci-image-builder", "name": "python buildpack", "version": buildpack_version}]},
        "components": [components[purl] for purl in sorted(components)],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"
