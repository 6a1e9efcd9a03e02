"""The two clients: they hold a channel and take the steps of a plan, one by waiting, one by awaiting.

Which calls there are is in `giftcard.calls`; what each does, and when it is repeated, in the scripts behind
them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, Unpack, cast

import grpc
from google.protobuf.message import Message
from grpc import aio

from giftcard import v1
from giftcard.answers import OnAnswer, tell
from giftcard.calls import Calls
from giftcard.channels import Option, open_async_channel, open_channel, refuse_for_own, timeout_of
from giftcard.errors import CallError, Failure, NoAnswer
from giftcard.fields import EventFields, WatchFields
from giftcard.open_transactions import AsyncRunner, Runner
from giftcard.scripts import (
    Answer,
    Pause,
    Plan,
    Play,
    RepeatPolicy,
    Reply,
    Send,
    SourceFailed,
    tell_failure,
)
from giftcard.shields import see_through
from giftcard.sources import (
    AsyncMetadataLike,
    AsyncToken,
    MetadataLike,
    Source,
    Token,
    gather,
    gather_async,
    source_of,
    source_of_token,
)
from giftcard.streams import Each, OngoingStream, P, SomePage, async_pages, pages
from giftcard.stubs import AsyncStubs, Stubs

_Like = TypeVar("_Like")
_Each_co = TypeVar("_Each_co", covariant=True)


class _Call(Protocol[_Each_co]):
    """A stream's call under way."""

    def __iter__(self) -> Iterator[_Each_co]: ...
    def cancel(self) -> object: ...


class _AsyncCall(Protocol[_Each_co]):
    """A stream's call under way, over an asyncio channel."""

    def __aiter__(self) -> AsyncIterator[_Each_co]: ...
    def cancel(self) -> object: ...


class _Settings(Generic[_Like]):
    """What both clients are told beside their channel; `_Like` is what metadata may be given as."""

    _policy: RepeatPolicy
    _sources: tuple[Source, ...]
    _on_answer: OnAnswer | None
    _own: object

    def calling(self, *, deadline_s: float | None = None, metadata: _Like | None = None) -> Self:
        """Return this client for some calls: with a deadline for each, reads too, and further metadata.

        It shares the channel, which stays the first client's to close. `deadline_s` of a money call wins.
        """
        view = copy(self)
        view._own = None  # noqa: SLF001 - a copy of oneself
        if deadline_s is not None:
            limited = replace(self._policy, deadline_s=deadline_s, reading_s=deadline_s)
            view._policy = limited  # noqa: SLF001 - a copy of oneself
        if metadata is not None:
            further = source_of(cast("AsyncMetadataLike", metadata))
            view._sources = (*self._sources, further)  # noqa: SLF001 - a copy of oneself
        return view

    def _take_settings(
        self,
        target: object,
        token: AsyncToken | None,
        metadata: AsyncMetadataLike,
        policy: RepeatPolicy | None,
        on_answer: OnAnswer | None,
        *,
        plaintext: bool,
    ) -> None:
        """Take what both constructors take; raise ValueError if a token could be read by others."""
        sources = [source_of(metadata)] if metadata else []
        if token is not None:
            sources.append(source_of_token(target, token, plaintext=plaintext))
        self._sources = tuple(sources)
        self._policy = policy or RepeatPolicy()
        self._on_answer = on_answer


class Client(_Settings[MetadataLike], Calls, Runner):
    """The gateway, for code that waits. Safe to share between threads.

    `target` is an address, or a channel of your own, which stays yours to close; make it with
    `giftcard.CHANNEL_OPTIONS`. Without `credentials` the channel is TLS with gRPC's own trusted authorities;
    `plaintext` leaves it open. `options` and `interceptors` are gRPC's own.
    `token` is a bearer token or an API key, or what returns a fresh one; it and `metadata` are asked
    before every attempt. `on_answer` is told of every answer, whether it was a replay and by which trace.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each is said by name
        self,
        target: str | grpc.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        token: Token | None = None,
        metadata: MetadataLike = (),
        policy: RepeatPolicy | None = None,
        options: Iterable[Option] = (),
        interceptors: Sequence[object] = (),
        on_answer: OnAnswer | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._take_settings(target, token, metadata, policy, on_answer, plaintext=plaintext)
        self._own: grpc.Channel | None = None
        if isinstance(target, str):
            target = self._own = open_channel(target, credentials, plaintext=plaintext, options=options)
        else:
            refuse_for_own(credentials=credentials, plaintext=plaintext, options=tuple(options))
        self._sleep = sleep
        # grpc-stubs knows only some of the interceptors that gRPC takes.
        intercept = cast("Callable[..., grpc.Channel]", grpc.intercept_channel)
        self.stubs = Stubs(intercept(target, *interceptors) if interceptors else target)

    def run(self, plan: Plan[Answer]) -> Answer:
        """Take a plan's steps one by one, waiting for each."""
        play = Play(plan(self._policy))
        while play.step is not None:
            try:
                outcome = self._take(play.step)
            except BaseException as failure:  # noqa: BLE001 - the script raises it again, once all is undone
                outcome = failure
            play.go_on(outcome)
        return play.answer

    def _take(self, step: Send | Pause) -> Reply:
        """Take one step."""
        if isinstance(step, Pause):
            self._sleep(step.pause_s)
            return None
        about = step.about
        timeout_s = timeout_of(about.call) if step.timeout_s is None else step.timeout_s
        answer, call = step.method(self.stubs).with_call(
            step.request, timeout=timeout_s, metadata=gather(self._sources)
        )
        tell(self._on_answer, about, call.trailing_metadata())
        return answer

    def watch(self, **fields: Unpack[WatchFields]) -> Iterator[v1.WatchTransactionsResponse]:
        """Give every change of transactions, also after a break; `cursor` is for going on elsewhere."""
        request = v1.WatchTransactionsRequest(**fields)
        return self._follow(OngoingStream(lambda stubs: stubs.transactions.WatchTransactions, request))

    def events(self, **fields: Unpack[EventFields]) -> Iterator[v1.StreamEventsResponse]:
        """Give every event of providers, also after a break; `cursor` is for going on elsewhere."""
        request = v1.StreamEventsRequest(**fields)
        return self._follow(OngoingStream(lambda stubs: stubs.events.StreamEvents, request))

    def pages(
        self, list_page: Callable[P, SomePage], *args: P.args, **fields: P.kwargs
    ) -> Iterator[SomePage]:
        """Give every page of a list, such as `client.pages(client.list_transactions, page_size=50)`."""
        return pages(list_page, *args, **fields)

    def _follow(self, stream: OngoingStream[Each]) -> Iterator[Each]:
        """Give what a stream tells, and go on where it broke."""
        follow = stream.follow(self._policy)
        while True:
            step = follow.step
            error: CallError | None = None
            try:
                call = cast("Callable[..., _Call[Each]]", step.method(self.stubs))(
                    step.request, metadata=gather(self._sources)
                )
                try:
                    for told in call:
                        follow.heard(told)
                        yield told
                finally:
                    call.cancel()
            except (grpc.RpcError, SourceFailed, ValueError) as failure:
                told_failure = tell_failure(failure, step)
                if not isinstance(told_failure, CallError):
                    raise
                error = told_failure
            self._sleep(follow.broken(error).pause_s)

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


class AsyncClient(_Settings[AsyncMetadataLike], Calls, AsyncRunner):
    """The gateway, for code that awaits. Make it where its event loop runs; all else is as with Client.

    What gives the token and the metadata may be async. It has the call's deadline to do so.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each is said by name
        self,
        target: str | aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        token: AsyncToken | None = None,
        metadata: AsyncMetadataLike = (),
        policy: RepeatPolicy | None = None,
        options: Iterable[Option] = (),
        interceptors: Sequence[aio.ClientInterceptor] = (),
        on_answer: OnAnswer | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._take_settings(target, token, metadata, policy, on_answer, plaintext=plaintext)
        self._own: aio.Channel | None = None
        if isinstance(target, str):
            target = self._own = open_async_channel(
                target, credentials, plaintext=plaintext, options=options, interceptors=interceptors
            )
        else:
            refuse_for_own(
                credentials=credentials,
                plaintext=plaintext,
                options=tuple(options),
                interceptors=interceptors,
            )
        self._sleep = sleep
        self.stubs = AsyncStubs(target)

    async def run(self, plan: Plan[Answer]) -> Answer:
        """Take a plan's steps one by one, awaiting each. Once cancelled, what undoes it is seen through."""
        play = Play(plan(self._policy))
        while play.step is not None:
            outcome = await self._outcome_of(play.step)
            play.go_on(outcome)
            if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
                await self._see_through(play)
        return play.answer

    async def finish(self, plan: Plan[Answer], failure: BaseException | None) -> None:
        """Run a plan to its end though the task be cancelled; a cancellation gives way to a failure."""
        cancelled = await self._see_through(Play(plan(self._policy)))
        if cancelled is not None and failure is None:
            cancelled.add_note("The transaction had been decided as its block asked when this came.")
            raise cancelled

    async def _see_through(self, play: Play[Answer]) -> BaseException | None:
        """Play to the end, unmoved by cancellations; return the last of them, raise what the play raises."""
        failure, cancelled = await see_through(self._play_out(play))
        if failure is not None:
            raise failure
        return cancelled

    async def _play_out(self, play: Play[Answer]) -> BaseException | None:
        """Play to the end; return what the play raises."""
        try:
            while play.step is not None:
                play.go_on(await self._outcome_of(play.step))
        except GeneratorExit:
            raise
        except BaseException as failure:  # noqa: BLE001 - raised again where the play was begun
            return failure
        return None

    async def _outcome_of(self, step: Send | Pause) -> Reply:
        """Take one step; return what it raises, for the script to raise again, once all is undone."""
        try:
            return await self._take(step)
        except GeneratorExit:
            # A coroutine that is being closed can await nothing more.
            raise
        except BaseException as failure:  # noqa: BLE001 - see above
            return failure

    async def _take(self, step: Send | Pause) -> Reply:
        """Take one step."""
        if isinstance(step, Pause):
            await self._sleep(step.pause_s)
            return None
        about = step.about
        timeout_s = timeout_of(about.call) if step.timeout_s is None else step.timeout_s
        metadata = await gather_async(self._sources, timeout_s)
        # Over an asyncio channel the stubs return a call to await, which the types of `Send` leave out.
        call = cast(
            "aio.UnaryUnaryCall[Message, Message]",
            step.method(self.stubs)(step.request, timeout=timeout_s, metadata=metadata),
        )
        answering = asyncio.ensure_future(call)
        try:
            # Awaited by itself a call would lose who cancels it, which anyio's scopes read off the exception.
            await asyncio.wait({answering})
        except asyncio.CancelledError:
            call.cancel()
            raise
        if answering.cancelled():
            message = "the client was closed before the answer came"
            raise NoAnswer(Failure(code=grpc.StatusCode.CANCELLED, message=message, about=about))
        answer = answering.result()
        tell(self._on_answer, about, await call.trailing_metadata())
        return answer

    def watch(self, **fields: Unpack[WatchFields]) -> AsyncIterator[v1.WatchTransactionsResponse]:
        """Give every change of transactions, also after a break; `cursor` is for going on elsewhere."""
        request = v1.WatchTransactionsRequest(**fields)
        return self._follow(OngoingStream(lambda stubs: stubs.transactions.WatchTransactions, request))

    def events(self, **fields: Unpack[EventFields]) -> AsyncIterator[v1.StreamEventsResponse]:
        """Give every event of providers, also after a break; `cursor` is for going on elsewhere."""
        request = v1.StreamEventsRequest(**fields)
        return self._follow(OngoingStream(lambda stubs: stubs.events.StreamEvents, request))

    def pages(
        self, list_page: Callable[P, Awaitable[SomePage]], *args: P.args, **fields: P.kwargs
    ) -> AsyncIterator[SomePage]:
        """Give every page of a list, such as `client.pages(client.list_transactions, page_size=50)`."""
        return async_pages(list_page, *args, **fields)

    async def _follow(self, stream: OngoingStream[Each]) -> AsyncIterator[Each]:
        """Give what a stream tells, and go on where it broke."""
        follow = stream.follow(self._policy)
        while True:
            step = follow.step
            error: CallError | None = None
            try:
                metadata = await gather_async(self._sources, self._policy.deadline_s)
                call = cast("Callable[..., _AsyncCall[Each]]", step.method(self.stubs))(
                    step.request, metadata=metadata
                )
                try:
                    async for told in call:
                        follow.heard(told)
                        yield told
                finally:
                    call.cancel()
            except (grpc.RpcError, SourceFailed, aio.UsageError) as failure:
                told_failure = tell_failure(failure, step)
                if not isinstance(told_failure, CallError):
                    raise
                error = told_failure
            await self._sleep(follow.broken(error).pause_s)

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
