"""Checks a commit's message, as git hands it over before it commits: a short plain subject, then why.

python deploy/commit_subject.py FILE
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 60
"""Characters. A list of commits then fits on a screen, and a subject holds one thought."""
_UNFINISHED = re.compile(r"(?:wip|tmp|fixup|squash|amend)\b", re.IGNORECASE)
_OF_GIT = re.compile(r'Merge |Revert "')


def faults(message: str) -> Iterator[str]:
    """Say what is wrong with a message, a sentence each; lines that begin with # are git's own."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if _OF_GIT.match(subject):
        return
    if not subject.strip():
        yield "the first line is empty; say there what the commit does"
    if len(subject) > LONGEST:
        yield f"the subject has {len(subject)} characters, more than {LONGEST}; move the rest to the body"
    if subject.endswith("."):
        yield "the subject ends with a period; it is a heading"
    if _UNFINISHED.match(subject):
        yield f"the subject begins with {subject.split()[0]}; finish the commit or fold it into another"
    elif subject[:1].islower():
        yield "the subject begins with a small letter"
    if len(lines) > 1 and lines[1].strip():
        yield "the second line is not empty; the body begins on the third"


def main(arguments: list[str]) -> int:
    """Print what is wrong with the message in a file; 1 when something is."""
    found = list(faults(Path(arguments[0]).read_text(encoding="utf-8")))
    for fault in found:
        print(f"commit message: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
