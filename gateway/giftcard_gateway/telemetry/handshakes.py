"""Turns what gRPC's core writes to standard error by itself into log lines of ours.

A handshake that fails is told there and nowhere else, with its reason and without its peer. What else it
writes tells an operator nothing: it goes on at `debug` alone. The lines of others always do.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDERR = 2
_LINE = re.compile(rb"[IWE]\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] (?:Handshake failed with error (.*))?")
"""One of gRPC's lines; not its last one, F, before it ends the process."""
_PREAMBLE = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
_REASON = re.compile(rb"OPENSSL_internal:([A-Z0-9_]{1,64})")


@contextmanager
def told(failed: Callable[[str], None], *, is_all_shown: bool = False) -> Iterator[TextIO]:
    """Read standard error for as long as the block lasts; gives the stream that our own lines go to.

    `failed` hears the reason of each failed handshake, on a thread of its own. `is_all_shown` lets gRPC's
    other lines through.
    """
    kept = os.dup(_STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    reader = threading.Thread(target=_read, args=(reading, kept, failed, is_all_shown), daemon=True)
    reader.start()
    try:
        # Not closed: what is logged at the very end still finds it.
        yield os.fdopen(os.dup(kept), "w", buffering=1)
    finally:
        # The pipe ends with its last writer, and the reader with the pipe.
        os.dup2(kept, _STDERR)
        reader.join(1.0)
        os.close(kept)


def _read(reading: int, kept: int, failed: Callable[[str], None], is_all_shown: bool) -> None:  # noqa: FBT001 - a thread's argument
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is not None and found[1] is not None:
                reason = _REASON.search(found[1])
                failed(reason[1].decode() if reason else "UNKNOWN")
            elif is_all_shown or not (found or line.startswith(_PREAMBLE)):
                os.write(kept, line)
