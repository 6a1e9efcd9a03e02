"""What is left out of a provider's answer is counted, whatever the answer is to (rule 19)."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.lenient import Lenient
from giftcard_adapters.values.advices import Acknowledgement, Advice
from giftcard_gateway.ledger.entry import State
from tests.world.gateway import World
from tests.world.provider import DONE


class _Answer(msgspec.Struct):
    id: str = ""
    stan: str = ""


_ANSWER = Lenient(_Answer, decides=("id",))
_ODD = b'{"id": "1", "stan": 7.5}'


async def test_of_an_advice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement is one though a place in it could not be read, and the place is told."""
    entry = await world.begin(world.redeem())

    async def deliver(call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        del call, advice, age_s
        _ANSWER.read(_ODD)
        return DONE

    monkeypatch.setattr(world.connections.get("first").provider, "deliver", deliver)
    assert (await world.confirm(entry)).state is State.CONFIRMED
    assert world.heard.left_out_of == [("first", "stan")]


async def test_of_a_read(world: World) -> None:
    """What a read leaves out is told while the read lasts, and nothing after it."""
    with world.connections.get("first").read():
        told, left_out = _ANSWER.read(_ODD)
    assert (told.id, left_out) == ("1", ("stan",))
    _ANSWER.read(_ODD)
    assert world.heard.left_out_of == [("first", "stan")]
