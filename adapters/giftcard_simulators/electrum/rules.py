"""The six financial operations as one table: what each reads, checks, moves, and how it settles.

Activation, load, redemption and void follow Electrum's own test server, check by check. It has
neither replace nor transfer, and nothing else public says what they check: their rows are our
assumption, made from the other four.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from giftcard_simulators.electrum import checks, messages, moves
from giftcard_simulators.electrum.checks import CardStage, CheckedRequest, Course, Refusal, RequestCheck


class RequestRule(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. `checks` run in order, once every card number is known to exist.

    `late_reversal` is the error of a reversal that comes after the confirmation.
    """

    segment: str
    name: str
    kind: str
    request: type[messages.MoneyRequest]
    confirmation: type[messages.AdviceMessage]
    roles: tuple[str, ...] = ("card",)
    courses: tuple[Course, ...]
    checks: tuple[RequestCheck, ...]
    move: Callable[[CheckedRequest], moves.Move]
    confirm: moves.Settle
    reverse: moves.Settle
    late_reversal: Refusal = Refusal.TRANSACTION_NOT_SUPPORTED
    balance_of: int = 0
    """Which of the cards the response's balances are of."""
    has_amounts: bool = True
    """Whether the request itself can name amounts."""

    @property
    def are_cards_in_use(self) -> bool:
        """Whether the cards stay in use, so that one can be voided before the advice comes."""
        return _IN_USE in self.courses


_FRESH = Course(
    needed=CardStage.NEW,
    asked=CardStage.ACTIVATED,
    confirmed=CardStage.ACTIVATED_CONFIRMED,
    undone=CardStage.NEW,
)
_IN_USE = Course(
    needed=CardStage.ACTIVATED_CONFIRMED,
    asked=CardStage.ACTIVATED_CONFIRMED,
    confirmed=CardStage.ACTIVATED_CONFIRMED,
    undone=CardStage.ACTIVATED_CONFIRMED,
)
_ENDING = Course(
    needed=CardStage.ACTIVATED_CONFIRMED,
    asked=CardStage.VOIDED,
    confirmed=CardStage.VOIDED_CONFIRMED,
    undone=CardStage.ACTIVATED_CONFIRMED,
)

RULES = (
    RequestRule(
        segment="activations",
        name="ACTIVATION",
        kind="activate",
        request=messages.ActivationRequest,
        confirmation=messages.TenderAdvice,
        courses=(_FRESH,),
        checks=(
            checks.has_product,
            checks.is_in_state,
            checks.names_expiry,
            checks.is_in_date,
            checks.takes_amount,
        ),
        move=moves.activate,
        confirm=moves.settle_activation,
        reverse=moves.undo,
        late_reversal=Refusal.CARD_ACTIVATED,
    ),
    RequestRule(
        segment="loads",
        name="LOAD",
        kind="load",
        request=messages.LoadRequest,
        confirmation=messages.TenderAdvice,
        courses=(_IN_USE,),
        checks=(checks.is_in_state, checks.names_expiry, checks.is_in_date, checks.has_amount),
        move=moves.load,
        confirm=moves.settle_load,
        reverse=moves.settle_load,
    ),
    RequestRule(
        segment="redemptions",
        name="REDEMPTION",
        kind="redeem",
        request=messages.RedemptionRequest,
        confirmation=messages.AdviceMessage,
        courses=(_IN_USE,),
        checks=(
            checks.is_in_state,
            checks.has_funds,
            checks.knows_pin,
            checks.names_expiry,
            checks.is_in_date,
            checks.has_amount,
        ),
        move=moves.redeem,
        confirm=moves.settle_redemption,
        reverse=moves.settle_redemption,
    ),
    RequestRule(
        segment="transfers",
        name="TRANSFER",
        kind="transfer",
        request=messages.TransferRequest,
        confirmation=messages.AdviceMessage,
        roles=("source_card", "target_card"),
        courses=(_IN_USE, _IN_USE),
        checks=(
            checks.are_two,
            checks.is_in_state,
            checks.are_of_one_currency,
            checks.has_funds,
            checks.knows_pin,
            checks.names_expiry,
            checks.is_in_date,
            checks.has_amount,
        ),
        move=moves.transfer,
        confirm=moves.settle_transfer,
        reverse=moves.settle_transfer,
    ),
    RequestRule(
        segment="replaces",
        name="REPLACE",
        kind="replace",
        request=messages.ReplaceRequest,
        confirmation=messages.AdviceMessage,
        roles=("old_card", "new_card"),
        courses=(_ENDING, _FRESH),
        balance_of=1,
        has_amounts=False,
        checks=(
            checks.are_two,
            checks.is_in_state,
            checks.are_of_one_currency,
            checks.is_idle,
            checks.names_expiry,
            checks.is_new_card_in_date,
        ),
        move=moves.replace,
        confirm=moves.keep,
        reverse=moves.undo,
    ),
    RequestRule(
        segment="voids",
        name="VOID",
        kind="void",
        request=messages.VoidRequest,
        confirmation=messages.AdviceMessage,
        courses=(_ENDING,),
        has_amounts=False,
        checks=(checks.is_in_state, checks.names_expiry_of_void, checks.is_in_date),
        move=moves.void,
        confirm=moves.keep,
        reverse=moves.undo,
        late_reversal=Refusal.CARD_VOIDED,
    ),
)
"""Every financial operation, in the order the interface documents them."""
