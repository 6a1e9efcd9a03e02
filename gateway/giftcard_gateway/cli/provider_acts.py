"""Commands about the providers of a running gateway: how they fare, pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giftcard import Client, v1
from giftcard_gateway.cli.asking import client_of, refusals
from giftcard_gateway.cli.console import in_style, out, table
from giftcard_gateway.cli.options import gateway_options
from giftcard_gateway.cli.showing import print_json, time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

_MOST = 500
_as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON, a line for each provider.")


@click.command()
@gateway_options
@_as_json
def status(*, is_json: bool, **asked: str) -> None:
    """Show how the providers of a running gateway fare, and which are paused.

    Health, circuit, last answer, latency and calls (of the last five minutes) are what the process that
    answers has seen; the rest is the same for all.
    """
    with client_of(asked) as client, refusals():
        found = list(_every(client))
    if is_json:
        for one in found:
            print_json(one)
        return
    table(
        (
            "provider",
            "new transactions",
            "health",
            "circuit",
            "owed advices",
            "unresolved",
            "last answer",
            "p50 / p99",
            "calls / failed",
        ),
        [
            (
                one.provider,
                _taking(one),
                v1.ProviderHealth.Name(one.health)
                .removeprefix("PROVIDER_HEALTH_")
                .replace("UNSPECIFIED", "–"),
                v1.CircuitState.Name(one.circuit_state).removeprefix("CIRCUIT_STATE_"),
                str(one.advice_backlog),
                str(one.unresolved_count),
                _answered(one),
                _latency(one.recent_exchanges),
                _calls(one),
            )
            for one in found
        ],
    )
    for one in found:
        if one.HasField("pause"):
            _print(_paused(one))


def _every(client: Client) -> Iterator[v1.Provider]:
    token = ""
    while True:
        page = client.list_providers(page_size=_MOST, page_token=token)
        yield from page.providers
        if not (token := page.next_page_token):
            return


def _answered(one: v1.Provider) -> str:
    return time_of(one.last_answer_time.ToJsonString()) if one.HasField("last_answer_time") else "none yet"


def _latency(recent: v1.RecentExchanges) -> str:
    if not recent.HasField("p50_latency"):
        return "–"
    return f"{recent.p50_latency.ToMilliseconds()} / {recent.p99_latency.ToMilliseconds()} ms"


def _calls(one: v1.Provider) -> str:
    recent = one.recent_exchanges
    if not one.HasField("recent_exchanges"):
        return "–"
    window_s = round(recent.window.ToTimedelta().total_seconds())
    return f"{recent.exchange_count} / {recent.failure_count} in {window_s} s"


def _taking(one: v1.Provider) -> str:
    if not one.enabled:
        return "switched off"
    return "paused" if one.HasField("pause") else "yes"


def _paused(one: v1.Provider) -> str:
    told = one.pause
    since = time_of(told.pause_time.ToJsonString())
    by = f" by {told.paused_by}" if told.paused_by else ""
    return f"{one.provider} is paused since {since}{by}: {told.note}"


@click.command()
@click.argument("provider")
@click.option("--note", required=True, help="Why; those who may read see it.")
@gateway_options
@_as_json
def pause(provider: str, note: str, *, is_json: bool, **asked: str) -> None:
    """Have a running gateway, with all its processes, send nothing new to a provider.

    Callers hear PROVIDER_PAUSED; what is open goes on to its end. It stays paused until it is resumed.
    """
    with client_of(asked) as client, refusals():
        one = client.pause_provider(provider=provider, note=note).provider
    _say(one, _paused(one), is_json=is_json)


@click.command()
@click.argument("provider")
@click.option("--note", required=True, help="Why; kept in the audit.")
@gateway_options
@_as_json
def resume(provider: str, note: str, *, is_json: bool, **asked: str) -> None:
    """Have a running gateway send new transactions to a provider again."""
    with client_of(asked) as client, refusals():
        one = client.resume_provider(provider=provider, note=note).provider
    _say(one, f"{one.provider} takes new transactions.", is_json=is_json)


def _say(one: Message, sentence: str, *, is_json: bool) -> None:
    if is_json:
        print_json(one)
    else:
        _print(sentence)


def _print(sentence: str) -> None:
    out.print(in_style(sentence), soft_wrap=not out.is_terminal)
