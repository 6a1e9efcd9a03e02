"""Schemas of the kinds that the chart makes and Kubernetes has not: those of prometheus-operator.

The schemas lie in tests/deploy/custom, made by this script from the operator's own definitions, which stand
in its module on the Go proxy:

    python -m tests.deploy.custom_resources

A cluster drops a field that a definition does not know, without a word; here it is refused. What describes
a field is left out. The operator's license is Apache-2.0; each file says where it came from.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

MODULE, VERSION = "github.com/prometheus-operator/prometheus-operator", "v0.85.0"
"""The last version whose root module the Go proxy has."""
KINDS = {"PrometheusRule": "prometheusrules", "ServiceMonitor": "servicemonitors"}
"""The kinds, by what their definitions are called."""
FOLDER = Path(__file__).resolve().parent / "custom"
OPEN = {"additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"}
"""What says that an object may have more than its named fields."""
FREE = {"metadata"}
"""What Kubernetes itself knows, and a definition does not repeat."""


def faults_in(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield what a manifest of one of KINDS has wrong, each with its place."""
    schema = json.loads((FOLDER / f"{manifest['kind']}.json").read_text(encoding="utf-8"))
    for fault in jsonschema.Draft202012Validator(schema).iter_errors(manifest):
        yield f"{fault.json_path}: {fault.message}"


def closed(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """Return a schema that refuses what it does not name, without descriptions, in JSON Schema's words."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    words = {key: one for key, one in schema.items() if not (key == "description" and isinstance(one, str))}
    made: dict[str, Any] = {
        key: {name: closed(field) for name, field in one.items()} if key == "properties" else closed(one)
        for key, one in words.items()
    }
    if made.pop("x-kubernetes-int-or-string", False):
        made["type"] = ["integer", "string"]
    if "pattern" in made:
        # Go lets a flag stand anywhere, Python in front of all else.
        made["pattern"] = made["pattern"].replace("^(?i)", "(?i)^")
    if "properties" in made and not OPEN & made.keys():
        made["additionalProperties"] = False
    return {key: one for key, one in made.items() if not key.startswith("x-kubernetes-")}


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what a definition defines, in the one version that it stores."""
    (version,) = (one for one in definition["spec"]["versions"] if one["storage"])
    made: dict[str, Any] = closed(version["schema"]["openAPIV3Schema"])
    names = definition["spec"]
    made["properties"] |= {
        "apiVersion": {"const": f"{names['group']}/{version['name']}"},
        "kind": {"const": names["names"]["kind"]},
        **{name: {"type": "object"} for name in FREE},
    }
    made["required"] = sorted({*made.get("required", ()), "apiVersion", "kind", "metadata", "spec"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Made by tests/deploy/custom_resources.py from {MODULE} {VERSION}, license Apache-2.0.",
        **made,
    }


def write() -> None:
    """Fetch the module and write a schema for each kind."""
    words = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    fetched = subprocess.run(words, capture_output=True, text=True, check=True)
    source = Path(json.loads(fetched.stdout)["Dir"]) / "example" / "prometheus-operator-crd"
    for kind, name in KINDS.items():
        text = (source / f"monitoring.coreos.com_{name}.yaml").read_text(encoding="utf-8")
        made = json.dumps(schema_of(yaml.safe_load(text)), indent=1, sort_keys=True)
        (FOLDER / f"{kind}.json").write_text(f"{made}\n", encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write()
