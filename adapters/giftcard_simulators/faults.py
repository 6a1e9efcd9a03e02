"""The script of faults: for which calls, which fault, how often.

The script is data and is played by `stage`. A script with a mistake is refused as a whole, with a
sentence for each mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from giftcard_simulators.sandbox import Plain, SimRequest

_LONGEST_DELAY_S = 3600.0
"""Longer than any client waits; a larger number is a mistake of units."""
_FIRST_STATUS, _LAST_STATUS = 200, 599


class FaultKind(StrEnum):
    """The ways an exchange goes wrong."""

    REFUSE_CONNECTION = "refuse_connection"
    """No connection: nothing was sent. Only inside a process; a real port cannot take it back."""
    DROP_REQUEST = "drop_request"
    """The request is read, the provider does not act, the connection is cut."""
    DROP_ANSWER = "drop_answer"
    """The provider acts and the connection is cut before the answer."""
    DELAY = "delay"
    """The answer comes `delay_s` seconds late."""
    ANSWER_TWICE = "answer_twice"
    """The same answer comes twice on the wire."""
    STATUS = "status"
    """A bare HTTP `status` in place of the answer."""
    HTML_502 = "html_502"
    """A proxy's 502 page in place of the answer."""
    TRUNCATED_JSON = "truncated_json"
    """The provider acts; the answer is valid HTTP whose JSON breaks off in the middle."""
    WRONG_AMOUNT = "wrong_amount"
    """The provider acts as asked and answers another amount."""


_MAY_ACT_OR_NOT = frozenset({FaultKind.DELAY, FaultKind.STATUS, FaultKind.HTML_502})


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which calls: an HTTP method and a regular expression found anywhere in the path; empty means any."""

    method: str = ""
    path: str = ""

    def fits(self, request: SimRequest) -> bool:
        """Tell whether a request is one of these."""
        if self.method and self.method.upper() != request.method.upper():
            return False
        return re.search(self.path, request.path) is not None


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the script: `fault` for the next `times` matching calls.

    `after_acting` says whether the provider acts before the delay, the status or the 502 page. Left
    out, a delay comes after acting and the others in place of it.
    """

    fault: FaultKind
    match: Match = Match()
    times: int = 1
    delay_s: float | None = None
    status: int | None = None
    after_acting: bool | None = None

    def acts_first(self) -> bool:
        """Tell whether the provider acts before this fault shows."""
        if self.after_acting is not None:
            return self.after_acting
        return self.fault not in {
            FaultKind.REFUSE_CONNECTION,
            FaultKind.DROP_REQUEST,
            FaultKind.STATUS,
            FaultKind.HTML_502,
        }


class ScriptError(Exception):
    """The script cannot be played; `faults` names each reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep every reason, so that a person mends them in one go."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class Script:
    """The faults still to come, in order; the first that fits a call is played."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Start with `faults`, each of them checked."""
        self._left: list[Fault] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Put another script in place of what is left; raise ScriptError, naming every reason."""
        faults = list(faults)
        reasons = [f"fault {n}: {why}" for n, fault in enumerate(faults, 1) for why in _reasons(fault)]
        if reasons:
            raise ScriptError(reasons)
        self._left = faults

    def take(self, request: SimRequest) -> Fault | None:
        """Return the fault to play on this request, and count it as played."""
        for place, fault in enumerate(self._left):
            if fault.match.fits(request):
                left = msgspec.structs.replace(fault, times=fault.times - 1)
                self._left[place : place + 1] = [left] if left.times else []
                return fault
        return None

    def left(self) -> list[Plain]:
        """Return what has not been played yet, as plain data."""
        return [msgspec.to_builtins(fault) for fault in self._left]


def read_faults(body: bytes) -> list[Fault]:
    """Read a script's JSON; raise ScriptError with a sentence for every line that cannot be read."""
    try:
        lines = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        raise ScriptError(["a script is a JSON list of faults"]) from None
    faults: list[Fault] = []
    reasons: list[str] = []
    for n, line in enumerate(lines, 1):
        try:
            faults.append(msgspec.json.decode(line, type=Fault))
        except msgspec.DecodeError as why:
            reasons.append(f"fault {n}: {why}")
            continue
        reasons += [f"fault {n}: {why}" for why in _reasons(faults[-1])]
    if reasons:
        raise ScriptError(reasons)
    return faults


def _reasons(fault: Fault) -> Iterable[str]:
    if fault.times < 1:
        yield "`times` must be 1 or more"
    yield from _delay_reasons(fault)
    yield from _status_reasons(fault)
    if fault.after_acting is not None and fault.fault not in _MAY_ACT_OR_NOT:
        yield f"`after_acting` means nothing with {fault.fault.value}"
    try:
        re.compile(fault.match.path)
    except re.error as why:
        yield f"`match.path` is not a regular expression: {why}"


def _delay_reasons(fault: Fault) -> Iterable[str]:
    if fault.fault is not FaultKind.DELAY:
        if fault.delay_s is not None:
            yield f"`delay_s` means nothing with {fault.fault.value}"
    elif fault.delay_s is None:
        yield "delay needs `delay_s`"
    elif not 0 < fault.delay_s <= _LONGEST_DELAY_S:
        yield f"`delay_s` must be more than 0 and at most {_LONGEST_DELAY_S:g}"


def _status_reasons(fault: Fault) -> Iterable[str]:
    if fault.fault is not FaultKind.STATUS:
        if fault.status is not None:
            yield f"`status` means nothing with {fault.fault.value}"
    elif fault.status is None:
        yield "status needs `status`"
    elif not _FIRST_STATUS <= fault.status <= _LAST_STATUS:
        yield f"`status` must be from {_FIRST_STATUS} to {_LAST_STATUS}"
