"""What numbers in settings may be: none is taken that cannot be meant, such as a time-out of thirty years.

A setting whose number is of another kind has a `Meta` of its own, with a least and a most.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

WaitSeconds = Annotated[float, Meta(ge=0.1, le=3600)]
"""How long somebody is waited for."""
PauseSeconds = Annotated[float, Meta(ge=0.01, le=86400)]
"""How long until something is tried again."""
SpanSeconds = Annotated[float, Meta(ge=1, le=864000)]
"""How long something is kept or goes on: ten days at most, as gRPC counts no further."""
Places = Annotated[int, Meta(ge=1, le=100_000)]
"""How many may be at once: more than a process has room for is no limit."""
