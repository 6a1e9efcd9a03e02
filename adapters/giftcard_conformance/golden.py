"""Golden exchanges: what an adapter sends and what it makes of the answer, kept as JSON files.

The format is in docs/adding-a-provider.md. No provider is named here, and no test runner is needed.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from giftcard_adapters.calls import Moment
from giftcard_adapters.codec import from_plain, to_plain
from giftcard_adapters.contract import Provider, has
from giftcard_adapters.errors import AdapterError, Invalid, Refused
from giftcard_adapters.stanza import find_adapter, open_provider, read_settings
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.operations import AnyOperation, MoneyOperation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import Webhook
from giftcard_conformance.subject import NotConforming, demand
from giftcard_conformance.suite import Case
from giftcard_conformance.wires import GoldenExchange, JsonObject, Playback, Transport, demand_same

T = TypeVar("T")

_ADVISED = {"confirm": ("confirmation", "deliver"), "reverse": ("reversal", "deliver")}
"""The methods behind `confirm` and `reverse` in a golden."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One golden file, or one of its variants; what each key means is in docs/adding-a-provider.md."""

    name: str
    fact: str
    method: str
    provider: JsonObject
    settings: JsonObject = {}
    moment: Moment = Moment(now_s=0.0, nonce="0" * 32)
    ask: Any = None
    arguments: JsonObject = {}
    request: JsonObject | None = None
    reply: JsonObject | None = None
    exchanges: tuple[GoldenExchange, ...] = ()
    outcome: Any = None
    raises: JsonObject | None = None

    def script(self) -> tuple[GoldenExchange, ...]:
        """Give the exchanges in order, none when nothing is to be sent."""
        if self.request is None or self.reply is None:
            return self.exchanges
        return (GoldenExchange(self.request, self.reply), *self.exchanges)


def goldens(folder: Path) -> Iterator[Case]:
    """Give every golden below `folder`, with its variants, as a case for whichever test runner there is.

    Each folder that holds a `provider.json` is one provider's.
    """
    for home in sorted(folder.glob("**/provider.json")):
        provider = _read(home)
        for path in sorted(home.parent.glob("**/*.json")):
            for plain in variants(path) if path != home else ():
                golden = msgspec.convert({**plain, "provider": provider}, Golden)
                yield Case(f"{home.parent.name}/{path.stem}/{golden.name}", partial(play, golden))


def variants(path: Path) -> Iterator[JsonObject]:
    """Give what a golden file holds as plain data: the golden, or each of its variants."""
    plain = _read(path)
    given = plain.pop("variants", [{}])
    for changes in given:
        changed = copy.deepcopy(plain)
        for place, value in changes.items():
            _place(changed, place.split("."), value)
        yield changed


async def answered(golden: Golden, transport: Transport) -> object:
    """Make a golden's call with something else to answer it; return what it gave, as plain data.

    Nothing is compared; what the adapter raises comes out.
    """
    return await _run(golden, _open(golden, transport))


async def play(golden: Golden) -> None:
    """Raise NotConforming unless the adapter sends the golden request and reads the reply as it says."""
    playback = Playback(golden.script())
    provider = _open(golden, playback)
    for method in _ADVISED.get(golden.method, (golden.method,)):
        demand(
            has(provider, method),
            f"{type(provider).__name__} has no {method}: write it, or take this golden away",
        )
    if golden.raises is None:
        demand_same(golden.fact, await _run(golden, provider), golden.outcome)
    else:
        await _demand_raised(golden, provider, golden.raises)
    demand(not playback.left, "the adapter sent fewer requests than the golden has")


async def _demand_raised(golden: Golden, provider: Provider, wanted: JsonObject) -> None:
    try:
        await _run(golden, provider)
    except AdapterError as error:
        demand_same(golden.fact, _complaint(error, wanted), wanted)
    else:
        raise NotConforming(f"{golden.method} raised nothing, the golden has {wanted['error']}")


def _read(path: Path) -> JsonObject:
    plain: JsonObject = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return plain


def _place(plain: JsonObject | list[Any], path: list[str], value: object) -> None:
    """Set a value at a path of keys; numbers are places in a list."""
    *way, last = path
    for key in way:
        plain = plain[int(key)] if isinstance(plain, list) else plain.setdefault(key, {})
    if isinstance(plain, list):
        plain[int(last)] = value
    else:
        plain[last] = value


def _open(golden: Golden, transport: Transport) -> Provider:
    """Open the adapter on what answers, from a stanza as an operator would write it."""
    adapter = find_adapter(golden.provider["adapter"])
    stanza = {**golden.provider["settings"], **golden.settings}
    settings = read_settings(adapter, {key: value for key, value in stanza.items() if value is not None})
    return open_provider(adapter, settings, transport=transport, moment=lambda: golden.moment)


async def _run(golden: Golden, provider: Provider) -> object:
    """Call the method and return what it gave, as plain data."""
    if golden.method in _ADVISED:
        return await _run_advice(golden, provider)
    result = getattr(provider, golden.method)(**_arguments(golden, provider))
    if isinstance(result, AbstractAsyncContextManager):
        async with result as (file, pieces):
            return {**_as_json(file), "text": await _joined(pieces)}
    return _as_json(await result if isawaitable(result) else result)


async def _run_advice(golden: Golden, provider: Provider) -> object:
    """Write an advice and deliver each of its calls, as the gateway would."""
    given = golden.arguments
    ask = _read_as(MoneyOperation, golden.ask)
    advice = _read_as(Advice, given["advice"])
    if golden.method == "confirm":
        calls = provider.confirmation(ask, _read_as(Outcome, given["outcome"]), advice)
    else:
        known = given.get("outcome")
        calls = provider.reversal(ask, None if known is None else _read_as(Outcome, known), advice)
    age_s = float(given.get("age_s", 0.0))
    return [_as_json(await provider.deliver(call, advice, age_s=age_s)) for call in calls]


async def _joined(pieces: AsyncIterator[bytes]) -> str:
    return b"".join([piece async for piece in pieces]).decode(errors="replace")


def _arguments(golden: Golden, provider: Provider) -> dict[str, object]:
    """Read the golden's arguments as the types the method declares."""
    given = {**({} if golden.ask is None else {"ask": golden.ask}), **golden.arguments}
    hints = get_type_hints(getattr(provider, golden.method))
    return {name: _read_as(hints[name], value) for name, value in given.items()}


def _read_as(kind: type[T], plain: object) -> T:
    if kind is MoneyOperation:
        return from_plain(plain, AnyOperation)  # type: ignore[arg-type]  # msgspec reads a union by its tags
    if kind is Webhook and isinstance(plain, dict):
        plain = {**plain, "body": base64.b64encode(plain["body"].encode()).decode()}
    return from_plain(plain, kind)


def _as_json(result: object) -> Any:  # noqa: ANN401 - JSON is whatever the method gave
    return json.loads(msgspec.json.encode(to_plain(result)), parse_float=Decimal)


def _complaint(error: AdapterError, wanted: Mapping[str, object]) -> dict[str, object]:
    """Return what a golden states of an error, as plain data."""
    said: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, Refused):
        said["decline"] = _as_json(error.decline)
    if isinstance(error, Invalid):
        said["violations"] = [list(violation) for violation in error.violations]
    if "text" in wanted:
        said["text"] = str(error)
    return said
