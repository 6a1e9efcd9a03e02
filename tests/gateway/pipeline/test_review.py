"""Sequences an adversary would choose: a fail-over, a resend, an answer or a wait at the worst moment."""

from __future__ import annotations

import asyncio

from giftcard_adapters.contract import Ending, Guarantee, manner
from giftcard_adapters.model import Issue, Operation, Outcome, ReversalReason
from giftcard_gateway.entry import State
from giftcard_gateway.routing import Rule
from tests.gateway.pipeline.world import ISSUED, REFUSED_CONNECTION, World, play

FAILOVER = [Rule(provider="first", failover="second")]


def make_issues_reversible(world: World, provider: str) -> None:
    """Let a provider's issues have a way back."""
    scripted = world.connections.get(provider).provider

    @manner(Guarantee.COMPENSATED, Ending.FIND)
    async def issue(ask: Issue) -> Outcome:
        world.scripts[provider].requests.append(ask)
        return await world.scripts[provider].outcome()

    vars(scripted)["issue"] = issue


def test_issue_nobody_wants_any_more_does_not_fail_over() -> None:
    """A reversal wanted while an issue was on its way ends it where it is: no other provider makes a card."""

    async def story(world: World) -> None:
        make_issues_reversible(world, "first")
        ask = world.issue()
        world.script.reactions.extend([5.0, REFUSED_CONNECTION])
        begun = await world.transactions.begin(ask, wait_s=1)
        assert begun.entry.state is State.PENDING
        entry = await world.transactions.reverse(
            Operation.ISSUE, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
        )
        assert (entry.state, entry.provider) == (State.FAILED, "first")
        await asyncio.sleep(1_000)
        assert not world.scripts["second"].requests

    play(story, rules=FAILOVER)


def test_issue_does_not_fail_over_to_who_takes_none() -> None:
    """A stand-in that is switched off or issues nothing is left alone, and the issue is FAILED, not stuck."""

    async def story(world: World) -> None:
        stand_in = world.connections.get("second")
        world.script.reactions.extend([REFUSED_CONNECTION] * 2)
        stand_in.is_enabled = False
        assert (await world.transactions.begin(world.issue(), wait_s=30)).entry.state is State.FAILED
        stand_in.is_enabled = True
        vars(stand_in.provider)["issue"] = None
        assert (await world.transactions.begin(world.issue(), wait_s=30)).entry.state is State.FAILED
        del vars(stand_in.provider)["issue"]
        world.scripts["second"].reactions.append(ISSUED)
        world.script.reactions.append(REFUSED_CONNECTION)
        entry = (await world.transactions.begin(world.issue(), wait_s=30)).entry
        assert (entry.state, entry.provider) == (State.APPROVED, "second")

    play(story, rules=FAILOVER)
