"""What holds while modules load. It imports nothing of ours, so that it is there before anything is."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED = 130
"""What a shell answers for a program that Ctrl-C ended."""


@contextmanager
def loading() -> Iterator[None]:
    """Import modules quickly, and end the process at once if Ctrl-C comes meanwhile; nothing is open by then.

    Python's own handler raises KeyboardInterrupt, which is lost whenever it lands in a callback of the
    import system ("Exception ignored in _get_module_lock"): the program would start all the same.
    A Ctrl-C that the caller chose to ignore stays ignored. What loads may load more within.
    """
    # What is imported stays: to look for garbage meanwhile takes a tenth of the time and finds none.
    is_looking = gc.isenabled()
    gc.disable()
    try:
        with _ending_at_once():
            yield
    finally:
        if is_looking:
            gc.enable()


@contextmanager
def _ending_at_once() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    os._exit(INTERRUPTED)
