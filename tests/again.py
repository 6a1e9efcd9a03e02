"""Tells a fault from a machine that stood still: what failed in a whole run is run once more, by itself.

Only `.ci/run` does so, and only for a handful: more failures than MOST are no accident. What passes alone is
named as a fault all the same, for somebody to mend.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST = 3
"""Failures that may be accidents."""
_FAILED = Path(__file__).parents[1] / ".pytest_cache/v/cache/lastfailed"


def failed(file: Path = _FAILED) -> list[str]:
    """Return what failed in the last run, as pytest names it; nothing where that is not known."""
    return sorted(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []


def verdict(names: list[str]) -> str:
    """Return why these failures are not run again; empty where they are."""
    if not names:
        return "pytest says of no test that it failed, so none is run again"
    if len(names) > MOST:
        return f"{len(names)} tests failed, which is no accident"
    return ""


def main() -> int:
    """Run the failed tests once more; return 0 if all of them pass now."""
    names = failed()
    if why_not := verdict(names):
        sys.stdout.write(f"{why_not}\n")
        return 1
    sys.stdout.write(f"once more, by themselves: {', '.join(names)}\n")
    sys.stdout.flush()
    # Named one by one: a name that is not found any more fails here, where --last-failed would run all tests.
    again = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *names]
    code = subprocess.run(again, check=False).returncode
    if code == 0:
        sys.stdout.write(
            f"FAILED BESIDE OTHERS, PASSED ALONE: {', '.join(names)}. Each is a fault to mend.\n"
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
