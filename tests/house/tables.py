"""The tables of our pages that are read off adapters and simulators, so that nobody edits them by hand.

`make tables` writes them; a test compares them. Each stands between two comments that carry its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_full_name

from giftcard_adapters.stanza import find_adapter
from giftcard_gateway.config.access import Scope
from giftcard_gateway.providers.capabilities import markdown
from giftcard_gateway.rpc.guard import STANDARD, scope_of
from giftcard_gateway.telemetry.catalogue import INSTRUMENTS, Instrument
from giftcard_simulators.catalogue import (
    CONSOLE_PORT,
    HOST,
    PORT,
    PROVIDERS,
    SANDBOXES,
    WEBHOOKS_PORT,
    Sandbox,
)
from tests.bench.capacity import figures, model
from tests.conftest import ROOT
from tests.gateway.wire.filled import METHODS
from tests.house.reference import calls_table, enum_table, settings_page
from tests.house.settings_tables import TABLES, written
from tests.journal.portable.page import features_table, statements_table, steps_table


class Table(NamedTuple):
    """A table: the page it stands on, its name there, its lines, and the command that writes it."""

    page: Path
    name: str
    text: str
    by: str = "make tables"

    def placed(self, page: str) -> str:
        """Return the page's text with this table in its place; raise ValueError where it has none."""
        begin, end = f"<!-- {self.name}: written by {self.by} -->", f"<!-- end of {self.name} -->"
        pattern = rf"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})"
        if len(re.findall(pattern, page, re.DOTALL)) != 1:
            raise ValueError(f"{self.page} needs one place for its table: {begin}, and below it {end}")
        return re.sub(pattern, lambda _: f"{self.text}\n", page, flags=re.DOTALL)


def package_of(sandbox: Sandbox) -> str:
    """Return the name of the adapter's package, which its page has too."""
    return sandbox.adapter.partition(":")[0].rpartition(".")[2]


def tables(root: Path = ROOT) -> Iterator[Table]:
    """Give every table, as it must be."""
    adapters = [find_adapter(one.adapter) for one in PROVIDERS]
    yield Table(root / "README.md", "capabilities", markdown(adapters))
    yield Table(root / "docs" / "sandbox.md", "ports", _ports())
    yield Table(root / "docs" / "security.md", "scopes", _scopes())
    yield Table(root / "docs" / "metrics.md", "metrics", _metrics())
    yield Table(root / "docs" / "calls.md", "calls", calls_table())
    yield Table(root / "docs" / "calls.md", "errors", enum_table("error_reason.proto", "ERROR_REASON"))
    yield Table(root / "docs" / "calls.md", "declines", enum_table("decline.proto", "DECLINE_REASON"))
    yield Table(root / "docs" / "portability.md", "features", features_table())
    yield Table(root / "docs" / "portability.md", "statements", statements_table())
    yield Table(root / "docs" / "portability.md", "steps", steps_table())
    measured = figures.kept()
    yield Table(root / "docs" / "capacity.md", "measured", model.measured_table(measured))
    yield Table(root / "docs" / "capacity.md", "modelled", model.modelled_table(measured))
    yield Table(root / "docs" / "capacity.md", "bounds", model.bounds_table())
    yield Table(root / "docs" / "settings.md", "settings", settings_page(TABLES, written))
    for one, adapter in zip(PROVIDERS, adapters, strict=True):
        page = root / "docs" / "providers" / f"{package_of(one)}.md"
        yield Table(page, "fields left out", left_out(adapter.leaves_out))
        yield Table(page, "answers left out", left_out(adapter.leaves_out_of_answers))


def left_out(entries: Mapping[str, str]) -> str:
    """Return the table of what an adapter leaves out, and why; fields left out for one reason together."""
    by_reason: dict[str, list[str]] = {}
    for field, reason in entries.items():
        by_reason.setdefault(reason, []).append(f"`{field}`")
    lines = [f"| {', '.join(fields)} | {reason} |" for reason, fields in by_reason.items()]
    return "\n".join(["| left out | because |", "|---|---|", *lines])


_OF_NO_CALL = {
    Scope.SECRETS.value: "none: without it the answer to `Issue` masks the new cards",
    Scope.TENANTS.value: "none: with it `giftcard-tenant` names another tenant to read and operate for",
}


def _scopes() -> str:
    """Return which scope each call needs: ours as the contract says, gRPC's own as the server does."""
    calls: dict[str, dict[str, list[str]]] = {scope.value: {} for scope in Scope}
    for method in METHODS.values():
        service = method.containing_service.full_name.removeprefix("giftcard.v1.")
        calls[scope_of(method).value].setdefault(service, []).append(f"`{method.name}`")
    lines = ["| scope | calls |", "|---|---|"]
    for scope, services in calls.items():
        told = "; ".join(f"{service}: {', '.join(names)}" for service, names in services.items())
        lines.append(f"| `{scope}` | {told or _OF_NO_CALL[scope]} |")
    lines += [f"| {_needed(scope)} | `{service}` |" for service, scope in STANDARD.items()]
    return "\n".join([*lines, "| nothing | `grpc.health.v1.Health` |"])


def _metrics() -> str:
    lines = [
        "| metric | kind | by | each replica tells | says | in Prometheus |",
        "|---|---|---|---|---|---|",
    ]
    for one in INSTRUMENTS:
        unit = f", {one.unit}" if one.unit.isalpha() else ""
        by = ", ".join(f"`{label}`" for label in one.labels)
        of = "the same" if one.is_shared else "its own"
        cells = (f"`{one.name}`", one.kind + unit, by, of, one.text, f"`{scraped_name(one)}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def scraped_name(one: Instrument) -> str:
    """Return what a metric is called where Prometheus scrapes it."""
    name, unit = sanitize_full_name(one.name), map_unit(one.unit)
    whole = name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"
    return f"{whole}_total" if one.kind == "counter" else whole


def _needed(scope: Scope | None) -> str:
    return f"`{scope.value}`" if scope else "signing in, or nothing with `access.open_reflection`"


def _ports() -> str:
    lines = [
        "| what | port | for calls from a gateway |",
        "|---|---|---|",
        f"| the gateway, gRPC | {PORT} | |",
        f"| the gateway, [console](console.md) | {CONSOLE_PORT} | `http://{HOST}:{CONSOLE_PORT}/` |",
        f"| the gateway, webhooks | {WEBHOOKS_PORT} | `POST /webhooks/{{provider}}` |",
    ]
    return "\n".join([*lines, *map(_port, SANDBOXES)])


def _port(one: Sandbox) -> str:
    cards = ", ".join(f"`{prefix}…`" for prefix in one.prefixes)
    told = f"cards {cards}" if cards else "no card numbers: name the provider"
    page = f"[its cards](providers/{package_of(one)}.md#sandbox)"
    url = f"`http://{HOST}:{one.port}{one.base_path}`"
    return f"| `{one.provider_id}` | {one.port} | base URL {url}, {told}; {page} |"


def main() -> int:
    """Write every table into its page."""
    for table in tables():
        page = table.page.read_text(encoding="utf-8")
        table.page.write_text(table.placed(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
