"""The golden exchanges as messages, each with the wire format that it must fit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from giftcard_conformance.golden import variants
from giftcard_simulators.sandbox import SimRequest
from tests.specs.formats import wire_format
from tests.specs.validating import WireFormat

GOLDENS = Path(__file__).resolve().parents[1] / "adapters" / "golden"
PROVIDERS = sorted(path.parent.name for path in GOLDENS.glob("*/provider.json"))

encode = msgspec.json.Encoder(decimal_format="number").encode


def goldens(provider: str) -> list[Path]:
    """Return the golden files of a provider."""
    return [path for path in sorted((GOLDENS / provider).glob("*.json")) if path.stem != "provider"]


def exchanges(golden: Mapping[str, Any]) -> Iterator[tuple[SimRequest, Mapping[str, Any]]]:
    """Give each request of a golden as the adapter sends it, with its reply; most headers left out."""
    single = [golden] if golden.get("request") and golden.get("reply") else []
    for exchange in [*single, *golden.get("exchanges", [])]:
        asked = exchange["request"]
        path, _, query = asked["path"].partition("?")
        body = encode(asked["body"]) if "body" in asked else asked.get("text", "").encode()
        yield SimRequest(method=asked["method"], path=path, query=query, body=body), exchange["reply"]


def requests(path: Path) -> Iterator[tuple[WireFormat, SimRequest]]:
    """Give the requests of a golden and of its variants, each with the wire format its settings choose."""
    stanza = json.loads((path.parent / "provider.json").read_text(encoding="utf-8"))["settings"]
    for golden in variants(path):
        reader = wire_format(path.parent.name, {**stanza, **golden.get("settings", {})})
        yield from ((reader, request) for request, _ in exchanges(golden))
