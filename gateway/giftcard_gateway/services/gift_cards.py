"""GiftCardService: the money operations, made by one loop over what they share, and the card reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from giftcard import v1
from giftcard_adapters.scrub import mask
from giftcard_adapters.values.advices import NO_WORDS, AdviceWords
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.errors import TransactionIdReused
from giftcard_gateway.services.balances import BatchBalances
from giftcard_gateway.services.card_reads import CardReads
from giftcard_gateway.services.guessing import Guessing
from giftcard_gateway.services.later_texts import refuse_card_data
from giftcard_gateway.wire.cards import has_secrets
from giftcard_gateway.wire.requests import ask_from, confirmation_from, field_path, reversal_from
from giftcard_gateway.wire.transactions import transaction_to

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_Answer = Callable[..., Any]
"""The class of a response that holds a `transaction`."""


class GiftCards:
    """The 21 money RPCs and the three card reads."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transactions = dependencies.transactions
        self._records = dependencies.records
        self._clock = dependencies.clock
        self._reads = CardReads(dependencies)
        self._balances = BatchBalances(dependencies)
        self._guessing = Guessing(dependencies)

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        calls: dict[str, Implementation] = {
            "Lookup": self._reads.lookup,
            "Balance": self._reads.balance,
            "BatchBalance": self._balances.batch,
        }
        for operation in Operation:
            names = names_of(operation)
            calls[names.rpc] = self._begin(operation, getattr(v1, f"{names.rpc}Response"))
            calls[names.confirm_rpc] = self._confirm(operation, getattr(v1, f"{names.confirm_rpc}Response"))
            calls[names.reverse_rpc] = self._reverse(operation, getattr(v1, f"{names.reverse_rpc}Response"))
        return calls

    def _begin(self, operation: Operation, answer: _Answer) -> Implementation:
        async def begin(request: Message, call: RpcCall) -> Message:
            ask = ask_from(operation, request, requested_at=self._clock.now())
            try:
                begun = await self._guessing.begin(ask, call)
            except TransactionIdReused as refusal:
                refusal.metadata["field"] = field_path(refusal.metadata.get("field", ""))
                raise
            if begun.is_replayed:
                call.mark_replayed()
            reveal = operation is Operation.ISSUE and call.identity.may_reveal(begun.entry)
            told = transaction_to(begun.entry, reveal=reveal)
            call.has_shown_secrets = reveal and any(has_secrets(card) for card in told.issued_cards)
            message: Message = answer(transaction=told)
            return message

        return begin

    def _confirm(self, operation: Operation, answer: _Answer) -> Implementation:
        async def confirm(request: Any, call: RpcCall) -> Message:  # noqa: ANN401 - any of the seven
            amount, tenders, words = confirmation_from(request)
            if tenders or words != NO_WORDS:
                await refuse_card_data(self._records, call.identity, request)
            entry = await self._transactions.confirm(
                operation,
                request.transaction_id.lower(),
                amount=amount,
                tenders=tenders,
                words=words,
                wait_s=call.wait_s(),
                by=call.identity,
            )
            message: Message = answer(transaction=transaction_to(entry))
            return message

        return confirm

    def _reverse(self, operation: Operation, answer: _Answer) -> Implementation:
        async def reverse(request: Any, call: RpcCall) -> Message:  # noqa: ANN401 - any of the seven
            reason, amount, words = reversal_from(request)
            if words != NO_WORDS and not await refuse_card_data(self._records, call.identity, request):
                # Nothing of it will be sent, and whose card it is about is not known yet.
                words = AdviceWords(note=mask(words.note))
            entry = await self._transactions.reverse(
                operation,
                request.transaction_id.lower(),
                reason=reason,
                amount=amount,
                words=words,
                wait_s=call.wait_s(),
                by=call.identity,
            )
            message: Message = answer(transaction=transaction_to(entry))
            return message

        return reverse
