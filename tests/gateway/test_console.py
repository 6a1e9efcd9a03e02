"""What the commands print of somebody else's words: all of it to be read, nothing to be obeyed."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import Parse

from giftcard import v1
from giftcard_gateway.cli.console import complain, in_style, table
from giftcard_gateway.cli.showing import print_json, show_transaction
from giftcard_gateway.printable import visible

HOSTILE = [
    "\x1b[2J\x1b[31mAPPROVED",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\link",
    "\x9b31m",
    "line\r\nof its own",
    "back\b\b\b\bforth",
    "\u202eDEVORPPA",
    "\u2066isolated",
    "zero\u200bwidth",
    "\x00\x7f",
    "[bold red]marked up[/]",
    "[/]",
    "[link=https://example.org]here",
    "ends with \\",
    "\\[red]",
]

PLACES = 13
"""Where `show` has words that are not ours."""


def told_with(text: str) -> v1.Transaction:
    """Return a transaction with a text in every place that is a provider's or a caller's."""
    told = v1.Transaction(
        transaction_id="0f8fad5b-d9cb-469f-a165-70867728950e",
        tenant=text,
        operation=v1.Operation.OPERATION_REDEEM,
        state=v1.TransactionState.TRANSACTION_STATE_UNRESOLVED,
        provider=text,
        evidence=v1.Evidence(summary=text),
        cards=[v1.TransactionCard(masked_card=text)],
        provider_references={text: text},
        state_changes=[v1.StateChange(note=text, state=v1.TransactionState.TRANSACTION_STATE_PENDING)],
    )
    told.requested_amount.currency_code = text
    told.progress.process = text
    told.progress.attempts.add(
        kind=v1.AttemptKind.ATTEMPT_KIND_REQUEST,
        provider_code=text,
        summary=text,
        trace_id=text,
        process=text,
    )
    return told


@pytest.mark.parametrize("text", HOSTILE)
def test_a_transaction_is_shown_and_obeyed_in_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever words came from elsewhere: they are all there to be read, and none commands the terminal."""
    show_transaction(told_with(text))
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count(visible(text)) == PLACES
    show_transaction(told_with("harmless"))
    assert shown.count("\n") == capsys.readouterr().out.count("\n")


def test_json_is_for_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of JSON is one line, with every sign that would be obeyed written as its escape."""
    for text in HOSTILE:
        told = told_with(text)
        print_json(told)
        shown = capsys.readouterr().out.removesuffix("\n")
        assert shown.isprintable()
        assert Parse(shown, v1.Transaction()) == told


@pytest.mark.parametrize("text", HOSTILE)
def test_a_complaint_and_a_cell_are_shown_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same of an error's sentence, whose own line ends are kept, and of a table's cells and heads."""
    complain([text])
    table([text], [[text], [in_style(text, "bold")]])
    said = capsys.readouterr()
    assert said.err.splitlines() == [visible(line) for line in f"error: {text}".split("\n")]
    assert [line.strip() for line in said.out.splitlines()] == [visible(text)] * 3
