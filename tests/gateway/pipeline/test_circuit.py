"""The circuit breaker: when it opens, who may probe, and what proves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_gateway.providers.circuit import Circuit, CircuitState


class Case:
    """A circuit of threshold 3 and a cooldown of 5 seconds, and its time."""

    def __init__(self) -> None:
        """Start closed."""
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.circuit = Circuit(threshold=3, cooldown_s=5.0, now=lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def fail(self, times: int = 1) -> None:
        """Let exchanges go out and not be answered."""
        for _ in range(times):
            self.circuit.began()
            self.circuit.failed()


@pytest.fixture
def case() -> Case:
    """A fresh circuit."""
    return Case()


def test_opens_after_so_many_in_a_row(case: Case) -> None:
    """Only failures in a row count: one answer in between and counting starts again."""
    case.fail(2)
    assert (case.circuit.admits(), case.circuit.is_failing) == (True, True)
    case.circuit.succeeded()
    assert (case.circuit.admits(), case.circuit.is_failing) == (True, False)
    case.fail(2)
    assert case.circuit.state is CircuitState.CLOSED
    case.fail()
    assert (case.circuit.state, case.circuit.admits()) == (CircuitState.OPEN, False)


def test_tells_how_long_to_wait(case: Case) -> None:
    """An open circuit names the seconds until somebody may try; a closed or half-open one none."""
    assert case.circuit.wait_s == 0
    case.fail(3)
    case.wait(2)
    assert case.circuit.wait_s == 3
    case.wait(10)
    assert case.circuit.wait_s == 0


def test_one_probe_at_a_time(case: Case) -> None:
    """Half open it lets one call out, and a second one only when the first has ended without proof."""
    case.fail(3)
    case.wait(5)
    assert (case.circuit.state, case.circuit.admits()) == (CircuitState.HALF_OPEN, True)
    case.circuit.began()
    assert not case.circuit.admits()
    case.circuit.abandoned()
    assert case.circuit.admits()
    assert case.circuit.state is CircuitState.HALF_OPEN


def test_probe_decides(case: Case) -> None:
    """A probe that is answered closes the circuit; one that is not opens it for another cooldown."""
    case.fail(3)
    case.wait(5)
    case.fail()
    assert (case.circuit.state, case.circuit.wait_s) == (CircuitState.OPEN, 5)
    case.wait(5)
    case.circuit.began()
    case.circuit.succeeded()
    assert case.circuit.state is CircuitState.CLOSED
    case.fail(2)
    assert case.circuit.admits()


def test_call_that_began_before_says_no_less(case: Case) -> None:
    """A call that went out before the circuit opened and is answered late proves the provider is there."""
    case.circuit.began()
    case.fail(3)
    assert not case.circuit.admits()
    case.circuit.succeeded()
    assert case.circuit.state is CircuitState.CLOSED


@given(st.lists(st.one_of(st.sampled_from(["began", "failed", "succeeded", "abandoned"]), st.floats(0.1, 9))))
def test_never_shut_for_ever(steps: list[str | float]) -> None:
    """Whatever happened, a cooldown after the last thing that happened somebody may try."""
    case = Case()
    for step in steps:
        if isinstance(step, float):
            case.wait(step)
        else:
            getattr(case.circuit, step)()
    case.circuit.abandoned()
    case.wait(5)
    assert case.circuit.admits()
