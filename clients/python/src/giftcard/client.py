"""The two clients: they hold a channel and take the steps of a plan, one by waiting, one by awaiting.

Which calls there are is in `giftcard.calls`; what each does, and when it is repeated, in the scripts behind
them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, cast

import grpc
from google.protobuf.message import Message
from grpc import aio

from giftcard.calls import Calls
from giftcard.channels import Token, open_async_channel, open_channel, with_token
from giftcard.open_transactions import AsyncRunner, Runner
from giftcard.scripts import Answer, Metadata, Pause, Plan, Play, RepeatPolicy, Reply, Send
from giftcard.stubs import AsyncStubs, Stubs


def no_metadata() -> Metadata:
    """Send no metadata: the gateway needs none, or the certificate says who calls."""
    return ()


class Client(Calls, Runner):
    """The gateway, for code that waits. Safe to share between threads.

    `target` is an address, or a channel of your own, which stays yours to close and brings its own options.
    Without `credentials` the channel is TLS with gRPC's own trusted authorities; `plaintext` leaves it open.
    `token` is a bearer token or an API key, or what returns a fresh one; it and `metadata` are asked
    before every attempt.
    """

    def __init__(
        self,
        target: str | grpc.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        token: Token | None = None,
        metadata: Callable[[], Metadata] = no_metadata,
        policy: RepeatPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._metadata = with_token(target, token, metadata, plaintext=plaintext)
        self._own: grpc.Channel | None = None
        if isinstance(target, str):
            target = self._own = open_channel(target, credentials, plaintext=plaintext)
        self._policy = policy or RepeatPolicy()
        self._sleep = sleep
        self.stubs = Stubs(target)

    def run(self, plan: Plan[Answer]) -> Answer:
        """Take a plan's steps one by one, waiting for each."""
        play = Play(plan(self._policy))
        while play.step is not None:
            play.go_on(self._take(play.step))
        return play.answer

    def _take(self, step: Send | Pause) -> Reply:
        """Take one step."""
        try:
            if isinstance(step, Pause):
                self._sleep(step.pause_s)
                return None
            return step.start(self.stubs, self._metadata())
        except (grpc.RpcError, KeyboardInterrupt) as failure:
            return failure

    def close(self) -> None:
        """Close the channel, if the client made it."""
        if self._own:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Calls, AsyncRunner):
    """The gateway, for code that awaits. Make it where its event loop runs; all else is as with Client."""

    def __init__(
        self,
        target: str | aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        token: Token | None = None,
        metadata: Callable[[], Metadata] = no_metadata,
        policy: RepeatPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._metadata = with_token(target, token, metadata, plaintext=plaintext)
        self._own: aio.Channel | None = None
        if isinstance(target, str):
            target = self._own = open_async_channel(target, credentials, plaintext=plaintext)
        self._policy = policy or RepeatPolicy()
        self._sleep = sleep
        self.stubs = AsyncStubs(target)

    async def run(self, plan: Plan[Answer]) -> Answer:
        """Take a plan's steps one by one, awaiting each."""
        play = Play(plan(self._policy))
        while play.step is not None:
            play.go_on(await self._take(play.step))
        return play.answer

    async def _take(self, step: Send | Pause) -> Reply:
        """Take one step."""
        try:
            if isinstance(step, Pause):
                await self._sleep(step.pause_s)
                return None
            # Over an asyncio channel the stubs return a call to await, which the types of `Send` leave out.
            return await cast("Awaitable[Message]", step.start(self.stubs, self._metadata()))
        except (grpc.RpcError, asyncio.CancelledError) as failure:
            return failure

    async def close(self) -> None:
        """Close the channel, if the client made it."""
        if self._own:
            await self._own.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()
