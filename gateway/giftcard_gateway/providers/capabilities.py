"""What each provider can do, read off its adapter: the one source of every capability table.

N is two-phase at the provider, C one-shot with a compensating reversal, 1 one-shot without a way
back, – no such operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.contract import has, traits_of
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.traits import Guarantee

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from giftcard_adapters.contract import Provider

NOTHING = "–"
LEGEND = (
    "N two-phase at the provider · C one-shot, a reversal compensates · "
    "1 one-shot, no reversal · – no such operation"
)

_LETTERS = {Guarantee.NATIVE: "N", Guarantee.COMPENSATED: "C", Guarantee.NONE: "1"}
_VERBS: Mapping[str, Mapping[str, str]] = {
    "Stored cards": {
        "store_card": "store",
        "get_stored_card": "get",
        "list_stored_cards": "list",
        "delete_stored_card": "delete",
    },
    "Templates, offers": {
        "list_templates": "templates",
        "list_offers": "offers",
        "sync_offers": "sync offers",
    },
    "Webhooks in": {"read_webhook": "yes"},
    "Reports": {
        "extract_accounts": "accounts extract",
        "download_export": "export download",
        "ticket_statistics": "ticket statistics",
    },
}


def capabilities(provider: Provider | type[Provider]) -> dict[str, str]:
    """Return what a provider can do: a row's name to what stands in it."""
    cells = {names_of(operation).words: _letter(provider, operation) for operation in Operation}
    cells["Lookup"] = "yes" if has(provider, "lookup") else NOTHING
    cells["Balance"] = _balance(provider)
    for row, verbs in _VERBS.items():
        cells[row] = ", ".join(verb for method, verb in verbs.items() if has(provider, method)) or NOTHING
    return cells


def markdown(adapters: Iterable[type[Provider]]) -> str:
    """Return the table as README and docs show it, a column an adapter."""
    columns = {adapter.__name__: capabilities(adapter) for adapter in adapters}
    rows = next(iter(columns.values()))
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [f"| {row} | {' | '.join(cells[row] for cells in columns.values())} |" for row in rows]
    return "\n".join(lines)


def _letter(provider: Provider | type[Provider], operation: Operation) -> str:
    declared = traits_of(provider, operation)
    return NOTHING if declared is None else _LETTERS[declared.guarantee]


def _balance(provider: Provider | type[Provider]) -> str:
    if not has(provider, "balances"):
        return NOTHING
    return f"yes, {provider.balances_per_call} at once" if provider.balances_per_call > 1 else "yes"
