"""Whether a repeated request is the same request (rule 1).

Content is every field of the operation except when it was asked and its labels. Deadline and trace
are not part of an operation at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from giftcard_adapters.model import AnyOperation

_NOT_CONTENT = frozenset({"requested_at", "labels"})


def first_difference(recorded: AnyOperation, repeated: AnyOperation) -> str | None:
    """Return the path of the first field that differs, None when the content is the same."""
    if type(recorded) is not type(repeated):
        return "operation"
    return _difference(recorded, repeated, skipped=_NOT_CONTENT)


def _difference(
    ours: msgspec.Struct, theirs: msgspec.Struct, skipped: frozenset[str] = frozenset()
) -> str | None:
    for name in ours.__struct_fields__:
        left, right = getattr(ours, name), getattr(theirs, name)
        if name in skipped or left == right:
            continue
        if isinstance(left, msgspec.Struct) and type(left) is type(right):
            inner = _difference(left, right)
            return f"{name}.{inner}" if inner else name
        return name
    return None
