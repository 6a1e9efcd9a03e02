"""How long a test waits for what must come.

A wait ends when the thing comes, so patience costs a green run nothing. It is long because a machine may be
ten times slower than ours, or stand still for seconds at any point, and that proves nothing about the code.
"""

from __future__ import annotations

PATIENCE_S = 180.0
ANSWER_S = 60.0
"""How long a gateway waits for its provider where no test wants it to give up: an adapter's own default."""
