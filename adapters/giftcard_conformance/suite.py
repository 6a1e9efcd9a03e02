"""Which checks an adapter is put through: each is a case with a name, for whichever test runner there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import msgspec

from giftcard_adapters.values.advices import AdviceKind
from giftcard_adapters.values.operations import Operation
from giftcard_conformance import advices, capability, completeness, reads, requests, secrecy
from giftcard_conformance.subject import Sample, Subject


class Case(msgspec.Struct, frozen=True):
    """One check of one subject: `await case.run()` returns, or raises NotConforming."""

    name: str
    run: Callable[[], Awaitable[None]]

    def __repr__(self) -> str:
        """Show the name alone: a sample names cards."""
        return self.name


_CAPABILITY = (
    capability.methods_and_traits_agree,
    capability.traits_have_their_methods,
    capability.row_is_as_expected,
    capability.facts_are_told,
    capability.simulator_is_whole,
    capability.every_operation_has_a_sample,
    capability.stanza_is_read,
    capability.stanza_refuses_unknown_keys,
    capability.stanza_refuses_missing_keys,
    capability.stanza_refuses_other_types,
    completeness.leaves_out_names_fields,
)
_REQUESTS = (
    requests.approval_is_read,
    requests.decline_is_read,
    requests.bytes_are_the_same,
    requests.refused_connection_is_not_sent,
    requests.late_answer_is_unknown,
    requests.wrong_amount_is_unknown,
    requests.double_answer_is_one,
    requests.nothing_is_sent_twice,
    secrecy.money_shows_no_secret,
    secrecy.echo_shows_no_secret,
    completeness.no_field_is_dropped,
)
_LOST_REQUESTS = (requests.lost_answer_is_unknown, requests.unknown_can_be_ended)
_ADVICES = (advices.advice_is_the_same, advices.advice_has_one_effect, advices.part_can_be_advised)
_REVERSALS = (advices.reversal_puts_back, advices.reversal_may_find_nothing)
_READS = (
    reads.read_is_answered,
    reads.read_is_refused,
    reads.lost_read_is_no_answer,
    secrecy.read_shows_no_secret,
    completeness.no_read_field_is_dropped,
)


def cases(subject: Subject) -> Iterator[Case]:
    """Give every check that applies to a subject."""
    for check in _CAPABILITY:
        yield Case(check.__name__, partial(check, subject))
    for operation, sample in subject.samples.items():
        yield from _money(subject, operation, sample)
        for kind in advices.kinds(subject, operation):
            yield from _advice(subject, operation, sample, kind)
        for kind in completeness.advised(subject, operation):
            told = partial(completeness.no_advice_field_is_dropped, subject, operation, sample, kind)
            yield Case(f"{operation}/{kind}/no_advice_field_is_dropped", told)
    for method, read in subject.reads.items():
        for look in _READS:
            yield Case(f"{method}/{look.__name__}", partial(look, subject, method, read))


def _money(subject: Subject, operation: Operation, sample: Sample) -> Iterator[Case]:
    for check in _REQUESTS:
        yield Case(f"{operation}/{check.__name__}", partial(check, subject, operation, sample))
    for lost in _LOST_REQUESTS:
        for how in requests.LOST:
            yield Case(f"{operation}/{lost.__name__}/{how}", partial(lost, subject, operation, sample, how))


def _advice(subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind) -> Iterator[Case]:
    for check in _ADVICES:
        yield Case(f"{operation}/{kind}/{check.__name__}", partial(check, subject, operation, sample, kind))
    for how in advices.LOST:
        again = partial(advices.lost_advice_is_tried_again, subject, operation, sample, kind, how)
        yield Case(f"{operation}/{kind}/lost_advice_is_tried_again/{how}", again)
    if kind is AdviceKind.REVERSAL:
        for undo in _REVERSALS:
            yield Case(f"{operation}/{undo.__name__}", partial(undo, subject, operation, sample))
