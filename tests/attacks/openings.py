"""Attacks on what may stand open: a listener without TLS, and a key of which the journal tells a little."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, suppress

import msgspec

from giftcard_gateway.access import api_keys
from tests.attacks.strangers import OURS, listed, make_key, sent, until_in
from tests.attacks.target import calls, channel, outcome, told, watched
from tests.e2e.processes import free_port, run
from tests.e2e.sandboxes import Sandbox, redemption, sandbox
from tests.patience import PATIENCE_S
from tests.world.certificates import Authority

PAN = "6045000000000061"
_SERVER = "GIFTCARD_GATEWAY__SERVER__"
_SECRETS = 150
"""More than one key's queue and one machine's budget hold."""


async def plaintext_in_the_open(target: Sandbox) -> str:
    """Serve every network without TLS; then speak plain text to a gateway that shows a certificate."""
    folder = target.data.parent / "open"
    folder.mkdir()
    words = ("serve", "--sandbox", "--data", "data", "--port", str(free_port()))
    refused = await asyncio.to_thread(run, *words, folder=folder, environ={f"{_SERVER}LISTEN": "0.0.0.0:0"})
    files = Authority(folder).issue("server", "127.0.0.1")
    table = {"CERTIFICATE_FILE": files.certificate, "KEY_FILE": files.key}
    environ = {f"{_SERVER}TLS__{name}": str(file) for name, file in table.items()}
    with sandbox(folder, environ=environ) as closed:
        async with channel(closed.port) as way:
            ended = await outcome(calls(way).gift_cards.Redeem(redemption(PAN), timeout=10))
        heard = await asyncio.to_thread(_answer, closed.port)
        # The handshake's failure is told on a thread of its own.
        closed.running.wait_until(lambda: "a TLS handshake failed" in closed.running.complained)
        reasons = Counter(re.findall(r"\b(?:WRONG_VERSION_NUMBER|HTTP_REQUEST)\b", closed.running.complained))
        is_known = PAN in closed.running.complained
        closed.running.stop()
    sentence = re.sub(r"\s+", " ", refused.stderr).strip()
    return (
        f"a listener on 0.0.0.0: exit {refused.returncode}, `{sentence[:90]}…`; a plain Redeem: {ended}; "
        f"plain HTTP hears {heard} bytes; log: {told(reasons)}, the card in it: {is_known}"
    )


def _answer(port: int) -> int:
    """Return how many bytes a gateway answers to plain HTTP with a card in it, an alert of TLS left out."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) as way:
        way.sendall(f"POST /{PAN} HTTP/1.1\r\nhost: gateway\r\n\r\n".encode())
        answer = b""
        # A connection that is cut is an answer of no bytes too.
        with suppress(ConnectionError):
            while part := way.recv(4096):
                answer += part
    return len(re.sub(rb"(?s)^\x15\x03.\x00\x02..", b"", answer))


async def known_hint(target: Sandbox) -> str:
    """Secrets that fit what the journal tells of one key, so that each costs a scrypt; others beside."""
    attacked, other, fresh = (make_key(target, name, OURS, "read") for name in ("till-7", "till-8", "till-9"))
    wrong = [f"gck_{attacked.split('_')[1]}_{secret}" for secret in _fitting(target, attacked)]
    async with channel(target.port) as way:
        await until_in(way, other, "OK")
        process = target.running.process.pid
        async with watched(target.port, process, sent(other)) as cost:
            attack = [asyncio.ensure_future(listed(way, one)) for one in wrong]
            await asyncio.sleep(0.1)
            began = time.monotonic()
            known = await listed(way, other)
            new = await listed(way, fresh)
            took_s = time.monotonic() - began
            ended = Counter(await asyncio.gather(*attack))
            await asyncio.sleep(1)
            later = await listed(way, fresh)
    return (
        f"{told(ended)}; a known key: {known}, a new one: {new} within {took_s * 1000:.0f} ms, "
        f"a second later: {later}; {cost}"
    )


def _fitting(target: Sandbox, text: str) -> Iterator[str]:
    """Give secrets whose quick hash is the one that the journal has of a key."""
    with closing(sqlite3.connect(target.data / "journal.db")) as journal:
        found = journal.execute("SELECT document FROM api_keys WHERE key_id = ?", (text.split("_")[1],))
        key = msgspec.json.decode(found.fetchone()[0], type=api_keys.ApiKey)
    number = count = 0
    while count < _SECRETS:
        number += 1
        if api_keys._hint(str(number), key.salt) == key.hint:  # noqa: SLF001 - what an attacker would write too
            count += 1
            yield str(number)


OPENINGS: Mapping[str, Callable[[Sandbox], Awaitable[str]]] = {
    attack.__name__: attack for attack in (plaintext_in_the_open, known_hint)
}
