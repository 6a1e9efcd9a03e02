"""Who types a command: the user that the operating system knows, whatever the environment says."""

from __future__ import annotations

import os
import pwd


def person() -> str:
    """Return the name of this process's user, or `uid:` and its number where it has none in plain letters."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    return name if name.isascii() and name.isprintable() and name.strip() else f"uid:{uid}"
