"""Every simulator takes all that its wire format allows, and refuses by name what it does not.

Hypothesis draws the messages; what is drawn from is in `plays`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.specs.drawing import Drawing, Json
from tests.specs.plays import PLAYS
from tests.specs.validating import Document

CASES = [(name, operation) for name, play in PLAYS.items() for operation in play.bodies]

# Not shrunk: a message is large, and a failure names the place.
drawn = settings(
    max_examples=60,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize(("name", "operation"), CASES)
def test_what_fits_is_taken(name: str, operation: str) -> None:
    """No message that fits is refused for its shape, some are done, and every answer fits."""
    play = PLAYS[name]
    drawing = Drawing(play.bodies[operation], play.told)
    statuses = set()

    def ask(body: Json) -> None:
        simulator = play.make()
        request = play.ask(simulator, operation, body, body)
        assert play.wire.message_faults(request) == []
        answer = simulator.answer(request)
        statuses.add(play.is_done(answer))
        assert play.complaint(answer) is None, play.complaint(answer)
        assert not play.wire.answer_faults(request, answer)

    # Hypothesis also draws constants of the modules that happen to be loaded: of few none may be done.
    for most in (drawn.max_examples, 20 * drawn.max_examples):
        if True not in statuses:
            settings(drawn, max_examples=most)(given(drawing.messages().map(play.mend))(ask))()
    assert True in statuses, "nothing that was drawn is ever done"


@pytest.mark.parametrize(("name", "operation"), CASES)
def test_what_does_not_fit_is_refused_by_name(name: str, operation: str) -> None:
    """A message that is wrong in one place is refused in the provider's own shape, which names the field."""
    play = PLAYS[name]
    drawing = Drawing(play.bodies[operation], play.told)

    @drawn
    @given(drawing.messages().map(play.mend), st.data())
    def ask(body: Json, data: Any) -> None:  # noqa: ANN401 - Hypothesis's own
        around = [one for one in drawing.spoilt(body) if not play.is_taken(one)]
        if not around:
            return
        spoilt = data.draw(st.sampled_from(around))
        simulator = play.make()
        request = play.ask(simulator, operation, spoilt.message, body)
        if isinstance(play.wire, Document):  # of two alternatives one may be left out
            assume(play.wire.message_faults(request))
        before = simulator.effects()
        answer = simulator.answer(request)
        complaint = play.complaint(answer)
        assert complaint is not None, f"taken: {spoilt.how} at {spoilt.place}"
        assert spoilt.field in complaint, f"{spoilt.how} at {spoilt.place}: {complaint}"
        assert not play.wire.answer_faults(request, answer)
        assert simulator.effects() == before

    ask()
