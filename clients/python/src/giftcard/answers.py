"""What an answer says beside itself: whether it was recorded before, and the trace to quote."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from giftcard.abouts import About

_REPLAYED = "giftcard-replayed"
_TRACE_ID = "giftcard-trace-id"
_log = logging.getLogger("giftcard")


@dataclass(frozen=True)
class Answered:
    """A call that was answered.

    `is_replayed` tells that the gateway had recorded this answer before the call; `trace_id` is what its
    operator finds the call by, or empty where the gateway keeps no traces.
    """

    about: About
    is_replayed: bool
    trace_id: str


OnAnswer = Callable[[Answered], object]
"""What is told of every answer; it must not take long."""


def tell(on_answer: OnAnswer | None, about: About, trailing: object) -> None:
    """Tell of an answer. A listener that fails is logged: the answer is there, and must not be lost."""
    if on_answer is None:
        return
    # Older gRPC's metadata is no mapping as `dict` expects one; its pairs are the same everywhere.
    told = {key: value for key, value in cast("Iterable[tuple[str, str | bytes]]", trailing or ())}  # noqa: C416 - see above
    answered = Answered(about, told.get(_REPLAYED) == "true", str(told.get(_TRACE_ID, "")))
    try:
        on_answer(answered)
    except Exception:  # noqa: BLE001 - the listener is the user's, and may fail as it likes
        _log.exception("on_answer failed for %s", about)
