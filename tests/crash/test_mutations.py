"""The simulation can fail: every deliberate fault in the pipeline is caught by some seed."""

from __future__ import annotations

import pytest

from tests.crash import mutations
from tests.crash.__main__ import catch


@pytest.mark.parametrize("name", mutations.names())
def test_mutation_is_caught(name: str) -> None:
    """A pipeline that breaks this one rule does not survive the seeds."""
    _, seed, sentence = catch(name)
    assert seed is not None, f"{name} survived: {mutations.rule(name)}"
    assert sentence


def test_mutations_are_undone() -> None:
    """Once a mutation is over the pipeline is whole again."""
    with mutations.applied("unknown_as_decline"):
        pass
    assert all(mutations.rule(name).startswith("Rule ") for name in mutations.names())
    from giftcard_gateway.providers.exchanges import Exchanges  # noqa: PLC0415 -- looked at after the mutation

    assert Exchanges.request.__name__ == "request"
