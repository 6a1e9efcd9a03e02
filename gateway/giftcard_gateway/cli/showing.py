"""How the commands show transactions: as tables for people, or as lines of JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from google.protobuf.json_format import MessageToJson
from rich.text import Text

from giftcard import to_decimal, v1
from giftcard_gateway.cli.console import err, in_style, out, table
from giftcard_gateway.ledger.attempts import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.message import Message

RESOLUTIONS: Mapping[int, v1.Resolution.ValueType] = {
    v1.TransactionState.TRANSACTION_STATE_CONFIRMED: v1.Resolution.RESOLUTION_CONFIRMED,
    v1.TransactionState.TRANSACTION_STATE_REVERSED: v1.Resolution.RESOLUTION_REVERSED,
}
"""By the state in which an UNRESOLVED transaction is to end."""
_COLOURS = {"UNRESOLVED": "bold red", "CONFIRMED": "green", "APPROVED": "green", "DECLINED": "yellow"}


def show_transaction(one: v1.Transaction) -> None:
    """Print all that is known of a transaction."""
    rows: list[tuple[str, str | Text]] = [
        ("transaction", one.transaction_id),
        ("tenant", one.tenant),
        ("operation", operation_of(one)),
        ("state", state_in_colour(one.state)),
        ("provider", one.provider),
        ("cards", ", ".join(card.masked_card for card in one.cards)),
        ("card numbers erased", _optional(one, "card_number_erase_time")),
        ("amount", amount_of(one)),
        ("decline", _decline(one)),
        ("evidence", one.evidence.summary),
        (
            "provider says",
            " ".join(f"{key}={value}" for key, value in one.provider_references.items()),
        ),
        ("asked to end", _asked(one)),
        ("confirm by", _optional(one, "confirm_by")),
        ("next try", _optional(one.progress, "next_attempt_time")),
        ("worked on by", _holder(one.progress)),
        ("reversible until", _optional(one.progress, "reversal_end_time")),
    ]
    table(["", ""], [row for row in rows if row[1]])
    out.print()
    table(
        ["at", "state", "because", "by"],
        [
            [
                time_of(change.change_time.ToJsonString()),
                state_in_colour(change.state),
                change.note,
                change.actor,
            ]
            for change in one.state_changes
        ],
    )
    if one.progress.attempts:
        out.print()
        table(
            ["tried", "what", "took", "HTTP", "result", "code", "what was said", "trace", "by"],
            list(_attempts(one.progress)),
        )


def _asked(one: v1.Transaction) -> str:
    """Return the end that waits for a second person, nothing where none does."""
    if not one.HasField("asked_resolution"):
        return ""
    asked = one.asked_resolution
    state = v1.TransactionState.Name(asked.state).removeprefix("TRANSACTION_STATE_")
    until = time_of(asked.expire_time.ToJsonString())
    return f"as {state}, by {asked.actor}: {asked.note}; until {until} another may approve or refuse"


def show_list(found: Sequence[v1.Transaction], *, with_tenants: bool = False) -> None:
    """Print transactions as a table, a line each, or say that there is none."""
    columns = ["transaction", "operation", "state", "provider", "amount", "created", "evidence"]
    rows: list[list[str | Text]] = [
        [
            one.transaction_id,
            operation_of(one),
            state_in_colour(one.state),
            one.provider,
            amount_of(one),
            time_of(one.create_time.ToJsonString()),
            one.evidence.summary,
        ]
        for one in found
    ]
    if with_tenants:
        columns.insert(1, "tenant")
        for one, row in zip(found, rows, strict=True):
            row.insert(1, one.tenant)
    table(columns, rows)
    if not found:
        err.print("[dim]none[/]")


def show_change(told: v1.WatchTransactionsResponse) -> None:
    """Print one change of state as a line."""
    one, change = told.transaction, told.change
    why = " ".join(part for part in (change.note, f"({change.actor})" if change.actor else "") if part)
    cells = (
        time_of(change.change_time.ToJsonString()),
        one.transaction_id,
        operation_of(one),
        state_in_colour(change.state),
        one.provider,
        amount_of(one),
        why,
    )
    shown = [in_style(cell) if isinstance(cell, str) else cell for cell in cells if cell]
    out.print(Text("  ").join(shown))


def _attempts(progress: v1.Progress) -> Iterator[list[str]]:
    """Give a row for each attempt, and one that counts those that are not told singly."""
    left_out = progress.attempt_count - len(progress.attempts)
    for place, attempt in enumerate(progress.attempts):
        if left_out and place == FIRST:
            yield ["", f"{left_out} more", *[""] * 7]
        yield [
            time_of(attempt.start_time.ToJsonString()),
            v1.AttemptKind.Name(attempt.kind).removeprefix("ATTEMPT_KIND_").lower(),
            f"{attempt.duration.ToMilliseconds()} ms",
            str(attempt.http_status or ""),
            v1.AttemptResult.Name(attempt.result).removeprefix("ATTEMPT_RESULT_"),
            attempt.provider_code,
            attempt.summary,
            attempt.trace_id,
            attempt.process,
        ]


def _holder(progress: v1.Progress) -> str:
    return f"{progress.process} until {_optional(progress, 'lease_end_time')}" if progress.process else ""


def _optional(message: v1.Transaction | v1.Progress, field: str) -> str:
    """Return a time that a message may have."""
    return time_of(getattr(message, field).ToJsonString()) if message.HasField(field) else ""  # type: ignore[arg-type]  # a name of either


def print_json(one: Message) -> None:
    """Print a message as one line of JSON, by the names of the contract."""
    _print_line(MessageToJson(one, indent=None, preserving_proto_field_name=True))


def print_refusal(transaction_id: str, reason: str, why: str) -> None:
    """Print as one line of JSON why a transaction was not acted on."""
    _print_line(json.dumps({"transaction_id": transaction_id, "refused": reason, "why": why}))


def _print_line(written: str) -> None:
    # The one character of ASCII that JSON need not escape and a terminal does not show.
    click.echo(written.replace("\x7f", r"\u007f"))


def operation_of(one: v1.Transaction) -> str:
    """Return the operation in lower case."""
    return v1.Operation.Name(one.operation).removeprefix("OPERATION_").lower()


def _decline(one: v1.Transaction) -> str:
    if not one.HasField("decline"):
        return ""
    return v1.DeclineReason.Name(one.decline.reason).removeprefix("DECLINE_REASON_")


def state_in_colour(state: v1.TransactionState.ValueType) -> Text:
    """Return the state, in colour where it should be seen from afar."""
    name = v1.TransactionState.Name(state).removeprefix("TRANSACTION_STATE_")
    return Text(name, _COLOURS.get(name, ""))


def amount_of(one: v1.Transaction) -> str:
    """Return what was approved, or else asked for."""
    money = one.approved_amount if one.HasField("approved_amount") else one.requested_amount
    return f"{money.currency_code} {to_decimal(money)}" if money.currency_code else ""


def time_of(written: str) -> str:
    """Return a time to the second, as an operator compares it with a log."""
    return f"{written[:10]} {written[11:19]}"
