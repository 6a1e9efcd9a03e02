"""What is printed for the customer: what a provider wants, or what the caller's side prints."""

from __future__ import annotations

import msgspec


class SlipLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line to print; scale factors of 1 are the printer's normal font."""

    text: str = ""
    width_factor: float = 1.0
    height_factor: float = 1.0
    line: bool = False
    cut: bool = False
    barcode: str = ""
    barcode_encoding: str = ""


class Slip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to print; `width` counts characters."""

    lines: tuple[SlipLine, ...] = ()
    width: int | None = None
    issuer_reference: str = ""
