"""What the capacity model makes of figures, and that its runs measure what they say."""

from __future__ import annotations

import msgspec
import pytest

from tests.bench.capacity import figures, model
from tests.bench.capacity.figures import Load, Measured, Stored
from tests.bench.capacity.runs import WAYS
from tests.bench.capacity.standby import Standby, wait_for_standby
from tests.bench.compare.rig import ask_postgres
from tests.postgres import PostgresServer


def _load(way: str, method: str, callers: int, **more: float) -> Load:
    plain = dict.fromkeys(name for name in Load.__struct_fields__ if name not in {"way", "method", "callers"})
    return Load(way=way, method=method, callers=callers, **(dict.fromkeys(plain, 0.0) | more))


COSTS = {"gateway_us": 3_000.0, "postgres_us": 600.0, "wal_bytes": 10_000.0, "commits": 0.5}
ONE = Measured(
    machine="one",
    loads=tuple(
        _load(way, method, callers, **(COSTS if callers > 1 else COSTS | {"postgres_us": 6_000.0}))
        for way in (model.ALONE, model.REFERENCE)
        for method in model.METHODS
        for callers in (1, 64)
    ),
    stored=Stored(written=8_000, kept=4_000),
)


def _amount(part: str, rate: int) -> float:
    (found,) = [need.amount for need in model.needs(ONE, rate) if need.part == part]
    return found


def test_costs_are_multiplied() -> None:
    """Cores are the rate times both calls' CPU, at the share of a core that is to be used; WAL is too."""
    assert _amount("gateway, cores", 1_000) == pytest.approx(1_000 * 6e-3 / model.BUSY_SHARE)
    assert _amount("gateway, processes", 1_000) == 10
    assert _amount("primary, cores", 1_000) == pytest.approx(2.0)
    assert _amount("primary, cores if no two writes shared a batch", 1_000) == pytest.approx(20.0)
    assert _amount("primary, WAL in MB/s", 1_000) == pytest.approx(20.0)
    assert _amount("primary, commits a second", 1_000) == pytest.approx(1_000)
    assert _amount("sessions without a pooler", 1_000) == 90


def test_what_is_kept_is_a_share_of_the_busiest_moment() -> None:
    """400 days of a quarter of the rate, with tables that are not at their densest."""
    transactions = 1_000 * model.DAY_SHARE * 86_400 * 400
    assert _amount("kept for 400 days, TB", 1_000) == pytest.approx(transactions * 4_000 * model.BLOAT / 1e12)


def test_the_weakest_part_decides() -> None:
    """The part nearest to its bound is told, and as many primaries are needed as it asks for."""
    few, many = (
        [model.Need("a", 10.0, model.CORES), model.Need("b", amount, model.FREEZE_H, is_least=True)]
        for amount in (100.0, 8.0)
    )
    assert (model.first_to_break(few).part, model.primaries(few)) == ("a", 1)
    assert (model.first_to_break(many).part, model.primaries(many)) == ("b", 3)


def test_what_was_recorded_has_every_way() -> None:
    """The recorded figures are of all ways and both calls, so that the page leaves none out."""
    found = {(one.way, one.method) for one in figures.kept().loads}
    assert found == {(way.name, method) for way in WAYS for method in model.METHODS}


def test_a_record_is_read_as_it_was_written() -> None:
    """Figures survive being kept."""
    assert msgspec.json.decode(msgspec.json.encode(ONE), type=Measured) == ONE


@pytest.mark.postgres
def test_a_standby_has_what_its_primary_acknowledged() -> None:
    """With the standby waited for, what was committed is there; switched off, nobody is waited for."""
    primary = PostgresServer()
    try:
        primary.start()
        standby = Standby(primary=primary)
        try:
            standby.start()
            wait_for_standby(primary, is_on=True)
            ask_postgres(primary.url(), "ALTER SYSTEM SET synchronous_commit = remote_apply")
            ask_postgres(primary.url(), "SELECT pg_reload_conf()")
            ask_postgres(primary.url(), "CREATE TABLE a AS SELECT 7 AS b")
            assert ask_postgres(standby.url(), "SELECT b FROM a") == [["7"]]
            wait_for_standby(primary, is_on=False)
            assert ask_postgres(primary.url(), "SHOW synchronous_standby_names") == [[""]]
        finally:
            standby.remove()
    finally:
        primary.remove()
