"""What can keep a command from its work, and how it is said: sentences, never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_demo import NoSandbox
from giftcard_gateway.config import ConfigError
from giftcard_gateway.process.sandbox import FolderUnusable
from giftcard_gateway.process.serving import CANNOT_START
from giftcard_gateway.process.workers import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Sequence


class CannotDo(Exception):
    """A command cannot do its work; the text says why, for a person."""


EXPECTED = (CannotDo, NoSandbox, ConfigError, FolderUnusable, OSError, WorkerFailed, *CANNOT_START)
"""Faults a person can mend; anything else is a bug and shows itself as one."""


def sentences(fault: BaseException) -> Sequence[str]:
    """Return what to tell a person, a sentence for each thing to mend."""
    if isinstance(fault, ConfigError):
        return fault.faults
    if isinstance(fault, WorkerFailed):
        return []
    if isinstance(fault, OSError) and fault.filename:
        return [f"{fault.filename}: {fault.strerror}"]
    return [str(fault.strerror if isinstance(fault, OSError) and fault.strerror else fault)]
