"""Under which license each pinned package comes, by its installed metadata, and whether that is allowed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata

from license_expression import ExpressionError, ExpressionParseError, LicenseExpression, get_spdx_licensing

from deploy.audit.pins import Pin
from deploy.audit.policy import Policy

SPDX = get_spdx_licensing()
_KIND = "License ::"


def words(name: str, policy: Policy) -> list[str]:
    """Give what a package's metadata say of its license, the clearest first; raise PackageNotFoundError.

    An SPDX expression (PEP 639) stands for itself. Before that there were a free text, and classifiers: all
    of them count, and one that the policy cannot spell makes the others worth nothing.
    """
    said = metadata(name)
    kinds = [each for each in said.get_all("Classifier") or () if each.startswith(_KIND)]
    spelled = [policy.spelled[each] for each in kinds if each in policy.spelled]
    together = [" AND ".join(spelled)] if spelled and len(spelled) == len(kinds) else []
    return [
        *(said.get_all("License-Expression") or ()),
        *(policy.spelled.get(each.strip(), each.strip()) for each in said.get_all("License") or ()),
        *together,
    ]


def expression(said: list[str]) -> LicenseExpression | None:
    """Give the first of the words that is an SPDX expression; None when none is."""
    for each in said:
        try:
            return SPDX.parse(each, validate=True)
        except (ExpressionError, ExpressionParseError):
            continue
    return None


def allows(policy: Policy, license_: LicenseExpression) -> bool:
    """Tell whether the policy's identifiers are enough: for one side of OR, for both sides of AND."""
    known = {
        symbol: SPDX.TRUE if str(symbol) in policy.licenses else SPDX.FALSE for symbol in license_.symbols
    }
    return bool(license_.subs(known).simplify() == SPDX.TRUE)


def found(pin: Pin, policy: Policy) -> str | None:
    """Give a pin's license as an SPDX expression; None when neither its metadata nor the policy tell."""
    if stated := policy.stated.get(pin.name):
        return stated.license
    try:
        license_ = expression(words(pin.name, policy))
    except PackageNotFoundError:
        return None
    return None if license_ is None else str(license_)


def faults(pins: Iterable[Pin], served: Container[str], policy: Policy) -> Iterator[str]:
    """Give a sentence for each pin of unknown or unwelcome license, and for each statement nobody needs.

    `served` are the names of what the server runs on.
    """
    names = set()
    for pin in pins:
        names.add(pin.name)
        license_ = found(pin, policy)
        stated = policy.stated.get(pin.name)
        if license_ is None:
            yield f"{pin.name} {pin.version}: no license is known; state it with where it was read"
        elif stated and stated.tests_only:
            if pin.name in served:
                yield f"{pin.name} {pin.version}: {license_} is for tests only, and the server needs it"
        elif not allows(policy, SPDX.parse(license_)):
            yield f"{pin.name} {pin.version}: {license_} is not allowed"
    for name in sorted(policy.stated):
        if name not in names:
            yield f"the license of {name} is stated, and it is not pinned: take it out"
        elif speaks_for_itself(name, policy):
            yield f"the license of {name} is stated, and its metadata tell it: take it out"


def speaks_for_itself(name: str, policy: Policy) -> bool:
    """Tell whether an installed package's metadata are enough."""
    try:
        return expression(words(name, policy)) is not None
    except PackageNotFoundError:
        return False
