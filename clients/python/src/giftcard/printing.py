"""Messages as text without their secrets: what the contract marks `debug_redact` is left out.

protobuf's own `str()` for Python prints everything, so log `redacted(message)` and never a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_HIDDEN = "****"


def redacted(message: Message) -> str:
    """Return a message in protobuf's text format; each secret that is set reads `****`.

    Fields that this release of the contract does not know are not shown.
    """
    shown = type(message)()
    shown.CopyFrom(message)
    _hide(shown)
    return text_format.MessageToString(shown, as_utf8=True)


def _hide(message: Message) -> None:
    """Replace the secrets of a message and of all messages in it."""
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
            if _is_text(field):
                setattr(message, field.name, _HIDDEN)
            continue
        for inner in _messages_of(field, value):
            _hide(inner)


def _is_text(field: FieldDescriptor) -> bool:
    """Tell whether the mark for what is hidden fits in a field."""
    return field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _messages_of(field: FieldDescriptor, value: object) -> Iterable[Message]:
    """Return the messages that a field holds: none, one, a list's or a map's."""
    if field.message_type is None:
        return ()
    if not field.is_repeated:
        return (cast("Message", value),)
    held = value.values() if isinstance(value, Mapping) else cast("Iterable[object]", value)
    return tuple(one for one in held if isinstance(one, Message))
