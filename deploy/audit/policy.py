"""What an audit lets pass, as `allowed.toml` beside this file says it, each with its reason."""

from __future__ import annotations

from datetime import date

import msgspec

from deploy.audit.pins import ROOT

PATH = "deploy/audit/allowed.toml"


class Stated(msgspec.Struct, forbid_unknown_fields=True):
    """The license of a package that does not say it in words a machine can read.

    What only tests use may come under any license, because nothing of it is handed on.
    """

    license: str
    reason: str
    tests_only: bool = False


class Accepted(msgspec.Struct, forbid_unknown_fields=True):
    """An advisory that touches a pin and is left so, until a day on which it is asked again."""

    id: str
    package: str
    reason: str
    until: date


class Policy(msgspec.Struct, forbid_unknown_fields=True):
    """All of it. `old_after_days` is how old advisories may be before each run says so."""

    old_after_days: int
    licenses: dict[str, str]
    spelled: dict[str, str]
    stated: dict[str, Stated]
    accepted: list[Accepted]


def policy() -> Policy:
    """Read the file; raise msgspec.ValidationError for what does not belong there."""
    return msgspec.toml.decode((ROOT / PATH).read_text(encoding="utf-8"), type=Policy)
