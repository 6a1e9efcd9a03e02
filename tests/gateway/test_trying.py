"""What `check-config --connect` finds out about machines and journals that are there, and that are not."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from giftcard_gateway.config import Settings
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import trying
from giftcard_gateway.process.trying import Trial, trials
from tests.e2e.processes import free_port
from tests.gateway.configuration import GOOD, load
from tests.postgres import PostgresServer
from tests.world.certificates import Authority

HOST = "127.0.0.1"


@contextmanager
def machine(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve connections, with TLS or without, and give the port; say nothing."""

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Whoever does not trust our certificate leaves in the middle of the handshake.
            with suppress(OSError):
                way = context.wrap_socket(self.request, server_side=True) if context else self.request
                with way:
                    while way.recv(4096):
                        pass

    class Machine(socketserver.ThreadingTCPServer):
        # Callers may leave after us: their loop is ours, and stands still while we would wait for them.
        daemon_threads = True

    with Machine((HOST, 0), Silent) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def settings(folder: Path, url: str, added: str = "") -> Settings:
    """Return settings whose one provider is at `url`."""
    own = f'[journal]\nurl = "sqlite:///{folder}/journal.db"\n' if "[journal]" not in added else ""
    return load(folder, GOOD.replace("https://provider.example/api", url) + own + added)


async def tried(found: Settings) -> dict[str, Trial]:
    """Try everything, and return what came of it by setting."""
    return {one.setting: one async for one in trials(found)}


async def test_a_machine_that_is_there(tmp_path: Path) -> None:
    """A provider that takes connections works, and is sent nothing."""
    with machine() as port:
        found = (await tried(settings(tmp_path, f"http://{HOST}:{port}")))["providers.spar-za"]
    assert found.works
    assert found.told.startswith(f"{HOST}:{port} takes connections, without TLS, in ")


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_machine_with_tls(tmp_path: Path, is_trusted: bool) -> None:
    """A certificate is checked against the provider's own authorities; an unknown one says why."""
    authority = Authority(tmp_path)
    files = authority.issue("provider", "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    own = f'[providers.spar-za.tls]\nca_file = "{authority.file}"\n' if is_trusted else ""
    with machine(context) as port:
        found = (await tried(settings(tmp_path, f"https://localhost:{port}", own)))["providers.spar-za"]
    assert found.works is is_trusted
    said = "takes connections, TLSv1.3, in " if is_trusted else "shows a certificate that is not trusted: "
    assert found.told.startswith(f"localhost:{port} {said}")


async def test_silence_where_tls_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does not answer a handshake is given up in time."""
    monkeypatch.setattr(trying, "_LONGEST_S", 0.2)
    with machine() as port:
        found = (await tried(settings(tmp_path, f"https://{HOST}:{port}")))["providers.spar-za"]
    assert (found.works, found.told) == (False, f"{HOST}:{port} did not answer within 0.2 s")


async def test_machines_that_are_not_there(tmp_path: Path) -> None:
    """A closed port and an unknown name are told apart; an issuer's keys are tried as a provider is."""
    port = free_port()
    issuer = '[access.issuers.shop]\nissuer = "i"\naudience = "a"\njwks_url = "https://nowhere.invalid/j"\n'
    found = await tried(settings(tmp_path, f"http://{HOST}:{port}", issuer))
    assert found["providers.spar-za"].told == f"{HOST}:{port} takes no connection: connection refused"
    assert found["access.issuers.shop"].told == "nowhere.invalid:443 has a name that nobody knows"
    assert not any(one.works for one in found.values())


async def test_a_file_of_a_journal(tmp_path: Path) -> None:
    """A SQLite journal works once it has our schema, also while a gateway holds it; looking makes none."""
    found = settings(tmp_path, f"http://{HOST}:{free_port()}")
    early = (await tried(found))["journal"]
    assert not early.works
    assert early.told.startswith("has schema none, ")
    assert not (tmp_path / "journal.db").exists()
    journal = open_journal(found.journal)
    await journal.upgrade()
    await journal.start()
    try:
        assert (await tried(found))["journal"].works
    finally:
        await journal.close()


async def test_a_server_of_a_journal(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """PostgreSQL is written to; one that is away is told without the password."""
    url = await postgres_server.create_database()
    found = settings(tmp_path, f"http://{HOST}:{free_port()}", f'[journal]\nurl = "{url}"\n')
    assert (await tried(found))["journal"].told.startswith("has schema none, ")
    await open_journal(found.journal).upgrade()
    assert (await tried(found))["journal"].told.startswith("can be read and written, schema ")
    away = f'[journal]\nurl = "postgresql://gateway:hush-hush@{HOST}:{free_port()}/giftcards"\n'
    lost = (await tried(settings(tmp_path, f"http://{HOST}:{free_port()}", away)))["journal"]
    assert not lost.works
    assert "hush" not in lost.told
