"""An approved transaction held open during a `with` block: confirmed at its end, reversed if it raises.

The rules are scripts, written once; the two classes only run them. Who runs a script is in `giftcard.client`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self, Unpack

from giftcard import v1
from giftcard.errors import CallError, ConfirmationFailed, NotApproved
from giftcard.fields import FinalFields
from giftcard.next_steps import REPEAT_CONFIRMATION
from giftcard.operations import Ask, Decision
from giftcard.scripts import Answer, Plan, RepeatPolicy, Script
from giftcard.transaction_state import is_approved, is_confirmed, is_pending, raise_for_decline

_Reason = v1.ReversalReason


class Runner(ABC):
    """A client that takes the steps of a plan and returns what they come to."""

    @abstractmethod
    def run(self, plan: Plan[Answer]) -> Answer:
        """Run a plan; raise CallError."""


class AsyncRunner(ABC):
    """A client that awaits the steps of a plan and returns what they come to."""

    @abstractmethod
    async def run(self, plan: Plan[Answer]) -> Answer:
        """Run a plan; raise CallError."""

    @abstractmethod
    async def finish(self, plan: Plan[Answer], failure: BaseException | None) -> None:
        """Run a plan to its end though the task be cancelled; a cancellation gives way to a failure."""


class _Held:
    """The rules of a transaction held open."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._final = FinalFields()
        self._transaction: v1.Transaction | None = None

    @property
    def transaction(self) -> v1.Transaction:
        """The transaction as last heard of; there is none before the block begins."""
        if self._transaction is None:
            raise RuntimeError("There is no transaction before the `with` block begins.")
        return self._transaction

    def confirm_with(self, **final: Unpack[FinalFields]) -> None:
        """Say what the confirmation at the end of the block carries: a smaller final amount, the tenders."""
        self._final = final

    def _begin(self, policy: RepeatPolicy) -> Script[None]:
        """Ask; when the outcome stays open, reverse: nothing is to be taken for a block that did not run."""
        try:
            self._transaction = yield from self._ask(policy)
        except GeneratorExit:
            raise
        except BaseException as failure:
            # SystemExit and what a signal's handler raises leave the outcome as open as a lost answer does.
            if not isinstance(failure, CallError) or failure.is_outcome_open:
                yield from self._reverse(policy, _Reason.REVERSAL_REASON_TIMEOUT, failure)
            raise
        if is_approved(self._transaction) or is_confirmed(self._transaction):
            return
        not_approved = NotApproved(raise_for_decline(self._transaction))
        if is_pending(self._transaction):
            yield from self._reverse(policy, _Reason.REVERSAL_REASON_RESPONSE_NOT_FINAL, not_approved)
        raise not_approved

    def _end(self, policy: RepeatPolicy, failure: BaseException | None) -> Script[None]:
        """Confirm, or reverse if the block raised; what it raised goes on its way."""
        if is_confirmed(self.transaction):
            if failure is not None:
                failure.add_note(
                    f"Transaction {self._ask.transaction_id} had been confirmed before: it stays."
                )
        elif failure is None:
            yield from self._confirm(policy)
        else:
            yield from self._reverse(policy, _Reason.REVERSAL_REASON_CANCELLED, failure)

    def _confirm(self, policy: RepeatPolicy) -> Script[None]:
        """Confirm; say beside whatever interrupts it that the goods may be gone."""
        confirm = Decision.of(f"Confirm{self._ask.name}", {**self._same(), **self._final})
        try:
            self._transaction = yield from confirm(policy)
        except ConfirmationFailed:
            raise
        except BaseException as interruption:
            interruption.add_note(
                f"The confirmation of transaction {self._ask.transaction_id} was interrupted."
                f" {REPEAT_CONFIRMATION}"
            )
            raise

    def _reverse(
        self, policy: RepeatPolicy, reason: v1.ReversalReason.ValueType, cause: BaseException
    ) -> Script[None]:
        """Reverse because of something; should that fail too, say so beside the cause, which matters more."""
        reverse = Decision.of(f"Reverse{self._ask.name}", {**self._same(), "reason": reason})
        try:
            self._transaction = yield from reverse(policy)
        except Exception as error:  # noqa: BLE001 - the user's exception must not be replaced by any of ours
            cause.add_note(f"Transaction {self._ask.transaction_id} could not be reversed: {error}")
        except BaseException as interruption:
            # A second Ctrl-C means it: whoever sends it wants to wait no longer.
            cause.add_note(
                f"The reversal of transaction {self._ask.transaction_id} was interrupted:"
                f" {type(interruption).__name__}"
            )
            raise

    def _same(self) -> dict[str, object]:
        """Name the transaction and its deadline for a further call."""
        return {"transaction_id": self._ask.transaction_id, "deadline_s": self._ask.deadline_s}


class OpenTransaction(_Held):
    """A transaction held open by `Client`; `transaction` is approved while the block runs."""

    def __init__(self, runner: Runner, ask: Ask) -> None:
        super().__init__(ask)
        self._runner = runner

    def __enter__(self) -> Self:
        """Ask; raise Declined, NotApproved or CallError, with nothing taken."""
        self._runner.run(self._begin)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, failure: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Confirm or reverse; a confirmation that fails raises ConfirmationFailed."""
        self._runner.run(lambda policy: self._end(policy, failure))


class AsyncOpenTransaction(_Held):
    """A transaction held open by `AsyncClient`; `transaction` is approved while the block runs."""

    def __init__(self, runner: AsyncRunner, ask: Ask) -> None:
        super().__init__(ask)
        self._runner = runner

    async def __aenter__(self) -> Self:
        """Ask; raise Declined, NotApproved or CallError, with nothing taken."""
        await self._runner.run(self._begin)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, failure: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Confirm or reverse, also when cancelled; a confirmation that fails raises ConfirmationFailed."""
        await self._runner.finish(lambda policy: self._end(policy, failure), failure)
