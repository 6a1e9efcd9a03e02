"""The attacks themselves. Each takes a running sandbox and returns its figure, one line."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from giftcard import v1
from tests.attacks.frames import (
    CANCEL,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    connect,
    frame,
    headers,
)
from tests.attacks.target import calls, channel, outcome, outcomes, told, watched
from tests.e2e.sandboxes import WEBHOOKS, Sandbox, redemption

LIST = "/giftcard.v1.ProviderService/ListProviders"
PAN = "6045000000000061"
_LONG_S = 300.0


async def batch_of_nothing(target: Sandbox) -> str:
    """BatchBalance with 500,000 empty requests: 1 MB, eight at once."""
    bomb = v1.BatchBalanceRequest()
    for _ in range(500_000):
        bomb.requests.add()
    async with watched(target.port, target.running.process.pid) as cost, channel(target.port) as way:
        stubs = calls(way)
        ended = await outcomes(stubs.gift_cards.BatchBalance(bomb, timeout=_LONG_S) for _ in range(8))
    return f"{told(ended)}; {cost}"


async def many_identifiers(target: Sandbox) -> str:
    """A Redeem with 60,000 third-party identifiers."""
    request = redemption(PAN)
    for _ in range(60_000):
        request.third_party_identifiers.add(institution_id="1", transaction_identifier="2")
    async with watched(target.port, target.running.process.pid) as cost, channel(target.port) as way:
        ended = await outcome(calls(way).gift_cards.Redeem(request, timeout=_LONG_S))
    return f"{ended}; {cost}"


async def burst(target: Sandbox) -> str:
    """4,000 ListProviders at once on one connection."""
    async with watched(target.port, target.running.process.pid) as cost, channel(target.port) as way:
        stubs = calls(way)
        ended = await outcomes(
            stubs.providers.ListProviders(v1.ListProvidersRequest(), timeout=60) for _ in range(4000)
        )
    return f"{told(ended)}; {cost}"


async def crowd(target: Sandbox) -> str:
    """4,000 ListProviders at once on forty connections."""
    ways = [channel(target.port) for _ in range(40)]
    async with watched(target.port, target.running.process.pid) as cost:
        ended = await outcomes(
            calls(ways[place % 40]).providers.ListProviders(v1.ListProvidersRequest(), timeout=60)
            for place in range(4000)
        )
    await asyncio.gather(*(way.close() for way in ways))
    return f"{told(ended)}; {cost}"


async def endless_streams(target: Sandbox) -> str:
    """1,024 StreamEvents held open on eight connections, while somebody asks for a balance."""
    ways = [channel(target.port) for _ in range(8)]
    held = [calls(ways[place % 8]).events.StreamEvents(v1.StreamEventsRequest()) for place in range(1024)]
    reading = [asyncio.ensure_future(outcome(stream.read())) for stream in held]
    await asyncio.sleep(2)
    async with channel(target.port) as way:
        request = v1.BalanceRequest()
        request.card.number.pan = PAN
        ended = await outcomes(calls(way).gift_cards.Balance(request, timeout=20) for _ in range(20))
    refused = Counter(task.result() for task in reading if task.done())
    for task in reading:
        task.cancel()
    await asyncio.gather(*(way.close() for way in ways))
    return f"streams refused: {told(refused)}; the others: {told(ended)}"


async def guesses(target: Sandbox) -> str:
    """60 batches of 100 numbers nobody has, at once; then a good card's balance."""
    async with channel(target.port) as way:
        stubs = calls(way)
        good = v1.BalanceRequest()
        good.card.number.pan = PAN
        before = await outcome(stubs.gift_cards.Balance(good, timeout=20))

        async def guess(place: int) -> Counter[str]:
            request = v1.BatchBalanceRequest()
            for number in range(100):
                request.requests.add(
                    provider="electrum-sandbox"
                ).card.number.pan = f"6045{place:06}{number:06}"
            answer = await stubs.gift_cards.BatchBalance(request, timeout=_LONG_S)
            return Counter(
                {5: "asked", 8: "refused"}.get(item.error.code, str(item.error.code)) for item in answer.items
            )

        done = await asyncio.gather(*(guess(place) for place in range(60)), return_exceptions=True)
        counted: Counter[str] = sum((one for one in done if isinstance(one, Counter)), Counter())
        counted["batches refused"] = sum(isinstance(one, BaseException) for one in done)
        after = await outcome(stubs.gift_cards.Balance(good, timeout=20))
    return f"of 6,000 guesses: {told(counted)}; a good card before: {before}, after: {after}"


async def wrong_pins(target: Sandbox) -> str:
    """60 Redeems with wrong PINs, then one with the right one."""
    async with channel(target.port) as way:
        states = Counter[str]()
        for place in range(61):
            request = redemption("6045000000000079")
            request.card.number.clear_pin = "1234" if place == 60 else f"9{place:03}"
            try:
                answer = await calls(way).gift_cards.Redeem(request, timeout=20)
                state = v1.TransactionState.Name(answer.transaction.state)
                reason = v1.DeclineReason.Name(answer.transaction.decline.reason)
                states[
                    f"{state.removeprefix('TRANSACTION_STATE_')} {reason.removeprefix('DECLINE_REASON_')}"
                ] += 1
            except grpc.RpcError as fault:
                states[str(fault.code())] += 1
    return told(states)


async def undecodable(target: Sandbox) -> str:
    """The bytes 0a 02 ff fe as the request of a unary call, of a server's and of a client's stream."""
    bad = b"\x0a\x02\xff\xfe"
    async with channel(target.port) as way:
        raw: Any = way
        unary = await outcome(raw.unary_unary("/giftcard.v1.GiftCardService/Redeem")(bad, timeout=20))
        stream = raw.unary_stream("/giftcard.v1.EventService/StreamEvents")(bad, timeout=20)
        streamed = await outcome(stream.read())
        collected = await outcome(
            raw.stream_unary("/giftcard.v1.ReportService/Reconcile")(iter([bad]), timeout=20)
        )
    return f"Redeem {unary}; StreamEvents {streamed}; Reconcile {collected}"


async def rapid_resets(target: Sandbox) -> str:
    """20,000 calls, each reset as soon as it is sent, on one connection."""
    async with watched(target.port, target.running.process.pid) as cost:
        attacker = await connect(target.port)
        block, sent = headers(LIST), 0
        for number in range(20_000):
            stream = 2 * number + 1
            if not await attacker.send(
                frame(HEADERS, END_HEADERS, stream, block),
                frame(DATA, 1, stream, bytes(5)),
                frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")),
            ):
                break
            sent += 1
        await asyncio.sleep(3)
        farewell = f"GOAWAY {attacker.farewell!r}" if attacker.heard[GOAWAY] else "no GOAWAY"
        await attacker.close()
    return f"{sent} sent, {farewell}; {cost}"


async def settings_flood(target: Sandbox) -> str:
    """500,000 SETTINGS frames on one connection."""
    async with watched(target.port, target.running.process.pid) as cost:
        attacker = await connect(target.port)
        one = frame(SETTINGS, 0, 0, (3).to_bytes(2, "big") + (100).to_bytes(4, "big"))
        began, sent = time.monotonic(), 0
        for _ in range(500):
            if not await attacker.send(one * 1000):
                break
            sent += 1000
        took = time.monotonic() - began
        await asyncio.sleep(2)
        answered = attacker.heard[SETTINGS]
        await attacker.close()
    return f"{sent} sent in {took:.1f} s, {answered} answered; {cost}"


async def half_sent(target: Sandbox) -> str:
    """2,000 calls on twenty connections of which the last byte never comes."""
    async with watched(target.port, target.running.process.pid) as cost:
        attackers = [await connect(target.port) for _ in range(20)]
        block = headers(LIST)
        for attacker in attackers:
            for number in range(100):
                stream = 2 * number + 1
                await attacker.send(
                    frame(HEADERS, END_HEADERS, stream, block), frame(DATA, 0, stream, b"\0\0\0\0\x64half")
                )
        await asyncio.sleep(5)
        reset = sum(attacker.heard[RST_STREAM] for attacker in attackers)
        for attacker in attackers:
            await attacker.close()
    return f"{reset} refused by RST_STREAM; {cost}"


async def slow_senders(target: Sandbox) -> str:
    """300 senders of webhooks without a signature, a byte a second; then a genuine event's sender asks."""
    port, path = target.port + WEBHOOKS, b"/webhooks/gr4vy-sandbox"
    slow = []
    for _ in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
        slow.append(writer)
    await asyncio.sleep(1)
    answers = Counter[str]()
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        writer.write(head + b"X-Gr4vy-Webhook-Timestamp: 1\r\nX-Gr4vy-Webhook-Signatures: a\r\n\r\n{}")
        answers[(await asyncio.wait_for(reader.readline(), 20)).decode().strip()] += 1
        writer.close()
    for writer in slow:
        writer.close()
    return told(answers)


ATTACKS: Mapping[str, Callable[[Sandbox], Awaitable[str]]] = {
    attack.__name__: attack
    for attack in (
        undecodable,
        guesses,
        wrong_pins,
        many_identifiers,
        batch_of_nothing,
        burst,
        crowd,
        endless_streams,
        rapid_resets,
        settings_flood,
        half_sent,
        slow_senders,
    )
}
