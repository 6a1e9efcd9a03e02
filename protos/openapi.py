"""The contract as an OpenAPI document: `make openapi` writes it from the `google.api.http` annotations.

protoc-gen-openapiv3 of grpc-gateway writes one document for each file. What it cannot know is added here:
what our options say of a field, which fields exclude each other, and how Envoy writes a stream. Go builds the
plugin once, below `.tools`.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import yaml
from google.api import field_behavior_pb2, field_info_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, OneofDescriptor

from giftcard.v1 import bounds_pb2, scope_pb2
from protos import contract

Node = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "protos" / "openapi" / "giftcard-v1.openapi.yaml"
MODULE = "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3"
PLUGIN_VERSION = "v2.33.0"
BOUND: Any = bounds_pb2.bound
BEHAVIOR: Any = field_behavior_pb2.field_behavior
INFO: Any = field_info_pb2.field_info
JSON = "application/json"
BEARER = "bearer"
ABOUT = """\
Made from the protobuf contract by `make openapi`; do not edit.

Money is exact: `units` is a text, because JSON's numbers are not, and `nanos` are billionths. Enums may grow:
take a value you do not know as its UNSPECIFIED one. An error is a `google.rpc.Status` with its details; its
HTTP status comes from its code. What names a card is never a part of an address.
"""


def program() -> Path:
    """Return where protoc-gen-openapiv3 of the pinned version is, or will be."""
    return ROOT / ".tools" / f"openapiv3-{PLUGIN_VERSION}" / "protoc-gen-openapiv3"


def plugin() -> Path:
    """Return protoc-gen-openapiv3, built by Go if it is not there yet."""
    if not program().exists():
        go = shutil.which("go")
        if go is None:
            raise click.ClickException("Go is needed, to build protoc-gen-openapiv3.")
        built = subprocess.run(  # noqa: S603 - our own arguments
            [go, "install", f"{MODULE}@{PLUGIN_VERSION}"],
            env={**os.environ, "GOBIN": str(program().parent)},
            check=False,
        )
        if built.returncode:
            raise click.ClickException(f"Go could not build {MODULE}@{PLUGIN_VERSION}.")
    return program()


def make() -> str:
    """Return the document's text."""
    with tempfile.TemporaryDirectory() as scratch:
        options = (f"--plugin=protoc-gen-openapiv3={plugin()}", f"--openapiv3_out={scratch}")
        contract.compile_contract(*options, pattern="*_service.proto")
        parts = [json.loads(path.read_text("utf-8")) for path in sorted(Path(scratch).rglob("*.json"))]
    document = merge(
        parts, {"title": "giftcard.v1", "version": metadata.version("giftcard-client"), "description": ABOUT}
    )
    methods = {f"{each.containing_service.name}_{each.name}": each for each in all_methods()}
    for operations in document["paths"].values():
        for operation in operations.values():
            finish_operation(operation, methods[operation["operationId"]])
    messages = {each.full_name: each for method in methods.values() for each in below(method)}
    for name, schema in document["components"]["schemas"].items():
        if name in messages:
            finish_message(schema, messages[name])
    return str(yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=110))


def merge(parts: list[Node], info: Node) -> Node:
    """Return one document with the calls and messages of all parts."""
    paths = {path: calls for part in parts for path, calls in part["paths"].items()}
    schemas = {name: schema for part in parts for name, schema in part["components"]["schemas"].items()}
    bearer = {"type": "http", "scheme": "bearer", "description": "A token or an API key."}
    return {
        "openapi": parts[0]["openapi"],
        "info": info,
        "tags": sorted((tag for part in parts for tag in part["tags"]), key=lambda tag: str(tag["name"])),
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": {BEARER: bearer}},
    }


def finish_operation(operation: Node, method: MethodDescriptor) -> None:
    """Add to a call its scope, and to its request and answer what the generator leaves out."""
    operation["security"] = [{BEARER: [method.GetOptions().Extensions[scope_pb2.scope]]}]
    fields = {field.name: field for field in method.input_type.fields}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"].partition(".")[0]
        field = fields.get(name) or method.input_type.fields_by_camelcase_name[name]
        if "." not in parameter["name"]:
            finish_field(parameter["schema"], field)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"][JSON]
        finish_message(content["schema"], method.input_type)
        if method.client_streaming:
            content["schema"] = {"type": "array", "items": content["schema"]}
    if method.server_streaming:
        told = operation["responses"]["200"]
        told["description"] = told["description"].replace("(streaming responses)", "One JSON object a line.")
        told["content"][JSON]["schema"] = {"$ref": f"#/components/schemas/{method.output_type.full_name}"}


def finish_message(schema: Node, message: Descriptor) -> None:
    """Add to a message what our options say of its fields, and which of them exclude each other.

    A field of a oneof is marked REQUIRED where one of them is, which the generator takes for all of them.
    """
    properties = schema.get("properties", {})
    for name, field in message.fields_by_camelcase_name.items():
        if name in properties:
            finish_field(properties[name], field)
    single = {field.camelcase_name for oneof in message.oneofs for field in members(oneof)}
    schema["required"] = [name for name in schema.get("required", ()) if name not in single]
    choices = [choice(oneof) for oneof in message.oneofs if members(oneof)]
    for stale in ("oneOf", "allOf", *(("required",) if not schema["required"] else ())):
        schema.pop(stale, None)
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["allOf"] = choices


def members(oneof: OneofDescriptor) -> list[FieldDescriptor]:
    """Return the fields of a oneof; none for that of a field that is only marked `optional`."""
    return [] if oneof.name == f"_{oneof.fields[0].name}" else list(oneof.fields)


def choice(oneof: OneofDescriptor) -> Node:
    """Return the rule that one field of a oneof is there, or none where the oneof may be left empty."""
    each: list[Node] = [{"required": [field.camelcase_name]} for field in members(oneof)]
    if field_behavior_pb2.REQUIRED in behavior(oneof.fields[0]):
        return {"oneOf": each}
    return {"oneOf": [*each, {"not": {"anyOf": [dict(one) for one in each]}}]}


def behavior(field: FieldDescriptor) -> list[int]:
    """Return how a field is marked."""
    return list(field.GetOptions().Extensions[BEHAVIOR])


def finish_field(schema: Node, field: FieldDescriptor) -> None:
    """Add to a field's schema its bound, its form, and that it is secret."""
    options = field.GetOptions()
    bound = options.Extensions[BOUND]
    if options.debug_redact:
        schema["format"] = "password"
    if options.Extensions[INFO].format == field_info_pb2.FieldInfo.UUID4:
        schema["format"] = "uuid"
    if bound.key_length:
        schema["propertyNames"] = {"maxLength": bound.key_length}
    if bound.items:
        schema["maxProperties" if bound.key_length else "maxItems"] = bound.items
    if bound.length:
        inner = schema.get("items") or schema.get("additionalProperties") or schema
        inner["maxLength"] = bound.length


def all_methods() -> Iterator[MethodDescriptor]:
    """Yield every call of the contract, read off the stubs."""
    for path in sorted((ROOT / "protos" / "giftcard" / "v1").glob("*_service.proto")):
        stubs = importlib.import_module(f"giftcard.v1.{path.stem}_pb2")
        for service in stubs.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def below(method: MethodDescriptor) -> Iterator[Descriptor]:
    """Yield every message that a call's request or answer holds, however deep."""
    seen: set[str] = set()
    waiting = [method.input_type, method.output_type]
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            yield message
            waiting += [field.message_type for field in message.fields if field.message_type]


class Plain(yaml.SafeDumper):
    """YAML with long texts as blocks and no references."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out."""
        del data
        return True


def as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Return a text as YAML: as a block if it has several lines."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Plain.add_representer(str, as_block)


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(make(), encoding="utf-8")
