"""Plays every golden exchange of every provider: the exact request, and what is made of the answer.

The format is in golden/README.md. No provider is named here.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import httpx
import msgspec
import pytest

from giftcard_adapters.codec import from_plain, to_plain
from giftcard_adapters.contract import Provider
from giftcard_adapters.errors import AdapterError, Invalid, Refused
from giftcard_adapters.http import Moment
from giftcard_adapters.model import Advice, AnyOperation, MoneyOperation, Outcome
from giftcard_adapters.reads import Webhook
from giftcard_adapters.stanza import find_adapter, open_provider, read_settings

T = TypeVar("T")
Plain = dict[str, Any]

FOLDER = Path(__file__).parent / "golden"
JSON = msgspec.json.Encoder(decimal_format="number")
FAULTS: dict[str, type[httpx.TransportError]] = {
    "refused": httpx.ConnectError,
    "timeout": httpx.ReadTimeout,
    "cut": httpx.ReadError,
}


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request as it must be, and the reply to play."""

    request: Plain
    reply: Plain


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One golden file, or one of its variants."""

    name: str
    fact: str
    method: str
    provider: Plain
    settings: Plain = {}
    moment: Moment = Moment(now_s=0.0, nonce="0" * 32)
    ask: Any = None
    arguments: Plain = {}
    request: Plain | None = None
    reply: Plain | None = None
    exchanges: tuple[Exchange, ...] = ()
    outcome: Any = None
    raises: Plain | None = None

    def script(self) -> tuple[Exchange, ...]:
        """Give the exchanges in order, none when nothing is to be sent."""
        if self.request is None or self.reply is None:
            return self.exchanges
        return (Exchange(self.request, self.reply), *self.exchanges)


class Stage(httpx.AsyncBaseTransport):
    """Compares each request with the script and plays its reply."""

    def __init__(self, script: Sequence[Exchange]) -> None:
        """Keep what is still to come."""
        self.left = list(script)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Compare one request; raise the fault or return the reply."""
        assert self.left, f"one request too many: {request.method} {request.url.raw_path.decode()}"
        exchange = self.left.pop(0)
        compare(exchange.request, request, await request.aread())
        reply = exchange.reply
        if "fault" in reply:
            raise FAULTS[reply["fault"]]("as the golden says")
        body = JSON.encode(reply["body"]) if "body" in reply else reply.get("text", "").encode()
        return httpx.Response(reply["status"], headers=reply.get("headers"), content=body)


def compare(golden: Mapping[str, Any], request: httpx.Request, body: bytes) -> None:
    """Assert that a request is the golden one."""
    unknown = golden.keys() - {"method", "path", "headers", "body", "text"}
    assert not unknown, f"a golden request has no {unknown}"
    assert (request.method, request.url.raw_path.decode()) == (golden["method"], golden["path"])
    for name, value in golden.get("headers", {}).items():
        sent = request.headers.get(name)
        if isinstance(value, dict):
            assert re.fullmatch(value["matches"], sent or ""), f"header {name} is {sent!r}"
        else:
            assert sent == value, f"header {name}"
    if "body" in golden:
        assert json.loads(body, parse_float=Decimal) == golden["body"]
    else:
        assert body.decode() == golden.get("text", "")


def goldens() -> Iterator[Any]:
    """Give every golden of every folder, with its variants, as a pytest parameter."""
    for home in sorted(FOLDER.glob("*/provider.json")):
        provider = read(home)
        for path in sorted(home.parent.glob("**/*.json")):
            if path == home:
                continue
            for plain in variants(read(path)):
                golden = msgspec.convert({**plain, "provider": provider}, Golden)
                yield pytest.param(golden, id=f"{home.parent.name}/{path.stem}/{golden.name}")


def read(path: Path) -> Plain:
    """Read a JSON file with its decimals exact."""
    plain: Plain = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return plain


def variants(plain: Plain) -> Iterator[Plain]:
    """Give a golden, or each of its variants."""
    given = plain.pop("variants", [{}])
    for changes in given:
        changed = copy.deepcopy(plain)
        for path, value in changes.items():
            place(changed, path.split("."), value)
        yield changed


def place(plain: Plain | list[Any], path: list[str], value: object) -> None:
    """Set a value at a path of keys; numbers are places in a list."""
    *way, last = path
    for key in way:
        plain = plain[int(key)] if isinstance(plain, list) else plain.setdefault(key, {})
    if isinstance(plain, list):
        plain[int(last)] = value
    else:
        plain[last] = value


def open_golden(golden: Golden, stage: Stage) -> Provider:
    """Open the adapter on the script, from a stanza as an operator would write it."""
    adapter = find_adapter(golden.provider["adapter"])
    stanza = {**golden.provider["settings"], **golden.settings}
    settings = read_settings(adapter, {key: value for key, value in stanza.items() if value is not None})
    return open_provider(adapter, settings, transport=stage, moment=lambda: golden.moment)


async def run(golden: Golden, provider: Provider) -> object:
    """Call the method and return what it gave, as plain data."""
    if golden.method in {"confirm", "reverse"}:
        return await run_advice(golden, provider)
    result = getattr(provider, golden.method)(**arguments(golden, provider))
    if isinstance(result, AbstractAsyncContextManager):
        async with result as (file, pieces):
            return {**as_json(file), "text": await joined(pieces)}
    return as_json(await result if isawaitable(result) else result)


async def run_advice(golden: Golden, provider: Provider) -> object:
    """Write an advice and deliver each of its calls, as the gateway would."""
    given = golden.arguments
    ask = read_as(MoneyOperation, golden.ask)
    advice = read_as(Advice, given["advice"])
    if golden.method == "confirm":
        calls = provider.confirmation(ask, read_as(Outcome, given["outcome"]), advice)
    else:
        known = given.get("outcome")
        calls = provider.reversal(ask, None if known is None else read_as(Outcome, known), advice)
    age_s = float(given.get("age_s", 0.0))
    return [as_json(await provider.deliver(call, advice, age_s=age_s)) for call in calls]


async def joined(pieces: AsyncIterator[bytes]) -> str:
    """Read a download to its end."""
    return b"".join([piece async for piece in pieces]).decode()


def arguments(golden: Golden, provider: Provider) -> dict[str, object]:
    """Read the golden's arguments as the types the method declares."""
    given = {**({} if golden.ask is None else {"ask": golden.ask}), **golden.arguments}
    hints = get_type_hints(getattr(provider, golden.method))
    return {name: read_as(hints[name], value) for name, value in given.items()}


def read_as(kind: type[T], plain: object) -> T:
    """Read plain data as a model type."""
    if kind is MoneyOperation:
        return from_plain(plain, AnyOperation)  # type: ignore[arg-type]  # msgspec reads a union by its tags
    if kind is Webhook and isinstance(plain, dict):
        plain = {**plain, "body": base64.b64encode(plain["body"].encode()).decode()}
    return from_plain(plain, kind)


def as_json(result: object) -> Any:  # noqa: ANN401 - JSON is whatever the method gave
    """Write a result as the plain data a JSON file can hold."""
    return json.loads(msgspec.json.encode(to_plain(result)), parse_float=Decimal)


def complaint(error: AdapterError, wanted: Mapping[str, Any]) -> dict[str, object]:
    """Say of an error what the golden says of it."""
    said: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, Refused):
        said["decline"] = as_json(error.decline)
    if isinstance(error, Invalid):
        said["violations"] = [list(violation) for violation in error.violations]
    if "text" in wanted:
        said["text"] = str(error)
    return said


@pytest.mark.parametrize("golden", [*goldens()])
async def test_golden(golden: Golden) -> None:
    """The adapter sends exactly the golden request and understands the reply as the golden says."""
    stage = Stage(golden.script())
    provider = open_golden(golden, stage)
    if golden.raises is None:
        assert await run(golden, provider) == golden.outcome, golden.fact
    else:
        with pytest.raises(AdapterError) as caught:
            await run(golden, provider)
        assert complaint(caught.value, golden.raises) == golden.raises, golden.fact
    assert not stage.left, "the adapter sent fewer requests than the golden has"
