"""The example package has tests of its own, which are run where it is installed."""

from __future__ import annotations

collect_ignore = ["acme"]
