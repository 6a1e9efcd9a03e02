"""A synchronous standby of a private PostgreSQL, on the same machine and disk."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.compare.rig import PATIENCE_S, ask_postgres
from tests.postgres import PostgresServer, program, server_user

_LOOK_EVERY_S = 0.05


@dataclass
class Standby(PostgresServer):
    """A server that follows `primary`, begun as a copy of it."""

    primary: PostgresServer | None = None

    def __post_init__(self) -> None:
        """Copy the primary, without starting the copy."""
        assert self.primary is not None
        self.folder = Path(tempfile.mkdtemp(prefix="giftcard-pg-"))
        if (user := server_user()) is not None:
            shutil.chown(self.folder, user)
        self._run(
            program("pg_basebackup"),
            *("-D", self.data, "-h", str(self.primary.folder), "-U", "postgres"),
            *("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"),
        )
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"unix_socket_directories = '{self.folder}'\n")


def wait_for_standby(primary: PostgresServer, *, is_on: bool) -> None:
    """Let commits of the primary wait for its standby, or no longer, and return once that is so."""
    names, states = ("*", "sync,quorum") if is_on else ("", "async")
    ask_postgres(primary.url(), f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    ask_postgres(primary.url(), "SELECT pg_reload_conf()")
    until = time.monotonic() + PATIENCE_S
    while True:
        found = ask_postgres(primary.url(), "SELECT sync_state FROM pg_stat_replication")
        if found and found[0][0] in states:
            return
        if time.monotonic() > until:
            raise click.ClickException("the standby does not follow")
        time.sleep(_LOOK_EVERY_S)
