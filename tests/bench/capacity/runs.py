"""One PostgreSQL under the load of some gateway processes: directly, with a standby, through a pooler."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from tests.bench.capacity.figures import Load, Stored
from tests.bench.capacity.standby import Standby, wait_for_standby
from tests.bench.compare import costs
from tests.bench.compare.designs import gateway
from tests.bench.compare.journals import check
from tests.bench.compare.load import load
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig, Serving, ask_postgres
from tests.bench.compare.sections import Spread
from tests.e2e.processes import end
from tests.pooler import Pooler

SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_planning": "off"}
"""PostgreSQL counts its statements, which costs it some percent; the rest is as in `make bench`."""
CONNECTIONS = 16
"""What the kernel spreads over the processes."""
_POOL = 8
_OF_SESSIONS = ("jit = off", "enable_seqscan = off", "plan_cache_mode = force_generic_plan")
"""What a gateway asks of each session where there is no pooler; with one, docs/journal.md says to do this."""
_CONFIRMED = "SELECT count(*) FROM transactions WHERE state = 'CONFIRMED'"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How gateways reach PostgreSQL."""

    name: str
    processes: int
    has_standby: bool = False
    """Whether each commit waits until a standby has it."""
    is_pooled: bool = False
    """Whether PgBouncer stands between them, in transaction mode."""
    poll_s: float = 0.0
    """How often processes look whether others wrote, instead of listening around the pooler."""


WAYS = (
    Way(name="1 process", processes=1),
    Way(name="2 processes", processes=2),
    Way(name="4 processes", processes=4),
    Way(name="2 processes, synchronous standby", processes=2, has_standby=True),
    Way(name="2 processes, PgBouncer", processes=2, is_pooled=True),
    Way(name="2 processes, PgBouncer, no NOTIFY", processes=2, is_pooled=True, poll_s=0.25),
)


class HowMuch(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often each way is loaded."""

    callers: tuple[int, ...] = (1, 64)
    rounds: int = 3
    seconds: float = 6.0


FULL, QUICK = HowMuch(), HowMuch(rounds=1, seconds=3.0)


class _Count(NamedTuple):
    """What has been counted so far."""

    wal_bytes: int
    commits: int
    statements: int
    beside_s: float
    load_s: float


class _Beside(NamedTuple):
    """What stands beside the primary while a way is loaded."""

    process_id: int = 0
    pooler: Pooler | None = None


@dataclass
class Played:
    """All that was seen."""

    loads: list[Load] = field(default_factory=list)
    stored: Stored | None = None
    faults: list[str] = field(default_factory=list)


def play(rig: Rig, how_much: HowMuch) -> Played:
    """Load each way after the other, each with a database of its own."""
    ask_postgres(rig.server.url(), "CREATE EXTENSION pg_stat_statements")
    played = Played()
    for number, way in enumerate(WAYS):
        with _beside(rig, way) as beside:
            say(f"starting {way.name}")
            design = gateway(
                rig, f"way-{number}", "postgres", workers=way.processes, through=_through(way, beside.pooler)
            )
            one = _Loaded(rig, way, design, beside)
            one.play(how_much)
            played.loads += one.loads()
            played.faults += one.faults
            if not number:
                played.stored = one.stored()
            end(design.process)
    say("")
    return played


@contextmanager
def _beside(rig: Rig, way: Way) -> Iterator[_Beside]:
    with ExitStack() as stack:
        if way.has_standby:
            say("copying the primary")
            standby = Standby(primary=rig.server)
            stack.callback(standby.remove)
            standby.start()
            assert standby.process is not None
            wait_for_standby(rig.server, is_on=True)
            stack.callback(wait_for_standby, rig.server, is_on=False)
            yield _Beside(standby.process.pid)
        elif way.is_pooled:
            pooler = stack.enter_context(Pooler(rig.server, sessions=_POOL))
            assert pooler.process is not None
            yield _Beside(pooler.process.pid, pooler)
        else:
            yield _Beside()


def _through(way: Way, pooler: Pooler | None) -> Callable[[str], tuple[str, str]] | None:
    if pooler is None:
        return None

    def through(url: str) -> tuple[str, str]:
        for setting in _OF_SESSIONS:
            ask_postgres(url, f"ALTER DATABASE {urlsplit(url).path[1:]} SET {setting}")
        more = f"pooled = true\npoll_s = {way.poll_s}" if way.poll_s else f'listen_url = "{url}"'
        return pooler.url(url), more

    return through


class _Loaded:
    """One way, its gateway, and what was seen of it."""

    def __init__(self, rig: Rig, way: Way, design: Serving, beside: _Beside) -> None:
        self.faults: list[str] = []
        self._rig, self._way, self._design, self._beside = rig, way, design, beside
        self._seen: dict[tuple[str, int], list[Load]] = {}
        self._empty_bytes = self._size()
        self._files = 0

    def play(self, how_much: HowMuch) -> None:
        """Redeem and confirm, from few and from many callers, as often as that; the first time uncounted."""
        most = max(how_much.callers)
        heard = self._slice("Redeem", most, calls=10 * most)
        self._slice("ConfirmRedeem", most, ids=heard)
        self._seen.clear()
        for number in range(how_much.rounds):
            say(f"round {number + 1} of {how_much.rounds}: {self._way.name}")
            for callers in how_much.callers:
                heard = self._slice("Redeem", callers, lasting=f"{how_much.seconds}s")
                self._slice("ConfirmRedeem", callers, ids=heard)
        names = self._rig.folder.glob(f"{self._design.name}-*.ids")
        ids = [line for file in names for line in file.read_text(encoding="ascii").splitlines()]
        assert self._design.heard is not None
        self._design.heard.write_text("\n".join(ids), encoding="ascii")
        if wrong := check(self._design, len(ids)):
            self.faults.append(f"journal of {self._way.name}: {wrong}")

    def loads(self) -> list[Load]:
        """Return the middle of all rounds."""
        return [_middle(seen) for seen in self._seen.values()]

    def stored(self) -> Stored:
        """Return what a transaction takes, by the size of the database before and now."""
        url = self._design.journal
        ((count,),) = ask_postgres(url, _CONFIRMED)
        written = self._size() - self._empty_bytes
        ask_postgres(url, "VACUUM FULL")
        kept = self._size() - self._empty_bytes
        return Stored(written=written / int(count), kept=kept / int(count))

    def _slice(self, method: str, callers: int, **more: object) -> Path:
        """Load it once, keep what was seen, and return the file with the ids of what was heard."""
        self._files += 1
        heard = self._rig.folder / f"{self._design.name}-{self._files}.ids"
        told = {"told": heard} if method == "Redeem" else {}
        before = self._counted()
        one = load(
            self._rig,
            self._design,
            callers,
            method=method,
            connections=min(callers, CONNECTIONS),
            **told,
            **more,
        )
        after = self._counted()
        calls = sum(one.told.kinds.values())
        if one.wrong:
            self.faults.append(f"{self._way.name}, {method}: {one.wrong} {one.told.texts}")
        wal, commits, statements, beside_s, load_s = (
            (late - early) / max(calls, 1) for early, late in zip(before, after, strict=True)
        )
        self._seen.setdefault((method, callers), []).append(
            Load(
                way=self._way.name,
                method=method,
                callers=callers,
                per_s=one.per_s,
                p50_ms=one.ms("p50"),
                p99_ms=one.ms("p99"),
                gateway_us=one.cpu_us,
                postgres_us=one.postgres_us,
                beside_us=beside_s * 1e6,
                load_us=load_s * 1e6,
                provider_us=one.provider_us,
                wal_bytes=wal,
                commits=commits,
                statements=statements,
            )
        )
        return heard

    def _counted(self) -> _Count:
        ((wal, commits, statements),) = ask_postgres(
            self._rig.server.url(),
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,"
            " pg_snapshot_xmax(pg_current_snapshot())::text, (SELECT sum(calls) FROM pg_stat_statements)",
        )
        return _Count(
            wal_bytes=int(wal),
            commits=int(commits),
            statements=int(statements),
            beside_s=costs.cpu_s(self._beside.process_id) if self._beside.process_id else 0.0,
            load_s=sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
        )

    def _size(self) -> int:
        ((size,),) = ask_postgres(self._design.journal, "SELECT pg_database_size(current_database())")
        return int(size)


def _middle(seen: list[Load]) -> Load:
    names = [name for name in Load.__struct_fields__ if name not in {"way", "method", "callers"}]
    middles = {name: Spread.of(getattr(one, name) for one in seen).middle for name in names}
    return msgspec.structs.replace(seen[0], **middles)
