"""Streams that go on by themselves after a break, and lists read page by page.

A stream goes on where its last message's cursor says, so nothing is left out; the last message may come
twice, which the contract allows. Where a stream broke before its first message, it goes on from the time it
was begun. What the gateway refuses ends it; an outage does not.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, ParamSpec, Protocol, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard.errors import CallError, NoAnswer, Unavailable
from giftcard.scripts import Pause, RepeatPolicy, Send
from giftcard.stubs import Stubs

P = ParamSpec("P")


class ListPage(Protocol):
    """A page of a list."""

    @property
    def next_page_token(self) -> str:
        """Where the next page begins; empty with the last."""


class Told(Protocol):
    """A message of a stream that can go on."""

    @property
    def cursor(self) -> str:
        """Where to go on."""


class Resumable(Protocol):
    """The request of a stream that can go on."""

    cursor: str

    @property
    def start_time(self) -> Timestamp:
        """When to start from, without a cursor."""


SomePage = TypeVar("SomePage", bound=ListPage)
Each = TypeVar("Each", bound=Told)


@dataclass(frozen=True)
class OngoingStream(Generic[Each]):
    """A stream that is ready to be followed."""

    method: Callable[[Stubs], Callable[..., object]]
    request: Message

    def follow(self, policy: RepeatPolicy, wall_clock_s: Callable[[], float] = time.time) -> Follow[Each]:
        """Follow it from its beginning."""
        return Follow(self, policy, wall_clock_s())


class Follow(Generic[Each]):
    """Where a stream that is being followed has come to, and whether it goes on after a break."""

    def __init__(self, stream: OngoingStream[Each], policy: RepeatPolicy, began_s: float) -> None:
        self._policy = policy
        self._breaks = 0
        self._began_s = began_s
        self._request = type(stream.request)()
        self._request.CopyFrom(stream.request)
        self._method = stream.method

    @property
    def step(self) -> Send:
        """The call to make next, from where the stream has come to."""
        # A stream's call is started as a unary one is; only who reads it differs.
        method = cast("Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Message, Message]]", self._method)
        return Send(method, self._request, None)

    def heard(self, told: Each) -> None:
        """Note where a message says to go on."""
        self._breaks = 0
        self._resumable.cursor = told.cursor

    def broken(self, error: CallError | None) -> Pause:
        """Say how long to wait before going on; raise the error if the stream is refused or never gets on.

        An outage is waited out, however long it takes; a fault of the gateway is tried `attempts` times.
        """
        is_refused = error is not None and not isinstance(error, Unavailable | NoAnswer)
        is_stuck = isinstance(error, NoAnswer) and self._breaks + 1 >= self._policy.attempts
        if error is not None and (is_refused or is_stuck):
            raise error
        if self._request.WhichOneof("start") is None:
            self._resumable.start_time.FromNanoseconds(int(self._began_s * 1e9))
        pause_s = self._policy.pause_after_s(min(self._breaks, 30), error)
        self._breaks += 1
        return Pause(pause_s)

    @property
    def _resumable(self) -> Resumable:
        return cast("Resumable", self._request)


def pages(list_page: Callable[P, SomePage], *args: P.args, **fields: P.kwargs) -> Iterator[SomePage]:
    """Give every page of a list."""
    call = cast("Callable[..., SomePage]", list_page)
    page = call(*args, **fields)
    yield page
    while page.next_page_token:
        page = call(*args, **{**fields, "page_token": page.next_page_token})
        yield page


async def async_pages(
    list_page: Callable[P, Awaitable[SomePage]], *args: P.args, **fields: P.kwargs
) -> AsyncIterator[SomePage]:
    """Give every page of a list."""
    call = cast("Callable[..., Awaitable[SomePage]]", list_page)
    page = await call(*args, **fields)
    yield page
    while page.next_page_token:
        page = await call(*args, **{**fields, "page_token": page.next_page_token})
        yield page
