"""Turns what gRPC's core writes to standard error by itself into log lines of ours.

A handshake that fails is told there and nowhere else, with its reason and without its peer. All other lines
go on as they are.
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
_LINE = re.compile(rb"[IWEF]\d{4} .*\] Handshake failed with error (.*)")
_REASON = re.compile(rb"OPENSSL_internal:([A-Z0-9_]{1,64})")


@contextmanager
def told(failed: Callable[[str], None]) -> Iterator[TextIO]:
    """Read standard error for as long as the block lasts; gives the stream that our own lines go to.

    `failed` hears the reason of each failed handshake, on a thread of its own.
    """
    kept = os.dup(_STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    reader = threading.Thread(target=_read, args=(reading, kept, failed), daemon=True)
    reader.start()
    try:
        # Not closed: what is logged at the very end still finds it.
        yield os.fdopen(os.dup(kept), "w", buffering=1)
    finally:
        # The pipe ends with its last writer, and the reader with the pipe.
        os.dup2(kept, _STDERR)
        reader.join(1.0)
        os.close(kept)


def _read(reading: int, kept: int, failed: Callable[[str], None]) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                os.write(kept, line)
                continue
            reason = _REASON.search(found[1])
            why = reason[1].decode() if reason else "UNKNOWN"
            failed(why)
