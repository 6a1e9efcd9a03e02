"""Rows that hold what no gateway writes, each told as something that does not open."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from giftcard_gateway.seal import SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable

_Sealed = TypeVar("_Sealed")


def must_be_whole(table: str, damaged: str) -> None:
    """Raise SealBroken where a column is named that is damaged."""
    if damaged:
        raise damaged_column(table, damaged)


def damaged_column(table: str, column: str) -> SealBroken:
    """Return the fault of a column that holds what no gateway writes there."""
    return SealBroken(f"the column {table}.{column} holds what no gateway writes there")


def decoded(decode: Callable[[bytes], _Sealed], text: bytes, what: str) -> _Sealed:
    """Return what was sealed; raise SealBroken where that is not what belongs there."""
    try:
        return decode(text)
    except msgspec.MsgspecError:
        raise SealBroken(f"what is sealed there is no {what}") from None
