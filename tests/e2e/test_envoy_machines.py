"""Whose a call is that came through the door: the machine before the real Envoy, if the gateway trusts it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.envoys import Door, door
from tests.e2e.sandboxes import sandbox
from tests.e2e.test_secure import KEYS, SERVER
from tests.patience import PATIENCE_S

LIMITS = "GIFTCARD_GATEWAY__LIMITS__"
TRIES = 3
FEW = KEYS | {f"{LIMITS}WRONG_CREDENTIALS": str(TRIES), f"{LIMITS}WRONG_CREDENTIAL_EVERY_S": "86400"}
TRUSTED = {f"{SERVER}TRUSTED_PROXIES": "127.0.0.1"}
TILL, OFFICE = "127.0.0.2", "127.0.0.3"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is this machine elsewhere")


def guessed(opened: Door, machine: str, headers: Mapping[str, str] | None = None) -> int:
    """Call with a wrong key from a machine, and return the status."""
    connection = HTTPConnection(
        "127.0.0.1", opened.ports["plain"], source_address=(machine, 0), timeout=PATIENCE_S
    )
    shown = {"authorization": "Bearer gck_nobody_nothing", **(headers or {})}
    try:
        connection.request("GET", "/v1/providers", headers=shown)
        return connection.getresponse().status
    finally:
        connection.close()


def test_each_machine_behind_a_trusted_door_has_its_own_budget(tmp_path: Path) -> None:
    """Who guesses is stopped alone, whatever `x-forwarded-for` they write themselves."""
    with sandbox(tmp_path, environ=FEW | TRUSTED) as gateway, door(tmp_path / "door", gateway.port) as opened:
        lies = [{"x-forwarded-for": f"198.51.100.{number}"} for number in range(TRIES)]
        assert [guessed(opened, TILL, lie) for lie in lies] == [401] * TRIES
        assert guessed(opened, TILL, {"x-forwarded-for": OFFICE}) == 429
        assert guessed(opened, TILL) == 429
        assert guessed(opened, OFFICE) == 401


def test_a_door_that_is_not_trusted_is_one_machine(tmp_path: Path) -> None:
    """By default nobody is believed: all who come through the door are counted together."""
    with sandbox(tmp_path, environ=FEW) as gateway, door(tmp_path / "door", gateway.port) as opened:
        assert [guessed(opened, TILL) for _ in range(TRIES)] == [401] * TRIES
        assert guessed(opened, OFFICE) == 429
