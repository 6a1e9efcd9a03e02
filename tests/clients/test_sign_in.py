"""What a client signs in with, what keeps that from being read, and what it says of a failed handshake."""

from __future__ import annotations

import pytest

from giftcard import AsyncClient, Client
from giftcard.handshakes import explain
from tests.clients.scripted import ScriptedGateway

LOST = "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:5: "
LOST_ALL = "connections to all backends failing; last error: UNAVAILABLE: ipv4:1.2.3.4:5: "


async def test_a_fresh_token_goes_with_every_attempt(address: str, gateway: ScriptedGateway) -> None:
    """A token is asked for before each attempt and sent beside the caller's own metadata."""
    fresh = iter(["one", "two"])
    async with AsyncClient(
        address, plaintext=True, token=lambda: next(fresh), metadata=lambda: (("x-till", "7"),)
    ) as client:
        for _ in range(2):
            await client.list_providers()
    sent = [dict(one.metadata) for one in gateway.seen]
    assert [one["authorization"] for one in sent] == ["Bearer one", "Bearer two"]
    assert all(one["x-till"] == "7" for one in sent)


@pytest.mark.parametrize(
    "target",
    ["gateway.example:50051", "10.0.0.7:1", "127.0.0.1.example:1", "localhost.example:1", "dns:///gateway:1"],
)
def test_a_token_is_not_sent_for_all_to_read(target: str) -> None:
    """A token over plain text is refused unless the gateway is on this machine."""
    for client in (Client, AsyncClient):
        with pytest.raises(ValueError, match="use TLS"):
            client(target, plaintext=True, token="t")


@pytest.mark.parametrize("target", ["127.0.0.1:1", "localhost:1", "[::1]:1"])
def test_a_sandbox_takes_tokens_too(target: str) -> None:
    """On loopback nobody reads along."""
    Client(target, plaintext=True, token="t").close()
    Client("gateway.example:1", token="t").close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (f"{LOST}Ssl handshake failed: WRONG_VERSION_NUMBER", "plaintext=True"),
        (f"{LOST}Tls handshake failed: CERTIFICATE_VERIFY_FAILED: unable to get", "tls_credentials(...)"),
        (f"{LOST}Socket closed", "closes plaintext=True"),
        (f"{LOST_ALL}Socket closed", "closes plaintext=True"),
        (f"{LOST}TLSV1_ALERT_UNKNOWN_CA", "certificate"),
    ],
)
def test_a_failed_handshake_says_what_to_do(words: str, sentence: str) -> None:
    """What gRPC says of a handshake comes after a sentence that says what to do."""
    told = explain(words)
    assert sentence in told.partition(" (failed")[0]
    assert words in told


@pytest.mark.parametrize("words", ["", "Socket closed", f"{LOST}Connection refused", "WRONG_VERSION_NUMBER"])
def test_other_failures_are_told_as_they_are(words: str) -> None:
    """Nothing is explained that is no failed handshake."""
    assert explain(words) == words
