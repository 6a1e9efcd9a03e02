"""Envoy's routes say what the contract's service configuration says: how long, and what may be repeated."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.contract.described import all_methods

CHANGES_S = 45
"""Longer than the 30 s for which the gateway waits before it answers PENDING."""


class Ours(yaml.SafeLoader):
    """YAML as Envoy reads it: what is tagged `!ignore` only holds what others refer to."""


Ours.add_constructor("!ignore", lambda _, node: node.value)


@pytest.fixture(scope="module", name="listeners")
def read_listeners() -> Any:  # noqa: ANN401 - plain YAML has no narrower type
    """Return the listeners of envoy.yaml."""
    text = (ROOT / "deploy" / "envoy" / "envoy.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=Ours)["static_resources"]["listeners"]  # noqa: S506 - a safe loader


def door_of(listener: Any) -> Any:  # noqa: ANN401 - see read_listeners
    """Return what a listener does with a connection."""
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def route_of(listeners: Any, path: str) -> Any:  # noqa: ANN401 - see read_listeners
    """Return what becomes of a call."""
    routes = door_of(listeners[0])["route_config"]["virtual_hosts"][0]["routes"]
    return next(route["route"] for route in routes if is_match(route["match"], path))


def is_match(match: Any, path: str) -> bool:  # noqa: ANN401 - see read_listeners
    """Tell whether a route takes a path."""
    if "path" in match:
        return bool(match["path"] == path)
    return re.fullmatch(match["safe_regex"]["regex"], path) is not None


@pytest.mark.parametrize("name", all_methods())
def test_times_and_repeats_are_the_contract_s(listeners: Any, name: str) -> None:  # noqa: ANN401 - see above
    """Each read has the service configuration's time and tries; what changes something is tried once."""
    configured = json.loads((ROOT / "protos" / "grpc_service_config.json").read_text(encoding="utf-8"))
    service, _, call = name.rpartition(".")
    entry: Any = next(
        (one for one in configured["methodConfig"] if {"service": service, "method": call} in one["name"]), {}
    )
    route, method = route_of(listeners, f"/{service}/{call}"), all_methods()[name]
    is_endless = method.server_streaming or method.client_streaming
    assert route["timeout"] == entry.get("timeout", "0s" if is_endless else f"{CHANGES_S}s")
    if policy := entry.get("retryPolicy"):
        assert route["retry_policy"] == {
            "retry_on": ",".join(code.lower() for code in policy["retryableStatusCodes"]),
            "num_retries": policy["maxAttempts"] - 1,
            "retry_back_off": {
                "base_interval": policy["initialBackoff"],
                "max_interval": policy["maxBackoff"],
            },
        }
    else:
        assert "retry_policy" not in route


def test_both_ports_are_one_door(listeners: Any) -> None:  # noqa: ANN401 - see read_listeners
    """What holds without TLS holds with it, and neither is open to a network as it stands."""
    assert door_of(listeners[0]) == door_of(listeners[1])
    assert {one["address"]["socket_address"]["address"] for one in listeners} == {"127.0.0.1"}
