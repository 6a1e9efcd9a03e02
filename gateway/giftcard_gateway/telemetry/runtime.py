"""What the process and its Python use, by OpenTelemetry's conventions; what no system tells is left out.

OpenTelemetry's own instrumentation of it would bring three more packages for what these few lines read.
"""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from giftcard_gateway.telemetry import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from giftcard_gateway.telemetry.metrics import Metrics, Values

_PROC = Path("/proc/self")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def watch_process(metrics: Metrics, now_s: Callable[[], float]) -> None:
    """Have this process's use of the machine read at every export."""
    began_s = now_s()
    metrics.watch(catalogue.CPU, _cpu)
    metrics.watch(catalogue.MEMORY, lambda: _pages(1))
    metrics.watch(catalogue.VIRTUAL, lambda: _pages(0))
    metrics.watch(catalogue.THREADS, _threads)
    metrics.watch(catalogue.FILES, _files)
    metrics.watch(catalogue.UPTIME, lambda: {(): now_s() - began_s})
    metrics.watch(catalogue.GC_RUNS, lambda: _garbage("collections"))
    metrics.watch(catalogue.GC_FOUND, lambda: _garbage("collected"))


def _cpu() -> Values:
    used = os.times()
    return {("user",): used.user, ("system",): used.system}


def _pages(place: int) -> Values:
    try:
        return {(): int((_PROC / "statm").read_text(encoding="ascii").split()[place]) * _PAGE}
    except OSError:
        return {}


def _threads() -> Values:
    """Count the system's threads, of which gRPC and the event loop make more than Python knows."""
    try:
        return {(): len(os.listdir(_PROC / "task"))}  # noqa: PTH208 - only how many
    except OSError:
        return {(): threading.active_count()}


def _files() -> Values:
    try:
        return {(): len(os.listdir(_PROC / "fd"))}  # noqa: PTH208 - only how many
    except OSError:
        return {}


def _garbage(what: str) -> Values:
    return {(str(generation),): told[what] for generation, told in enumerate(gc.get_stats())}
