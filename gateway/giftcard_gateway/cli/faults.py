"""What can keep a command from its work, and how it is said: sentences, never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.extras import what_it_needs
from giftcard_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence


class CannotDo(OperatorError):
    """A command cannot do its work; each text says why, for a person."""

    @property
    def sentences(self) -> Sequence[str]:
        """Each text."""
        return tuple(map(str, self.args))


def sentences(fault: Exception) -> Sequence[str] | None:
    """Return what to tell a person, a sentence for each thing to mend; None for a bug, which shows itself."""
    if isinstance(fault, OperatorError):
        return fault.sentences
    if isinstance(fault, OSError):
        if fault.filename:
            return [f"{fault.filename}: {fault.strerror}"]
        return [fault.strerror or str(fault)]
    if needs := what_it_needs(fault):
        return [f"this command {needs}"]
    return None
