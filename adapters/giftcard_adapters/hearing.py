"""Lets who asks a provider hear with which HTTP status it answered, whatever the adapter made of that."""

from __future__ import annotations

from contextvars import ContextVar


class Heard:
    """The status of the last answer of the exchanges that one task makes; 0 until one comes."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self.status = 0


heard: ContextVar[Heard | None] = ContextVar("heard", default=None)
"""Where the exchanges of this task leave what they heard; None where nobody wants to know."""
