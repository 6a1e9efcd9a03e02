"""Holds messages against a provider's wire format: what was sent to it, and what it answered.

A wire format is an OpenAPI document. Ours are the files beside this module, one for each provider or dialect;
a provider's own is read in the same way. What the messages mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from giftcard_simulators.sandbox import Plain, SimAnswer, SimRequest, Simulator
from tests.specs.schemas import FORMATS, Json, Schema

HERE = Path(__file__).resolve().parent

_METHODS = ("get", "put", "post", "delete")
_REFUSED = 400
_PLAIN_HEADERS = frozenset({"content-type", "content-length", "date"})
"""Headers of an answer that need no describing."""


class WireFormat(Protocol):
    """Whatever can tell a right message from a wrong one: an OpenAPI document, or a provider's own SDK."""

    def name_of(self, request: SimRequest) -> str:
        """Return the operation a request asks for; raise LookupError when there is none."""

    def message_faults(self, request: SimRequest) -> list[str]:
        """Say what is wrong with a request's path, query and body."""

    def request_faults(self, request: SimRequest) -> list[str]:
        """Say what is wrong with a request, its headers and credentials included."""

    def answer_faults(self, request: SimRequest, answer: SimAnswer) -> list[str]:
        """Say what is wrong with the answer to a request."""

    def answer_schema(self, request: SimRequest, status: int) -> Schema | None:
        """Return what the body of the answer to a request may hold; None where none is described."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a document; `path` matches its paths and names the parameters in them."""

    name: str
    method: str
    template: str
    path: re.Pattern[str]
    parameters: tuple[Json, ...]
    request_body: Json | None
    responses: Json
    schemes: tuple[Json, ...]


class Document:
    """A wire format as an OpenAPI 3.1 document tells it."""

    def __init__(self, content: Json) -> None:
        """Read the operations; a path without parameters goes before one with."""
        self.content = content
        found = sorted(self._operations(), key=lambda one: one.template.count("{"))
        self.operations = {one.name: one for one in found}

    def resolve(self, part: Json) -> Json:
        """Return what a part refers to, or the part itself."""
        if "$ref" not in part:
            return part
        found = self.content
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found

    def find(self, method: str, path: str) -> Operation:
        """Return the operation at a path; raise LookupError when there is none."""
        for one in self.operations.values():
            if one.method == method and one.path.fullmatch(path):
                return one
        raise LookupError(f"no such operation is described: {method} {path}")

    def name_of(self, request: SimRequest) -> str:
        """Return the operation a request asks for; raise LookupError when there is none."""
        return self.find(request.method, request.path).name

    def request_faults(self, request: SimRequest) -> list[str]:
        """Say what is wrong with a request, its headers and credentials included."""
        operation = self.find(request.method, request.path)
        return [
            *self.message_faults(request),
            *self._parameter_faults(operation, "header", request.headers),
            *_credential_faults(operation, request.headers),
        ]

    def message_faults(self, request: SimRequest) -> list[str]:
        """Say what is wrong with a request's path, query and body."""
        operation = self.find(request.method, request.path)
        found = operation.path.fullmatch(request.path)
        places = {name: unquote(text) for name, text in found.groupdict().items()} if found else {}
        query = request.parameters()
        known = {one["name"] for one in operation.parameters if one["in"] == "query"}
        return [
            *self._parameter_faults(operation, "path", places),
            *self._parameter_faults(operation, "query", query),
            *(f"query {name}: not described" for name in query.keys() - known),
            *self._content_faults(operation.request_body or {}, request.body),
        ]

    def answer_faults(self, request: SimRequest, answer: SimAnswer) -> list[str]:
        """Say what is wrong with the answer to a request: status, headers, body."""
        responses = self.find(request.method, request.path).responses
        if str(answer.status) not in responses:
            return [f"status {answer.status}: not described"]
        response = self.resolve(responses[str(answer.status)])
        return [
            *self._header_faults(response.get("headers", {}), answer.headers),
            *self._content_faults(response, answer.body),
        ]

    def answer_schema(self, request: SimRequest, status: int) -> Schema | None:
        """Return what the body of the answer to a request may hold; None where none is described."""
        responses = self.find(request.method, request.path).responses
        response = self.resolve(responses.get(str(status), {}))
        described = response.get("content", {}).get("application/json", {}).get("schema")
        return None if described is None else Schema(self.content, described)

    def event_faults(self, name: str, event: SimRequest) -> list[str]:
        """Say what is wrong with a provider's call to us."""
        operation = self._operation("post", name, self.content["webhooks"][name], security=[])
        return [
            *self._parameter_faults(operation, "header", event.headers),
            *self._content_faults(operation.request_body or {}, event.body),
        ]

    def schema_faults(self, value: object, schema: Json) -> list[str]:
        """Say what of a value does not fit a schema of this document."""
        # References begin at the root of what is validated.
        rooted = {**schema, "components": self.content.get("components", {})}
        validator = Draft202012Validator(rooted, format_checker=FORMATS)
        faults = (best_match([fault]) for fault in validator.iter_errors(value))
        return [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in faults]

    def words(self, schema: str, *fields: str) -> set[object]:
        """Return the words of an enum: of a schema, or of a field in it."""
        part: Json = self.content["components"]["schemas"][schema]
        for field in fields:
            part = self.resolve(part["properties"][field])
        return set(part["enum"])

    def _operations(self) -> Iterator[Operation]:
        security = self.content.get("security", [])
        for template, item in self.content["paths"].items():
            for method in _METHODS:
                if method in item:
                    yield self._operation(method, template, item, security=security)

    def _operation(self, method: str, template: str, item: Json, *, security: list[Json]) -> Operation:
        told = item[method]
        schemes = self.content.get("components", {}).get("securitySchemes", {})
        body = told.get("requestBody")
        return Operation(
            name=told["operationId"],
            method=method.upper(),
            template=template,
            path=self._path(template),
            parameters=tuple(map(self.resolve, [*item.get("parameters", []), *told.get("parameters", [])])),
            request_body=None if body is None else self.resolve(body),
            responses=told["responses"],
            schemes=tuple(schemes[name] for one in security for name in one),
        )

    def _path(self, template: str) -> re.Pattern[str]:
        bases = {urlsplit(server["url"]).path.rstrip("/") for server in self.content.get("servers", [])}
        named = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        return re.compile(f"(?:{'|'.join(map(re.escape, sorted(bases)))}){named}")

    def _parameter_faults(self, operation: Operation, place: str, given: Mapping[str, str]) -> Iterator[str]:
        for one in operation.parameters:
            if one["in"] == place:
                name = one["name"].lower() if place == "header" else one["name"]
                if name in given:
                    yield from self._text_faults(f"{place} {name}", given[name], one["schema"])
                elif one.get("required"):
                    yield f"{place} {name}: missing"

    def _header_faults(self, described: Json, given: Mapping[str, str]) -> Iterator[str]:
        known = {name.lower(): self.resolve(one) for name, one in described.items()}
        for name, one in known.items():
            if name in given:
                yield from self._text_faults(f"header {name}", given[name], one["schema"])
            elif one.get("required"):
                yield f"header {name}: missing"
        yield from (f"header {name}: not described" for name in given.keys() - known.keys() - _PLAIN_HEADERS)

    def _text_faults(self, place: str, text: str, schema: Json) -> list[str]:
        is_number = self.resolve(schema).get("type") == "integer"
        value = int(text) if is_number and text.isdecimal() else text
        return [f"{place}{fault}" for fault in self.schema_faults(value, schema)]

    def _content_faults(self, holder: Json, body: bytes) -> list[str]:
        if "content" not in holder:
            return ["a body, where none is described"] if body else []
        if not body:
            return ["no body"] if holder.get("required", True) else []
        schema = holder["content"].get("application/json", {}).get("schema")
        if schema is None:
            return []
        try:
            return self.schema_faults(msgspec.json.decode(body), schema)
        except msgspec.DecodeError:
            return ["the body is not JSON"]


def _credential_faults(operation: Operation, headers: Mapping[str, str]) -> Iterator[str]:
    for scheme in operation.schemes:
        if scheme["type"] == "apiKey":
            if not headers.get(scheme["name"].lower()):
                yield f"header {scheme['name']}: missing"
        elif not headers.get("authorization", "").lower().startswith(f"{scheme['scheme']} "):
            yield f"header authorization: not {scheme['scheme']}"


class Watched(Simulator):
    """A simulator whose every exchange must fit a wire format; `seen` has the operations and statuses."""

    def __init__(
        self, inner: Simulator, wire_format: WireFormat, *, may_be_asked_wrongly: bool = False
    ) -> None:
        """Keep both; asked wrongly on purpose, a request that is refused need not fit."""
        super().__init__(now=inner.now, ids=inner.ids)
        self.name = inner.name
        self.inner = inner
        self.seen: set[tuple[str, int]] = set()
        self._wire_format = wire_format
        self._may_be_asked_wrongly = may_be_asked_wrongly

    def answer(self, request: SimRequest) -> SimAnswer:
        """Answer; raise AssertionError when the request or the answer is not as described."""
        answer = self.inner.answer(request)
        name = self._wire_format.name_of(request)
        faults = [f"answer {fault}" for fault in self._wire_format.answer_faults(request, answer)]
        if answer.status < _REFUSED or not self._may_be_asked_wrongly:
            faults += [f"request {fault}" for fault in self._wire_format.request_faults(request)]
        assert not faults, f"{name} {answer.status}: {'; '.join(faults)}"
        self.seen.add((name, answer.status))
        return answer

    def reset(self) -> None:
        """Reset the simulator; what was seen stays."""
        self.inner.reset()

    def cards(self) -> list[Plain]:
        """Return the simulator's cards."""
        return list(self.inner.cards())

    def effects(self) -> list[Plain]:
        """Return the simulator's effects."""
        return list(self.inner.effects())

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Tamper with an answer, as the simulator does."""
        return self.inner.tamper(answer)

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Fail as the simulator does."""
        return self.inner.failure(status, request)


@cache
def described(name: str) -> Document:
    """Read one of our descriptions, such as `electrum`; raise FileNotFoundError when there is none."""
    if not (HERE / f"{name}.yaml").is_file():
        raise FileNotFoundError(f"describe what goes over the wire in tests/specs/{name}.yaml")
    return Document(msgspec.yaml.decode((HERE / f"{name}.yaml").read_bytes(), type=Json))


def third_party_bytes(file_name: str) -> bytes:
    """Read a document of others beside the repository; only for tests marked `specs`."""
    return (HERE.parents[2] / "shared" / "specs" / file_name).read_bytes()


@cache
def third_party(file_name: str) -> Document:
    """Read a document of others as a wire format; only for tests marked `specs`."""
    return Document(msgspec.json.decode(third_party_bytes(file_name), type=Json))
