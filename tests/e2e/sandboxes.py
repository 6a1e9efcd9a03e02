"""A running sandbox as a test sees it: the gateway by client or grpcurl, the simulators by HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from giftcard import Client, new_transaction_id, v1
from giftcard_simulators.catalogue import PORT, SANDBOXES, WEBHOOKS_PORT
from tests.conftest import ROOT
from tests.e2e.processes import Running, free_port, started
from tests.patience import PATIENCE_S

_ABOVE = {one.provider_id: one.port - PORT for one in SANDBOXES}
SIMULATORS = tuple(_ABOVE.values())
"""How far above the gateway's port each simulator listens."""
WEBHOOKS = WEBHOOKS_PORT - PORT
"""How far above the gateway's port webhooks are taken."""
ELECTRUM, GR4VY, JEUDIMERCI, GATEPAY = (
    _ABOVE[f"{name}-sandbox"] for name in ("electrum", "gr4vy", "jeudimerci", "gatepay")
)
Plain = dict[str, object]
_SMALL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass
class Sandbox:
    """A gateway that serves, with its simulators."""

    running: Running
    port: int

    @property
    def address(self) -> str:
        """Where the gateway is called."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The folder of its journal and keys."""
        return self.running.folder / "data"

    def client(self) -> Client:
        """Return a client of the gateway; close it."""
        return Client(self.address, plaintext=True)

    def get(self, simulator: int, name: str) -> list[Plain]:
        """Return one of a simulator's lists: cards, effects or faults."""
        url = f"http://127.0.0.1:{self.port + simulator}/_sandbox/{name}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return cast("list[Plain]", json.load(answer)[name])

    def reset(self, *simulators: int) -> None:
        """Open simulators' books anew."""
        for simulator in simulators:
            self._post(simulator, "reset", b"")

    def spoil(self, simulator: int, *faults: Mapping[str, object]) -> None:
        """Script what goes wrong at a simulator."""
        self._post(simulator, "faults", json.dumps(faults).encode())

    def _post(self, simulator: int, name: str, body: bytes) -> None:
        url = f"http://127.0.0.1:{self.port + simulator}/_sandbox/{name}"
        asked = urllib.request.Request(url, data=body, method="POST")
        urllib.request.urlopen(asked, timeout=PATIENCE_S).close()  # noqa: S310 - as above


@contextmanager
def sandbox(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """Start `serve --sandbox` on free ports, and wait until it answers."""
    port = free_port()
    words = ("serve", "--sandbox", "--port", str(port), "--data", "data", *arguments)
    with started(*words, folder=folder, environ=environ) as running:
        running.wait_until(lambda: "Ctrl-C stops" in running.said)
        yield Sandbox(running, port)


def redemption(card: str) -> v1.RedeemRequest:
    """Return a request for one rand from a card, with an id of its own."""
    request = v1.RedeemRequest(transaction_id=new_transaction_id())
    request.card.number.pan = card
    request.amount.currency_code, request.amount.units = "ZAR", 1
    return request


def grpcurl_program() -> str:
    """Return the real grpcurl; skip the test where there is none."""
    found = shutil.which("grpcurl", path=f"{ROOT / '.tools' / 'bin'}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("grpcurl is not on this machine")
    return found


def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real grpcurl without TLS."""
    return _call([grpcurl_program(), "-plaintext", *arguments])


def answer_of(address: str, method: str, content: Mapping[str, object] | None = None) -> Plain:
    """Return what one unary call answers, by grpcurl; fail when it fails."""
    done = grpcurl("-d", json.dumps(content or {}), address, method)
    assert done.returncode == 0, done.stderr
    (answer,) = answers_in(done.stdout)
    return answer


def answers_in(output: str) -> list[Plain]:
    """Read the answers grpcurl printed one after another, with the contract's own names."""
    return [cast("Plain", _with_our_names(answer)) for answer in values_in(output)]


def values_in(text: str) -> Iterator[Plain]:
    """Read the JSON values written one after another, with or without space between them."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].strip()


def _with_our_names(content: object) -> object:
    """Undo the camel case that grpcurl's releases write and its development builds do not."""
    if isinstance(content, list):
        return [_with_our_names(one) for one in content]
    if isinstance(content, dict):
        return {_SMALL.sub("_", key).lower(): _with_our_names(value) for key, value in content.items()}
    return content


def shell(commands: str) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell as a reader would paste them, with grpcurl in reach."""
    path = f"{Path(grpcurl_program()).parent}:{os.environ['PATH']}"
    return _call(["/bin/sh", "-e", "-c", commands], {**os.environ, "PATH": path})


def _call(
    command: Sequence[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environ
    )
