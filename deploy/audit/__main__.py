"""Asks of every pinned package: is an advisory out for it, and may we use it under its license.

python -m deploy.audit

1 when something is to be done; what makes the answer less sure is said beside it and fails nothing.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from deploy.audit import advisories, licenses
from deploy.audit.pins import RUNTIME, locked
from deploy.audit.policy import policy


def main() -> int:
    """Print what was looked at, the doubts and the faults."""
    today = datetime.now(UTC).date()
    allowed, known, pins = policy(), advisories.vendored(), locked()
    served = {pin.name for pin in locked(RUNTIME)}
    print(f"advisories: {len(known.advisories)} of {known.day} ({known.source}), for {len(pins)} pins")
    for one in allowed.accepted:
        print(f"accepted until {one.until}: {one.id} in {one.package}: {one.reason}")
    for doubt in advisories.doubts(pins, known, allowed, today):
        print(f"WARNING: {doubt}")
    print(
        f"licenses: {len(served)} packages to run the server, {len(pins) - len(served)} to build and test it"
    )
    faults = [*advisories.faults(pins, known, allowed, today), *licenses.faults(pins, served, allowed)]
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
