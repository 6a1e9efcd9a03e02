"""Keeps what each exception says that passes through the gateway or an adapter, with its frames' values."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any

_OURS = ("giftcard_gateway", "giftcard_adapters")
WRAPPED = tuple(
    f"/giftcard_gateway/{room}/" for room in ("ledger", "pipeline", "journal", "providers", "audit")
)
"""Rooms that handle what is secret in its wrapping only, so that the values of their frames tell nothing.

Not among them are those that wrap and unwrap, or pass bytes on: the wire, the adapters, the seal, who asks,
their callers, and what counts the bytes of exchanges.
"""

_Trace = Callable[[FrameType, str, Any], Any]


@dataclass
class Raised:
    """What was said, each text once."""

    texts: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    """The values of frames in the wrapped rooms."""

    def keep(self, frame: FrameType, raised: BaseException) -> None:
        """Keep an exception's words, those of what caused it, and the values it passed by."""
        seen: BaseException | None = raised
        while seen is not None:
            self.texts |= {repr(seen), str(seen), repr(seen.args), repr(vars(seen))}
            self.texts |= set(getattr(seen, "__notes__", ()))
            self._walk(seen.__traceback__)
            seen = seen.__cause__ or seen.__context__
        self.texts.add("".join(traceback.format_exception(raised)))
        self._keep_values(frame)

    def _walk(self, step: TracebackType | None) -> None:
        while step is not None:
            self._keep_values(step.tb_frame)
            step = step.tb_next

    def _keep_values(self, frame: FrameType) -> None:
        if not any(room in frame.f_code.co_filename for room in WRAPPED):
            return
        for name, value in list(frame.f_locals.items()):
            # What cannot be shown yet is only half made.
            with suppress(Exception):
                self.values.add(f"{frame.f_code.co_qualname} {name}={value!r}")


@contextmanager
def watching() -> Iterator[Raised]:
    """Watch every exception of this thread, and of those begun meanwhile, until the block ends."""
    raised = Raised()

    def begin(frame: FrameType, event: str, arg: object) -> _Trace | None:
        del event, arg
        if not any(ours in frame.f_code.co_filename for ours in _OURS):
            return None
        frame.f_trace_lines = False
        return step

    def step(frame: FrameType, event: str, arg: Any) -> _Trace:  # noqa: ANN401 - what the interpreter gives
        # A coroutine's result comes as an exception too, and is no fault.
        if event == "exception" and not issubclass(arg[0], StopIteration | StopAsyncIteration):
            raised.keep(frame, arg[1])
        return step

    before = sys.gettrace()
    threading.settrace(begin)
    sys.settrace(begin)
    try:
        yield raised
    finally:
        sys.settrace(before)
        threading.settrace(None)
