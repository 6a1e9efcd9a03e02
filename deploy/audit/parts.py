"""Writes the list of parts of a release (SBOM, CycloneDX 1.6): what the server runs on, and its contract.

python -m deploy.audit.parts dist/giftcard-gateway.cdx.json

`cyclonedx-py` reads the lock with its hashes. Added are the licenses, who asks for what, and the files of
the contract. The same commit gives the same bytes: the only time in it is SOURCE_DATE_EPOCH, if that is set.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.audit.licenses import found
from deploy.audit.pins import ROOT, RUNTIME, Pin, locked
from deploy.audit.policy import Policy, policy

Parts = dict[str, Any]
OURS = ("giftcard-client", "giftcard-sandbox")
CONTRACT = ("protos/giftcard/**/*.proto", "protos/releases/*.binpb")
GOOGLES = ("googleapis-common-protos", "protobuf")


class NoList(Exception):
    """The list cannot be made, or is not as its schema wants it; the text says why."""


def from_lock() -> Parts:
    """Let cyclonedx-py read the lock; raise NoList with what it said when it cannot."""
    command = ["-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible", "--no-validate"]
    ended = subprocess.run(  # noqa: S603 - this very Python, our own arguments
        [sys.executable, *command, "--pyproject", "pyproject.toml", RUNTIME],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise NoList(ended.stderr.strip())
    parts: Parts = json.loads(ended.stdout)
    return parts


def reference(name: str, version: str) -> str:
    """Name a part within the list, by its package URL."""
    return f"pkg:pypi/{name}@{version}"


def package(part: Parts, pin: Pin, allowed: Policy) -> Parts:
    """Complete what cyclonedx-py says of a pin, without its description, the lock's line once more."""
    kept = {key: value for key, value in part.items() if key != "description"}
    marker = pin.requirement.marker
    return kept | {
        "bom-ref": reference(pin.name, pin.version),
        "licenses": [{"expression": found(pin, allowed)}],
        "properties": [{"name": "giftcard:installed-where", "value": str(marker)}] if marker else [],
    }


def ours(version: str) -> list[Parts]:
    """Give the distributions that are released beside the gateway, of its version."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "bom-ref": reference(name, version),
            "purl": reference(name, version),
            "licenses": [{"expression": "Apache-2.0"}],
        }
        for name in OURS
    ]


def contract(version: str, paths: Iterable[Path]) -> Parts:
    """Give the contract, file by file, and its released images, which hold Google's files too."""
    return {
        "type": "data",
        "name": "giftcard.v1",
        "version": version,
        "bom-ref": "contract",
        "licenses": [{"expression": "Apache-2.0"}],
        "components": [
            {
                "type": "file",
                "name": path.relative_to(ROOT).as_posix(),
                "bom-ref": path.relative_to(ROOT).as_posix(),
                "hashes": [{"alg": "SHA-256", "content": sha256(path.read_bytes()).hexdigest()}],
            }
            for path in sorted(paths)
        ],
    }


def needs(pins: Iterable[Pin], root: str, names: Mapping[str, str]) -> list[Parts]:
    """Give each part with those it asks for, as the lock tells; the contract asks for Google's files."""
    asked: dict[str, set[str]] = {ref: set() for ref in (root, *names.values())}
    for pin in pins:
        for name in pin.asked_by:
            asked[names.get(name, root)].add(names[pin.name])
    asked[root] |= {names[name] for name in OURS} | {"contract"}
    asked["contract"] = {names[name] for name in GOOGLES}
    return [
        {"ref": ref, "dependsOn": sorted(refs)} if refs else {"ref": ref}
        for ref, refs in sorted(asked.items())
    ]


def parts() -> str:
    """Make the list; raise NoList when it is not valid."""
    pins, allowed, listed = locked(RUNTIME), policy(), from_lock()
    root = listed["metadata"]["component"]
    version = str(root["version"])
    by_name = {part["name"].lower().replace("_", "-"): part for part in listed["components"]}
    names = {pin.name: reference(pin.name, pin.version) for pin in pins}
    names |= {name: reference(name, version) for name in OURS}
    listed["components"] = [
        *(package(by_name[pin.name], pin, allowed) for pin in pins),
        *ours(version),
        contract(version, (path for files in CONTRACT for path in ROOT.glob(files))),
    ]
    listed["dependencies"] = needs(pins, root["bom-ref"], names)
    text = json.dumps(listed, indent=2, sort_keys=True) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise NoList(f"not as CycloneDX wants it: {fault}")
    return text


def main(arguments: list[str]) -> int:
    """Write the list to the file named; 1 and a sentence when there is none to write."""
    try:
        text = parts()
    except NoList as fault:
        print(f"no list of parts: {fault}", file=sys.stderr)
        return 1
    target = Path(arguments[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"{target}: valid, sha256 {sha256(text.encode()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
