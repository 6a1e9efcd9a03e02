"""Counts, as far as our own wire can carry them: a decoder refuses what lies beyond."""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_INT64 = 2**63 - 1

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""A count of things that are told one by one, or changed by one call."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=MOST_INT64)]
"""A count of anything."""
