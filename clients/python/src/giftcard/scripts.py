"""What a call does over time, without doing it: scripts of steps, which the clients take or await.

A script is a generator. It yields Send and Pause, is sent the answer, and has failures thrown into it.
So the rules of repeating are written once, and tests can play them without a network or a clock.

Repeating is safe because it is always the same request with the same transaction id: the gateway moves the
money of one id once, however often it is asked. Nothing is repeated that the gateway refused.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import grpc
from google.protobuf.message import Message

from giftcard.abouts import NOBODY_SAID, About
from giftcard.errors import CallError, CallNotSent, Closed, Failure, read_error
from giftcard.stubs import Stubs

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Answer = TypeVar("Answer")

Metadata = tuple[tuple[str, str | bytes], ...]
Method = Callable[[Stubs], "grpc.UnaryUnaryMultiCallable[Request, Response]"]
"""Which call of which service, such as `lambda stubs: stubs.gift_cards.Balance`."""


@dataclass(frozen=True)
class Send:
    """A step: make one call. Without a timeout the service config decides, which knows every read."""

    method: Method[Message, Message]
    request: Message
    timeout_s: float | None

    @property
    def about(self) -> About:
        """What the call is about."""
        return About.of(self.request)


@dataclass(frozen=True)
class Pause:
    """A step: wait."""

    pause_s: float


Script = Generator[Send | Pause, Message | None, Answer]
"""Steps to take, and what they come to."""


@dataclass(frozen=True)
class RepeatPolicy:
    """How long a money call may take, and how it is repeated.

    `deadline_s` is the budget of one call: all attempts, all pauses, and finding out how a lost one ended.
    `reading_s` is the deadline of a read; None leaves it to the contract's service config.
    Pauses grow from `first_pause_s` to `longest_pause_s` at most, each a random part of that ("full jitter"),
    so that many callers do not come back at once; the gateway's own RetryInfo is never undercut.
    """

    deadline_s: float = 40.0
    reading_s: float | None = None
    attempts: int = 8
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    chance: Callable[[], float] = random.random
    clock_s: Callable[[], float] = time.monotonic

    def pause_after_s(self, attempt: int, error: CallError | None) -> float:
        """Say how long to wait after an attempt, counted from 0, that ended, mostly with an error."""
        jitter_s = self.chance() * min(self.longest_pause_s, self.first_pause_s * 2.0**attempt)
        return ((error.retry_after_s if error else None) or 0.0) + jitter_s


Plan = Callable[[RepeatPolicy], Script[Answer]]
"""A call that is ready to be made: give it a policy, and it is a script."""

Reply = Message | BaseException | None
"""What a step came to: an answer, a failure, or nothing where nothing is said."""


class SourceFailed(Exception):
    """What gives the token or the metadata failed, which is the cause; nothing was sent."""


class Play(Generic[Answer]):
    """A script being played: `step` is to be taken next; when it is None, `answer` is there."""

    answer: Answer

    def __init__(self, script: Script[Answer]) -> None:
        self._script = script
        self.step: Send | Pause | None = None
        self.go_on(None)

    def go_on(self, outcome: Reply) -> None:
        """Go on to the next step or the answer; raise what the script lets pass.

        Whatever a step raised is thrown into the script, which alone knows what is to be undone.
        """
        try:
            if isinstance(outcome, BaseException):
                self.step = self._script.throw(tell_failure(outcome, self.step))
            else:
                self.step = self._script.send(outcome)
        except StopIteration as end:
            self.step, self.answer = None, end.value


def tell_failure(failure: BaseException, step: Send | Pause | None) -> BaseException:
    """Tell what a step raised as an exception of ours, if it is about the call and not about us."""
    about = step.about if isinstance(step, Send) else NOBODY_SAID
    if isinstance(failure, grpc.RpcError):
        return read_error(failure, about)
    if isinstance(failure, SourceFailed):
        words = f"what gives the token or metadata failed: {type(failure.__cause__).__name__}"
        not_sent = CallNotSent(Failure(code=grpc.StatusCode.UNAVAILABLE, message=words, about=about))
        not_sent.__cause__ = failure.__cause__
        return not_sent
    # gRPC says only in words that a channel is closed, and asyncio's channel by another exception.
    if isinstance(failure, ValueError | grpc.aio.UsageError) and "closed" in str(failure).lower():
        return Closed(Failure(code=grpc.StatusCode.CANCELLED, message="the client is closed", about=about))
    return failure


def send(
    method: Method[Request, Response], request: Request, timeout_s: float | None = None
) -> Script[Response]:
    """Make one call. Without a timeout the service config decides, which knows every read."""
    return cast("Response", (yield Send(cast("Method[Message, Message]", method), request, timeout_s)))


def repeat(
    method: Method[Request, Response],
    request: Request,
    *,
    until_s: float,
    policy: RepeatPolicy,
    is_repeatable: Callable[[CallError], bool],
) -> Script[Response]:
    """Make a call again and again with the same request, until it answers, is refused, or time is up."""
    is_outcome_open = False
    for attempt in range(policy.attempts):
        try:
            return (yield from send(method, request, until_s - policy.clock_s()))
        except CallError as error:
            # What an earlier attempt left open stays open, however surely the last one was not sent.
            is_outcome_open = error.is_outcome_open = is_outcome_open or error.is_outcome_open
            pause_s = policy.pause_after_s(attempt, error)
            is_last = attempt + 1 == policy.attempts or policy.clock_s() + pause_s >= until_s
            if is_last or not is_repeatable(error):
                raise
        yield Pause(pause_s)
    raise ValueError("A policy allows one attempt at least.")
