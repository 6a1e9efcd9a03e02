"""A configuration that is taken while serving: what may change, what is read, and what becomes of the old."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from giftcard_adapters.engine import PoolLimits
from giftcard_adapters.values.secret import Secret
from giftcard_gateway import config
from giftcard_gateway.access.buckets import Bucket
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config import ConfigError, origin
from giftcard_gateway.config.changes import changed, fixed
from giftcard_gateway.config.origin import RereadRefused, SettingsOrigin, Watch
from giftcard_gateway.journal.notes import PauseRow
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process.app import App
from giftcard_gateway.providers.connections import Connection, Terms
from giftcard_gateway.providers.pause import ProviderPause
from tests.gateway.configuration import GOOD, MadeUpSettings, load
from tests.world.app import open_app, until
from tests.world.certificates import Authority
from tests.world.clock import ShiftedClock
from tests.world.provider import Scripted
from tests.world.seen import Seen

SERVED = f"""{GOOD}
[server]
listen = "127.0.0.1:0"
[journal]
url = "sqlite://"
"""
TLS = '[providers.spar-za.tls]\nca_file = "{file}"\n'


def test_what_differs_is_told_without_values(tmp_path: Path) -> None:
    """Each setting that differs is named by its path, secrets and new tables too, and no value is shown."""
    before = load(tmp_path, GOOD)
    other = GOOD.replace("pass-word-1", "pass-word-2") + '[routing]\ndefault = "spar-za"\n'
    assert changed(before, load(tmp_path, other)) == [
        "providers.spar-za.settings.password",
        "routing.default",
    ]
    assert fixed(before, load(tmp_path, other)) == []


@pytest.mark.parametrize(
    ("tail", "named"),
    [
        ('[server]\nlisten = "127.0.0.1:1"\n', "server.listen"),
        ('[journal]\nurl = "sqlite:///other.db"\n', "journal.url"),
        ("[limits]\nipv6_prefix = 48\n", "limits.ipv6_prefix"),
        ("[access]\napi_keys = true\n", "access.api_keys"),
        ('[telemetry]\nlog_level = "debug"\n', "telemetry.log_level"),
    ],
)
def test_what_needs_a_restart_is_named(tmp_path: Path, tail: str, named: str) -> None:
    """A setting that was built into what serves is refused by its name."""
    (fault,) = fixed(load(tmp_path, GOOD), load(tmp_path, GOOD + tail))
    assert fault.startswith(f"{named} cannot change while serving")


def test_another_adapter_needs_another_id(tmp_path: Path) -> None:
    """A provider's adapter stays: what it is owed is written in that adapter's words."""
    before = load(tmp_path, GOOD)
    provider = before.providers["spar-za"]
    other = config.settings.Provider(adapter="another:Adapter", settings=provider.settings)
    after = config.Settings(seal=before.seal, providers={"spar-za": other})
    (fault,) = fixed(before, after)
    assert fault.startswith("providers.spar-za.adapter cannot change")


def written(folder: Path, text: str) -> Path:
    """Write the configuration, with its password in a folder behind a link, as Kubernetes mounts secrets."""
    turn(folder, "pass-word-1")
    file = folder / "gateway.toml"
    file.write_text(text.replace('"pass-word-1"', '{ file = "secrets/password" }'), encoding="utf-8")
    return file


def turn(folder: Path, password: str) -> None:
    """Turn the link to the secret round to a new folder."""
    version = folder / password
    version.mkdir()
    (version / "password").write_text(password, encoding="utf-8")
    (version / "password").chmod(0o600)
    (folder / "new").symlink_to(version.name)
    (folder / "new").replace(folder / "secrets")


def password_in(settings: config.Settings) -> Secret:
    """Return the provider's password."""
    made_up = settings.providers["spar-za"].settings
    assert isinstance(made_up, MadeUpSettings)
    return made_up.password


def test_a_change_is_told_once_it_is_at_rest(tmp_path: Path) -> None:
    """A link turned round is seen once two looks found the same, and told until it is taken."""
    file = written(tmp_path, GOOD)
    source = SettingsOrigin(file=file, environ={}, as_read=config.load(file, {}))
    watch = Watch((file,))
    watch.took(source.read().seen)
    assert not watch.has_changed()
    turn(tmp_path, "pass-word-2")
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    turn(tmp_path, "pass-word-3")
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    watch.took(source.read(watch.files).seen)
    assert [watch.has_changed(), watch.has_changed()] == [False, False]


def test_what_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that changes between two files' reading is read anew, and one that never rests is refused."""
    file = written(tmp_path, GOOD)
    source = SettingsOrigin(file=file, environ={}, as_read=config.load(file, {}))
    known = tuple(source.read().seen)
    turns = iter(range(1, 2))

    def turning(*given: object) -> object:
        found = config.load_named(*given)  # type: ignore[arg-type]  # as it is called
        for number in turns:
            turn(tmp_path, f"later-{number}")
        return found

    monkeypatch.setattr(origin, "load_named", turning)
    assert password_in(source.read(known).settings) == Secret("later-1")
    turns = iter([])

    def restless(*given: object) -> object:
        found = config.load_named(*given)  # type: ignore[arg-type]  # as it is called
        file.write_text(file.read_text() + "#", encoding="utf-8")
        return found

    monkeypatch.setattr(origin, "load_named", restless)
    with pytest.raises(ConfigError, match="changes again and again"):
        source.read(known)


def test_a_bucket_is_resized_and_nothing_is_given() -> None:
    """A budget that was used up stays so, whatever it may hold from now on."""
    clock = ShiftedClock()
    bucket = Bucket(clock, size=4, every_s=1_000_000.0)
    assert bucket.take(4)
    bucket.resize(size=100, every_s=500_000.0)
    assert bucket.tokens == 0
    full = Bucket(clock, size=4, every_s=1_000_000.0)
    full.resize(size=2, every_s=1_000_000.0)
    assert full.tokens == 2


def test_what_is_under_way_counts_where_it_was_followed() -> None:
    """A connection that takes another's place counts its exchanges until they have ended, and no longer."""
    clock = ShiftedClock()
    first, second, third = (Connection("one", Scripted.open(clock), Terms(), clock) for _ in range(3))
    with first.exchange():
        second.follow(first)
        with second.exchange():
            third.follow(second)
            assert (second.in_flight, third.in_flight, third.reads_in_flight) == (2, 2, 0)
        assert third.in_flight == 1
    assert third.in_flight == 0
    assert third.advice_slots is first.advice_slots


@pytest.fixture
async def served(tmp_path: Path, seen: Seen) -> AsyncIterator[App]:
    """Serve what is written to `gateway.toml`."""
    file = written(tmp_path, SERVED.replace("sqlite://", f"sqlite:///{tmp_path}/journal.db"))
    as_read = config.load(file, {})
    source = SettingsOrigin(file=file, environ={}, as_read=as_read)
    await open_journal(as_read.journal).upgrade()
    async with open_app(as_read, SystemClock(), telemetry=seen.telemetry, origin=source) as app:
        yield app


@pytest.fixture
def seen() -> Seen:
    """Open telemetry that is looked at; the gateway closes it."""
    return Seen()


def results(seen: Seen) -> dict[object, float]:
    """Return how often the configuration was read again, by result."""
    return {said["giftcard.result"]: value for said, value in seen.points("giftcard.config.reloads")}


async def reload(app: App) -> None:
    """Read the configuration of a gateway again."""
    assert app.reloading is not None
    await app.reloading.reload()


async def test_a_connection_is_closed_once_nobody_holds_it(served: App, seen: Seen, tmp_path: Path) -> None:
    """Whoever has the old connection can still send by it; then it is closed, and the new one is in use."""
    held = served.connections.get("spar-za")
    turn(tmp_path, "pass-word-2")
    await reload(served)
    assert results(seen) == {"applied": 1, "unchanged": 0, "refused": 0}
    assert served.connections.get("spar-za") is not held
    assert password_in(served.settings) == Secret("pass-word-2")
    closed = asyncio.Event()
    exchange = held.provider.exchange
    close = exchange.aclose

    async def closing() -> None:
        await close()
        closed.set()

    exchange.aclose = closing  # type: ignore[method-assign]  # to hear of it
    await asyncio.sleep(0)
    assert not closed.is_set()
    del held
    gc.collect()
    await until(closed.is_set)


async def test_what_is_as_it_was_is_left_alone(served: App, seen: Seen, tmp_path: Path) -> None:
    """Where nothing is new, or it is refused, every connection and the time of the reading stay."""
    before = served.connections.get("spar-za"), seen.points("giftcard.config.read_at")
    await reload(served)
    (tmp_path / "secrets").unlink()
    await reload(served)
    assert results(seen) == {"applied": 0, "unchanged": 1, "refused": 1}
    assert served.connections.get("spar-za") is before[0]
    assert seen.points("giftcard.config.read_at") == before[1]


async def test_a_pool_of_another_size_is_another_connection(served: App, tmp_path: Path) -> None:
    """What only the wire is made of is taken too: limits of a provider, and new limits of callers."""
    file = tmp_path / "gateway.toml"
    tail = "[providers.spar-za.limits]\nconnections = 30\n[limits]\ncalls_in_flight = 1\n"
    file.write_text(file.read_text() + tail, encoding="utf-8")
    before = served.connections.get("spar-za")
    await reload(served)
    assert served.connections.get("spar-za") is not before
    assert served.settings.providers["spar-za"].limits == PoolLimits(connections=30)
    assert served.settings.limits.calls_in_flight == 1


async def test_who_comes_back_paused_is_paused_at_once(served: App, tmp_path: Path) -> None:
    """A provider that a reload brings, and that was paused when it left, takes nothing new at all."""
    said = ProviderPause(since=served.clock.now(), by="ana", note="slow")
    await served.journal.put_pause(PauseRow(provider="late", document=msgspec.json.encode(said)))
    await served.pauses.read()
    file = tmp_path / "gateway.toml"
    text = file.read_text()
    stanza = text[text.index("[providers.spar-za]") :].partition("\n[server]")[0]
    file.write_text(f"{text}\n{stanza.replace('spar-za', 'late')}", encoding="utf-8")
    await reload(served)
    assert served.connections.get("late").pause == said
    assert served.connections.get("spar-za").pause is None


def watched_by(file: Path) -> tuple[SettingsOrigin, Watch]:
    """Return where a good configuration is read from again, and a look at its files."""
    source = SettingsOrigin(file=file, environ={}, as_read=config.load(file, {}))
    watch = Watch((file,))
    watch.took(source.read().seen)
    return source, watch


def refused(source: SettingsOrigin, watch: Watch) -> str:
    """Read what stands there, which must be wrong; return why."""
    with pytest.raises(RereadRefused) as fault:
        source.read(watch.files)
    watch.took(fault.value.seen)
    return str(fault.value)


def settled(watch: Watch) -> bool:
    """Look twice; tell whether there is something new at rest."""
    watch.has_changed()
    return watch.has_changed()


def test_a_file_that_comes_later_is_noticed(tmp_path: Path) -> None:
    """A secret, or an authority, that the configuration names before it is there is taken when it comes."""
    file = written(tmp_path, GOOD)
    source, watch = watched_by(file)
    authority = tmp_path / "later" / "ca.pem"
    text = file.read_text().replace("secrets/password", "later/password") + TLS.format(file=authority)
    file.write_text(text, encoding="utf-8")
    assert settled(watch)
    assert "has no value" in refused(source, watch)
    assert not settled(watch)
    authority.parent.mkdir()
    (authority.parent / "password").write_text("pass-word-9", encoding="utf-8")
    (authority.parent / "password").chmod(0o600)
    assert settled(watch)
    assert "ca_file names a file that cannot be read" in refused(source, watch)
    authority.write_bytes(Authority(tmp_path).file.read_bytes())
    assert settled(watch)
    assert password_in(source.read(watch.files).settings) == Secret("pass-word-9")


def test_a_file_whose_readers_change_is_noticed(tmp_path: Path) -> None:
    """A secret that others could read is refused, and taken once they cannot; its words are the same."""
    source, watch = watched_by(written(tmp_path, GOOD))
    turn(tmp_path, "pass-word-2")
    (tmp_path / "pass-word-2" / "password").chmod(0o644)
    assert settled(watch)
    assert "password" in refused(source, watch)
    (tmp_path / "pass-word-2" / "password").chmod(0o600)
    assert settled(watch)
    assert password_in(source.read(watch.files).settings) == Secret("pass-word-2")


def test_a_listeners_file_is_looked_at_while_it_is_refused(tmp_path: Path) -> None:
    """A configuration refused for a listener's certificate is read again once that is mended."""
    pair = Authority(tmp_path).issue("server", "gateway.internal")
    tls = f'\n[server.tls]\ncertificate_file = "{pair.certificate}"\nkey_file = "{pair.key}"\n'
    file = written(tmp_path, GOOD + tls)
    source, watch = watched_by(file)
    whole = pair.certificate.read_bytes()
    pair.certificate.write_bytes(b"half of")
    assert not settled(watch)
    file.write_text(file.read_text() + "# other\n", encoding="utf-8")
    assert settled(watch)
    assert "certificate_file" in refused(source, watch)
    pair.certificate.write_bytes(whole)
    assert settled(watch)
    assert source.read(watch.files).settings.server.tls is not None
