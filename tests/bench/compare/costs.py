"""What processes have cost so far: CPU time and memory, of a process together with its children (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20


def cpu_s(pid: int) -> float:
    """Return the user and system seconds of a process and its children, their ended threads included."""
    return sum(_clock_s(each) for each in _tree(pid))


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process and its children, what they share counted for each."""
    return sum(_resident_pages(each) for each in _tree(pid)) * _PAGE_BYTES / _MIB


def _clock_s(pid: int) -> float:
    # The kernel's name for a process's CPU clock: pid inverted, shifted by three, and 2 for scheduler time.
    # It counts nanoseconds, where /proc counts hundredths of a second.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has just ended
        return 0.0


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # it has just ended
        return 0


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = [
            thread.read_text(encoding="ascii") for thread in Path(f"/proc/{pid}/task").glob("*/children")
        ]
    except OSError:  # it, or a thread of it, has just ended
        return
    for child in " ".join(threads).split():
        yield from _tree(int(child))
