"""What a money operation is called in each place, worked out from its one name: `CASH_OUT` is `CashOut`."""

from __future__ import annotations

from functools import cache

import msgspec


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one money operation, here those of `CASH_OUT`."""

    wire: str
    """`CASH_OUT`: in enums, in the journal and in error metadata."""
    method: str
    """`cash_out`: an adapter's method, a client's call, a command's argument."""
    rpc: str
    """`CashOut`: the RPC, and the struct that asks for it."""
    words: str
    """`Cash out`: a heading for people."""

    @property
    def confirm_rpc(self) -> str:
        """Return the RPC that confirms it, such as `ConfirmCashOut`."""
        return f"Confirm{self.rpc}"

    @property
    def reverse_rpc(self) -> str:
        """Return the RPC that reverses it, such as `ReverseCashOut`."""
        return f"Reverse{self.rpc}"

    @property
    def confirm_method(self) -> str:
        """Return the call that confirms it, such as `confirm_cash_out`."""
        return f"confirm_{self.method}"

    @property
    def reverse_method(self) -> str:
        """Return the call that reverses it, such as `reverse_cash_out`."""
        return f"reverse_{self.method}"


@cache
def names_of(operation: str) -> Names:
    """Return the names of a money operation, given as its enum member or that member's value."""
    words = str(operation).lower().split("_")
    return Names(
        wire=str(operation),
        method="_".join(words),
        rpc="".join(word.capitalize() for word in words),
        words=" ".join(words).capitalize(),
    )
