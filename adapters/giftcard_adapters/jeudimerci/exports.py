"""What the headers of a downloaded export tell of the file, as far as it makes a file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message

from giftcard_adapters.values.counts import MOST_INT64
from giftcard_adapters.values.reads import ExportFile

_LONGEST_NAME = 255
"""Characters; no file system takes more."""

_MOST_DIGITS = len(str(MOST_INT64))


def export_file(headers: Mapping[str, str]) -> ExportFile:
    """Return what an answer's headers tell of the file in its body."""
    # A compressed body is unpacked on its way, so its length is not the file's.
    is_plain = headers.get("content-encoding", "identity") == "identity"
    return ExportFile(
        file_name=_name(headers.get("content-disposition", "")),
        content_type=headers.get("content-type", ""),
        size=_size(headers.get("content-length", "")) if is_plain else None,
    )


def _name(disposition: str) -> str:
    """Return a file's name without any folder; empty where none is told that a file could have."""
    parsed = Message()
    try:
        parsed["content-disposition"] = disposition
        told = parsed.get_filename() or ""
    except (ValueError, TypeError, LookupError):
        # RFC 2231 lets a name come in any charset and in numbered pieces, and the parser trusts both.
        return ""
    name = "".join(filter(str.isprintable, re.split(r"[/\\]", told)[-1])).strip()
    return "" if name in {".", ".."} or len(name) > _LONGEST_NAME else name


def _size(length: str) -> int | None:
    """Return a length in bytes; None where none is told that our wire could carry."""
    if not (length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS):
        return None
    return size if (size := int(length)) <= MOST_INT64 else None
