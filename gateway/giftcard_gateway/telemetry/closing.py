"""Hands over what telemetry has left at the end of a process, and waits for no collector that hangs.

The SDK's own ends wait for ten to thirty seconds each, one after the other: a supervisor would kill us.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger("giftcard_gateway")
LONGEST_S = 2.0
"""How long all of it may take together."""


def close_side_by_side(
    ends: Mapping[str, Callable[[], object]], now_s: Callable[[], float], longest_s: float = LONGEST_S
) -> None:
    """Call these at once, by their signals' names; what takes longer is left behind, and told."""
    until_s = now_s() + longest_s
    # Daemons: a process does not wait for those that hang.
    threads = {
        signal: threading.Thread(target=partial(_close, signal, end), name=f"close-{signal}", daemon=True)
        for signal, end in ends.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, until_s - now_s()))
    if late := ", ".join(signal for signal, thread in threads.items() if thread.is_alive()):
        _log.warning("the collector did not take the last of our telemetry in time", extra={"signals": late})


def _close(signal: str, end: Callable[[], object]) -> None:
    try:
        end()
    except Exception as fault:  # noqa: BLE001 - whatever an exporter raises, the process ends as it would
        _log.warning(
            "the last of our telemetry was not handed over",
            extra={"signals": signal, "error_type": type(fault).__qualname__},
        )
