"""The event loop a command runs on, and the signals that end it. What runs there is elsewhere."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_YOUNG = 50_000
"""Objects made before the collector looks at them; Python's own 700 is one look a call."""


def run(work: Coroutine[object, object, None]) -> None:
    """Run `work` on uvloop, which is 1.2 to 1.4 times the loop asyncio brings; no core is left of it."""
    _leave_no_core()
    uvloop.run(work)


def _leave_no_core() -> None:
    """Keep the kernel from writing this process's memory, card numbers and keys and all, to a disk.

    A limit of 1 byte rather than 0: the kernel takes it for no core at all, also where cores go to a program
    such as systemd-coredump, to which 0 means nothing. `prlimit --core=unlimited --pid` takes it back.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1 if hard == resource.RLIM_INFINITY else min(1, hard), hard))


def settle() -> None:
    """Tell the garbage collector that what is there now stays, and to look for garbage less often.

    Every call makes some 700 objects it could look at, and none of them is garbage that only it can find.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)


def hold_hangups() -> None:
    """Have SIGHUP wait until `on_hangup`: unheard it ends a process. What is started meanwhile waits too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def on_hangup(work: Callable[[], None]) -> None:
    """Have each SIGHUP do `work` on the loop that runs, also one that came since `hold_hangups`."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, work)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def hear_no_more(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Have the signals that end or reload a process do nothing from now on: it has stopped, and only exits.

    `loop` is the one that heard them until now, if any did.

    What the loop or the interpreter leaves behind would end it at once, with what telemetry still hands over
    and another exit code. SIGKILL is still heard.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if loop is not None:
            loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


class Stopping:
    """Hears from now on that the process is to stop: by SIGTERM in its own time, or without delay.

    `told` is set by the first SIGTERM or SIGINT. `hurried` is set by SIGINT, behind which somebody waits at
    a terminal, and by a second SIGTERM.
    """

    def __init__(self) -> None:
        """Listen on the loop that runs."""
        self.told = asyncio.Event()
        self.hurried = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.terminated)
        loop.add_signal_handler(signal.SIGINT, self.interrupted)

    def terminated(self) -> None:
        """Hear SIGTERM."""
        (self.hurried if self.told.is_set() else self.told).set()

    def interrupted(self) -> None:
        """Hear SIGINT."""
        self.told.set()
        self.hurried.set()


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, whenever they come from now on."""
    return Stopping().told
