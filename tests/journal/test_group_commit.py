"""The threads under an SQLite journal: whatever a batch meets, its callers hear, and the next is served."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from unittest import mock

import pytest

from giftcard_gateway.journal import group_commit
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.group_commit import ThreadCommit
from tests.patience import PATIENCE_S
from tests.world.app import until


async def test_lane_outlives_a_fault_nobody_foresaw() -> None:
    """A fault no batch should meet refuses its callers instead of ending the thread under them all."""

    def serve(requests: Sequence[int]) -> Sequence[object]:
        return [10 // request for request in requests]

    commits = ThreadCommit(serve, "commits", lambda: None)
    with pytest.raises(JournalClosed, match="ZeroDivisionError"):
        await commits.submit(0)
    assert await commits.submit(5) == 2
    await commits.close()


async def test_only_who_comes_in_a_crowd_waits_for_more() -> None:
    """After a batch of a few the next is served at once; after a larger one it waits for others to join."""
    begun, gate, slept = threading.Event(), threading.Event(), list[float]()

    def serve(requests: Sequence[int]) -> Sequence[object]:
        begun.set()
        gate.wait()
        return requests

    commits = ThreadCommit(serve, "commits", lambda: None, linger_s=7.0)
    with mock.patch.object(commits._closing, "wait", slept.append):  # noqa: SLF001 - the pause is seen nowhere else
        first = asyncio.ensure_future(commits.submit(0))
        await until(begun.is_set)
        crowd = [asyncio.ensure_future(commits.submit(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(first, *crowd) == list(range(6))
        assert slept == []
        assert await commits.submit(6) == 6
        assert slept == [7.0]
        assert await commits.submit(7) == 7
        assert slept == [7.0]
        await commits.close()


async def test_what_rides_goes_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that rides waits for the next one, before which it is served, in the same batch."""
    monkeypatch.setattr(group_commit, "RIDE_S", PATIENCE_S)
    batches = list[list[int]]()

    def serve(requests: Sequence[int]) -> Sequence[object]:
        batches.append(list(requests))
        return requests

    commits = ThreadCommit(serve, "commits", lambda: None)
    riders = [asyncio.ensure_future(commits.submit(number, rides=True)) for number in (1, 2)]
    await asyncio.sleep(0)
    assert await commits.submit(3) == 3
    assert await asyncio.gather(*riders) == [1, 2]
    # The queue is filled at once, but the thread may wake at the first: the order holds all the same.
    assert [number for batch in batches for number in batch] == [1, 2, 3]
    last = asyncio.ensure_future(commits.submit(4, rides=True))
    await asyncio.sleep(0)
    await commits.close()
    assert await last == 4


async def test_what_rides_alone_leaves_by_itself() -> None:
    """A request that rides is served without another, a moment later."""
    commits = ThreadCommit(lambda requests: requests, "commits", lambda: None)
    assert await commits.submit(1, rides=True) == 1
    assert await commits.submit(2, rides=True) == 2
    await commits.close()


async def test_for_whom_each_request_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures hears of each request what its caller was called, and nothing of one that rides."""
    monkeypatch.setattr(group_commit, "RIDE_S", PATIENCE_S)
    heard = list[Sequence[object]]()
    commits = ThreadCommit(
        lambda requests: requests,
        "commits",
        lambda: None,
        timed=lambda _waited_s, _took_s, callers: heard.append(callers),
        caller=lambda: "till-1",
    )
    riding = asyncio.ensure_future(commits.submit(1, rides=True))
    await asyncio.sleep(0)
    await commits.submit(2)
    await riding
    await commits.close()
    assert [caller for batch in heard for caller in batch] == [None, "till-1"]
