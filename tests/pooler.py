"""A PgBouncer in transaction mode before a private PostgreSQL: for tests and measurements.

It listens on no network: its socket lies in a folder of its own inside the server's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer, as_server_user, server_user

_PORT = 6432
_LOOK_EVERY_S = 0.02


class Pooler:
    """One PgBouncer, which a `with` block ends; each of its statements may be given another session."""

    def __init__(self, server: PostgresServer, sessions: int = 3) -> None:
        """Begin before a running server, of which it takes this many sessions for each database."""
        self._server = server
        self._sessions = sessions
        self.folder = server.folder / "pooler"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it listens."""
        self.folder.mkdir()
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={self._server.folder} port=5432 user=postgres\n[pgbouncer]\n"
            f"pool_mode = transaction\nunix_socket_dir = {self.folder}\n"
            f"listen_addr =\nlisten_port = {_PORT}\n"
            f"auth_type = any\ndefault_pool_size = {self._sessions}\nmax_client_conn = 500\n",
            encoding="utf-8",
        )
        if (user := server_user()) is not None:
            shutil.chown(self.folder, user)
        self.process = subprocess.Popen(
            [*as_server_user(), pgbouncer(), "-q", settings], stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE_S
        while not (self.folder / f".s.PGSQL.{_PORT}").exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("pgbouncer does not serve")
            time.sleep(_LOOK_EVERY_S)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _fault: BaseException | None, _where: TracebackType | None
    ) -> None:
        """End it and delete its folder."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)

    def url(self, database_url: str) -> str:
        """Return the URL that leads through it to the same database as this one of the server's."""
        return f"{database_url.replace(str(self._server.folder), str(self.folder))}&port={_PORT}"


def pgbouncer() -> str:
    """Return the program's path, empty where it is not on this machine; Debian keeps it in sbin."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
