"""GatePay, for the conformance suite: samples on the simulator's demo cards, in the reference dialect.

The guide's dialect is put through the same suite by tests/adapters/test_gatepay.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from giftcard_adapters.gatepay import GatePay
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Operation
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import ReadSample, Sample, Subject
from giftcard_simulators.gatepay import sandbox_settings
from giftcard_simulators.gatepay.simulator import GatePaySimulator

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LOOKUP = Lookup(lookup_id="9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11", asked_at=AT)
READY = CardRef(number=Secret("6045200000000001"))
NOWHERE = CardRef(number=Secret("6045200000009999"))

# The suite puts an id and a time of its own in their place.
ask_issue = partial(Issue, transaction_id="", requested_at=AT)

SUBJECT = Subject(
    name="gatepay",
    adapter=GatePay,
    stanza={"base_url": "http://gatepay.test", **sandbox_settings()},
    simulator=GatePaySimulator,
    guarantees={Operation.ISSUE: "1"},
    samples={
        Operation.ISSUE: Sample(
            approved=ask_issue(amount=Money("USD", 2_500), title="Thank you"),
            declined=ask_issue(amount=Money("USD", 2_500), title="sandbox: payment failed"),
            reason=DeclineReason.PROVIDER_REFUSED,
            can_be_found=False,
        )
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": Lookup(lookup_id=LOOKUP.lookup_id, asked_at=AT, card=READY)},
            refused={"ask": Lookup(lookup_id=LOOKUP.lookup_id, asked_at=AT, card=NOWHERE)},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "balances": ReadSample(
            arguments={"cards": [READY], "ask": LOOKUP},
            refused={"cards": [NOWHERE], "ask": LOOKUP},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "list_templates": ReadSample(),
    },
    has_webhooks=True,
)
