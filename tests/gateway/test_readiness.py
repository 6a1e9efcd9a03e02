"""Health follows the journal: away and back, told once each, and never back once the process drains."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal, JournalClosed
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.heartbeat import Heartbeat
from giftcard_gateway.process.readiness import Readiness
from giftcard_gateway.rpc.admission import Admission
from giftcard_gateway.rpc.server import Server
from tests.world.app import open_app, settings
from tests.world.observer import Heard


class Patient:
    """A journal that is away when told so."""

    is_shared = False
    is_away = False

    def __init__(self) -> None:
        self.beats: list[datetime] = []

    async def check(self) -> None:
        """Answer, or not."""
        if self.is_away:
            raise JournalClosed("the journal cannot be used: nobody answers")

    async def beat(self, now: datetime, *, silence: timedelta) -> None:
        """Keep when somebody could write; nobody ever could not."""
        assert silence == timedelta()
        self.beats.append(now)


class Sign:
    """A server of which only the sign at the admission is seen."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def pause(self) -> None:
        """Turn the sign."""
        self.shown.append("closed")

    async def serve(self) -> None:
        """Turn it back."""
        self.shown.append("open")


@pytest.fixture
def journal() -> Patient:
    """Give a journal that is well."""
    return Patient()


@pytest.fixture
def sign() -> Sign:
    """Give a server."""
    return Sign()


@pytest.fixture
def heard() -> Heard:
    """Give somebody who listens."""
    return Heard(SystemClock())


@pytest.fixture
def admission() -> Admission:
    """Give an open admission."""
    return Admission(1)


@pytest.fixture
def readiness(journal: Patient, sign: Sign, heard: Heard, admission: Admission) -> Readiness:
    """Give what is tested."""
    return Readiness(
        journal=cast("Journal", journal),
        heartbeat=Heartbeat(cast("Journal", journal), SystemClock(), Observer()),
        server=cast("Server", sign),
        admission=admission,
        clock=SystemClock(),
        observer=heard,
    )


async def test_away_and_back(readiness: Readiness, journal: Patient, sign: Sign, heard: Heard) -> None:
    """Each change is shown and told once, however often the journal is asked."""
    for journal.is_away in (False, True, True, False, False):
        await readiness.look()
    assert sign.shown == ["closed", "open"]
    assert heard.journal == ["lost: the journal cannot be used: nobody answers", "found"]
    assert len(journal.beats) == 1


async def test_draining(readiness: Readiness, journal: Patient, sign: Sign, admission: Admission) -> None:
    """A process that drains is not shown as open again when its journal comes back."""
    for journal.is_away in (True, False):
        await readiness.look()
        admission.close()
    assert sign.shown == ["closed"]


async def test_the_first_call_finds_every_outage_known(tmp_path: Path) -> None:
    """A process knows of earlier outages before it serves, or its first approvals would be put off."""
    table = settings(journal=JournalSettings(url=Secret(f"sqlite:///{tmp_path}/journal.db")))
    async with open_app(table, SystemClock()) as first:
        assert first.pipeline.heartbeat.outage is None
    async with open_app(table, SystemClock()) as second:
        assert second.pipeline.heartbeat.outage is not None
