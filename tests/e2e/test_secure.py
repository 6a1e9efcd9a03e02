"""A gateway that others may reach, as they reach it: TLS, certificates, keys and tokens over real ports.

The issuer of tokens is a real one, the npm package oidc-provider; without it its test skips.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from giftcard import (
    CallError,
    Client,
    PermissionDenied,
    RepeatPolicy,
    Unauthenticated,
    Unavailable,
    new_transaction_id,
    tls_credentials,
    v1,
)
from giftcard_simulators.catalogue import PORT, WEBHOOKS_PORT
from tests.conftest import ROOT
from tests.e2e.processes import free_port, run, started
from tests.e2e.sandboxes import Sandbox, grpcurl_program, sandbox
from tests.patience import PATIENCE_S
from tests.world.certificates import Authority, Files

PAN = "6045000000000061"
MERCHANT = "MERCHANT0000001"
TILL = "spiffe://shop.example/till-7"
ISSUER_MODULES = ROOT / ".tools" / "issuer"
SECRET_OF_THE_ISSUER = "till-7:a-secret-of-the-tests"
LIST = "giftcard.v1.ProviderService/ListProviders"
SERVER = "GIFTCARD_GATEWAY__SERVER__"
ACCESS = "GIFTCARD_GATEWAY__ACCESS__"
KEYS = {f"{ACCESS}API_KEYS": "true"}
DENIED = grpc.StatusCode.PERMISSION_DENIED
ONE_TRY = RepeatPolicy(attempts=1, deadline_s=PATIENCE_S)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give who signs the certificates of a test."""
    return Authority(tmp_path)


def listening(files: Files, **more: str) -> dict[str, str]:
    """Return the variables of a gateway that shows a certificate."""
    table = {"certificate_file": str(files.certificate), "key_file": str(files.key), **more}
    return {f"{SERVER}TLS__{key.upper()}": value for key, value in table.items()}


def client_of(running: Sandbox, authority: Authority, files: Files | None = None, **more: Any) -> Client:  # noqa: ANN401 - the client's own
    """Return a client that trusts the authority, and shows a certificate if it has one."""
    credentials = tls_credentials(
        authority.file.read_bytes(),
        certificate=files.certificate.read_bytes() if files else None,
        key=files.key.read_bytes() if files else None,
    )
    return Client(running.address, credentials=credentials, policy=ONE_TRY, **more)


def redeem(client: Client, **more: Any) -> v1.Transaction:  # noqa: ANN401 - fields of a redemption
    """Redeem one rand."""
    return client.redeem(transaction_id=new_transaction_id(), card=PAN, amount="1.00", currency="ZAR", **more)


def created(running: Sandbox, environ: Mapping[str, str], *arguments: str) -> str:
    """Make an API key on the command line and return it."""
    folder = running.data.parent
    made = run(
        "keys", "create", "till-7", "--sandbox", "--data", "data", *arguments, folder=folder, environ=environ
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() not in made.stderr
    return made.stdout.strip()


def test_tls_with_grpcurl_and_the_client(tmp_path: Path, authority: Authority) -> None:
    """A key of the command line signs in over TLS, by grpcurl and the client; plain text gets nowhere."""
    environ = listening(authority.issue("server", "127.0.0.1")) | KEYS
    with sandbox(tmp_path, environ=environ) as running:
        key = created(running, environ, "--scope", "money", "--scope", "read")
        running.running.wait_until(lambda: _is_known(running, authority, key))
        flags = [grpcurl_program(), "-cacert", str(authority.file)]
        for header, is_in in ((f"authorization: Bearer {key}", True), ("x: y", False)):
            done = subprocess.run(
                [*flags, "-H", header, running.address, LIST], capture_output=True, text=True, check=False
            )
            assert ("electrum-sandbox" in done.stdout) is is_in
            assert ("Unauthenticated" in done.stderr) is not is_in
        with client_of(running, authority, token=key) as client:
            assert redeem(client).state == v1.TransactionState.TRANSACTION_STATE_APPROVED
            with pytest.raises(PermissionDenied) as refused:
                client.redeliver_advice(transaction_id=new_transaction_id())
            assert refused.value.metadata["scope"] == "giftcard.operate"
        with (
            Client(running.address, plaintext=True, policy=ONE_TRY) as plain,
            pytest.raises(Unavailable, match="a gateway that speaks TLS closes plaintext=True"),
        ):
            redeem(plain)
        with Client(running.address, policy=ONE_TRY) as doubting, pytest.raises(Unavailable, match="trusts"):
            redeem(doubting)
        (tmp_path / "token").write_text(key, encoding="ascii")
        words = ("--address", running.address, "--ca", str(authority.file), "--token-file", "token", "list")
        listed = run("transactions", *words, folder=tmp_path, environ={"COLUMNS": "200"})
        assert "APPROVED" in listed.stdout, listed.stderr
        (tmp_path / "others").mkdir()
        others = Authority(tmp_path / "others").file
        for options, sentence in ((), "speaks TLS needs --ca"), (("--ca", str(others)), "give --ca with its"):
            far = run("transactions", "--address", running.address, *options, "list", folder=tmp_path)
            (line,) = far.stderr.splitlines()
            assert sentence in line
        complained = running.running.complained
        assert "a TLS handshake failed" in complained
        assert "WRONG_VERSION_NUMBER" in complained
        assert key not in complained
        assert "ssl_transport_security" not in complained


def _is_known(running: Sandbox, authority: Authority, key: str) -> bool:
    with client_of(running, authority, token=key) as client:
        try:
            client.list_providers()
        except Unauthenticated:
            return False
        return True


def test_a_key_that_is_revoked_is_refused_soon(tmp_path: Path, authority: Authority) -> None:
    """A key works until it is revoked, and soon no longer; the list says so and shows no secret."""
    environ = listening(authority.issue("server", "127.0.0.1")) | KEYS
    with sandbox(tmp_path, environ=environ) as running:
        key = created(running, environ, "--scope", "money", "--merchant", MERCHANT)
        running.running.wait_until(
            lambda: _code(running, authority, key) is grpc.StatusCode.PERMISSION_DENIED
        )
        with client_of(running, authority, token=key) as client:
            till = v1.PointOfSale(merchant=v1.Merchant(merchant_id=MERCHANT))
            redeem(client, point_of_sale=till)
            with pytest.raises(PermissionDenied):
                redeem(client)
        at = ("--sandbox", "--data", "data")
        told = run("keys", "revoke", key.split("_")[1], *at, folder=tmp_path, environ=environ)
        assert told.returncode == 0, told.stderr
        running.running.wait_until(lambda: _code(running, authority, key) is grpc.StatusCode.UNAUTHENTICATED)
        listed = run("keys", "list", *at, folder=tmp_path, environ={**environ, "COLUMNS": "200"})
        assert "revoked" in listed.stdout
        assert key.split("_", 2)[2] not in listed.stdout


def _code(running: Sandbox, authority: Authority, key: str) -> grpc.StatusCode | None:
    """Return how a call outside the key's scopes is refused."""
    with client_of(running, authority, token=key) as client:
        try:
            client.list_providers()
        except CallError as refused:
            return refused.code
        return None


def test_certificates_of_callers(tmp_path: Path, authority: Authority) -> None:
    """Over mutual TLS a caller is known by its certificate; without one, or by another's, nobody gets in."""
    server, till = authority.issue("server", "127.0.0.1"), authority.issue("till", TILL)
    unknown = authority.issue("unknown", "spiffe://shop.example/till-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = Authority(elsewhere, "stranger").issue("till", TILL)
    at = f"{ACCESS}CERTIFICATES__{TILL}__"
    environ = {
        **listening(server, client_ca_file=str(authority.file)),
        f"{at}NAME": "till-7",
        f"{at}SCOPES": "giftcard.money",
    }
    with sandbox(tmp_path, environ=environ) as running:
        with client_of(running, authority, till) as client:
            redeem(client)
            with pytest.raises(PermissionDenied):
                client.list_providers()
        with client_of(running, authority, unknown) as client, pytest.raises(Unauthenticated):
            redeem(client)
        for files in (None, stranger):
            with client_of(running, authority, files) as client, pytest.raises(Unavailable):
                redeem(client)
        done = subprocess.run(
            [
                *(grpcurl_program(), "-cacert", str(authority.file)),
                *("-cert", str(till.certificate), "-key", str(till.key)),
                *(running.address, LIST),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "SCOPE_MISSING" in done.stderr


def test_a_certificate_is_rotated_under_load(tmp_path: Path, authority: Authority) -> None:
    """Through ten rotations, file by file, no call fails: neither on old connections nor on new ones."""
    server = authority.issue("server", "127.0.0.1")
    environ = listening(server)
    with sandbox(tmp_path, environ=environ) as running:
        is_over = threading.Event()
        faults: list[Exception] = []
        done = [0, 0]

        def call(is_fresh: int, old: Client) -> None:
            while not is_over.is_set():
                try:
                    if is_fresh:
                        with client_of(running, authority) as client:
                            redeem(client)
                    else:
                        redeem(old)
                except Exception as fault:  # noqa: BLE001 - whatever fails is what is looked for
                    faults.append(fault)
                done[is_fresh] += 1

        port = int(running.address.rpartition(":")[2])
        before = ssl.get_server_certificate(("127.0.0.1", port))
        with client_of(running, authority) as old:
            callers = [threading.Thread(target=call, args=(is_fresh, old)) for is_fresh in (0, 1)]
            for caller in callers:
                caller.start()
            for rotation in range(1, 11):
                authority.issue("server", "127.0.0.1")
                running.running.wait_until(lambda: min(done) >= rotation * 3)  # noqa: B023 - asked at once
            is_over.set()
            for caller in callers:
                caller.join()
        assert not faults
        assert ssl.get_server_certificate(("127.0.0.1", port)) != before


@pytest.mark.parametrize(("profile", "speaks_1_2"), [("intermediate", True), ("modern", False)])
def test_a_profile_decides_what_is_spoken(
    tmp_path: Path, authority: Authority, profile: str, speaks_1_2: bool
) -> None:
    """TLS 1.3 is spoken in both profiles, 1.2 in one, and nothing older; on both ports."""
    files = authority.issue("server", "127.0.0.1")
    environ = listening(files, profile=profile) | {
        name.replace("SERVER", "WEBHOOKS"): value for name, value in listening(files, profile=profile).items()
    }
    with sandbox(tmp_path, environ=environ) as running:
        port = int(running.address.rpartition(":")[2])
        for one in (port, port + WEBHOOKS_PORT - PORT):
            assert _speaks(one, ssl.TLSVersion.TLSv1_3)
            assert _speaks(one, ssl.TLSVersion.TLSv1_2) is speaks_1_2
            assert not _speaks(one, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA")


def _speaks(port: int, version: ssl.TLSVersion, suites: str = "ALL") -> bool:
    """Tell whether a port takes a handshake of exactly this version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(suites)
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw,
            context.wrap_socket(raw) as spoken,
        ):
            return spoken.version() is not None
    except OSError:
        return False


@contextmanager
def issuing(folder: Path) -> Iterator[str]:
    """Run the real issuer; gives its address."""
    node = shutil.which("node")
    if node is None or not (ISSUER_MODULES / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("node or oidc-provider is not on this machine: npm install --prefix .tools/issuer")
    port = free_port()
    script = str(ROOT / "tests" / "e2e" / "issuer.mjs")
    with (folder / "issuer.out").open("wb") as out:
        process = subprocess.Popen([node, script, str(ISSUER_MODULES), str(port)], stdout=out, stderr=out)
    try:
        until = time.monotonic() + PATIENCE_S
        while "listening" not in (folder / "issuer.out").read_text(encoding="utf-8"):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def token_of(issuer: str, scope: str) -> str:
    """Have the issuer make a token, as a till would."""
    body = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope}).encode()
    basic = base64.b64encode(SECRET_OF_THE_ISSUER.encode()).decode()
    asked = urllib.request.Request(f"{issuer}/token", body, {"authorization": f"Basic {basic}"})  # noqa: S310 - an address of our own
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - an address of our own
        return str(json.load(answer)["access_token"])


def test_tokens_of_a_real_issuer(tmp_path: Path, authority: Authority) -> None:
    """A till signs in with what its issuer gave it, within its scopes and merchant, under a new key too."""
    with issuing(tmp_path) as issuer:
        at = f"{ACCESS}ISSUERS__SHOP__"
        environ = {
            **listening(authority.issue("server", "127.0.0.1")),
            f"{at}ISSUER": issuer,
            f"{at}AUDIENCE": "https://giftcards.example",
            f"{at}JWKS_URL": f"{issuer}/jwks",
            f"{at}ALGORITHMS": "RS256",
            # A new key is looked for again only after five seconds, in which a test may ask very often.
            "GIFTCARD_GATEWAY__LIMITS__WRONG_CREDENTIALS": "100000",
            f"{at}TENANT_CLAIM": "tenant",
            f"{at}MERCHANTS_CLAIM": "merchants",
        }
        till = v1.PointOfSale(merchant=v1.Merchant(merchant_id=MERCHANT))
        with sandbox(tmp_path, environ=environ) as running:
            for turn in ("first key", "second key"):
                token = token_of(issuer, "giftcard.money")
                # Within five seconds of its last look nobody makes the gateway look again.
                running.running.wait_until(lambda: _code(running, authority, token) is DENIED)  # noqa: B023 - asked at once
                with client_of(running, authority, token=token) as client:
                    redeem(client, point_of_sale=till)
                    with pytest.raises(PermissionDenied, match="OUT_OF_REACH"):
                        redeem(client)
                    with pytest.raises(PermissionDenied, match="SCOPE_MISSING"):
                        client.list_providers()
                with client_of(running, authority, token=f"{token[:-8]}AAAAAAAA") as client:
                    with pytest.raises(Unauthenticated) as refused:
                        redeem(client, point_of_sale=till)
                    assert refused.value.reason == "CREDENTIALS_INVALID"
                if turn == "first key":
                    with urllib.request.urlopen(f"{issuer}/rotate") as answer:  # noqa: S310 - an address of our own
                        assert answer.status == 200
            assert token[:20] not in running.running.complained


def test_what_is_open_is_refused_or_said(tmp_path: Path) -> None:
    """A listener in the open without TLS and sign-in is one sentence and 2, unless the words are said."""
    listen = {f"{SERVER}LISTEN": "0.0.0.0:0"}
    refused = run("serve", "--sandbox", "--data", "data", folder=tmp_path, environ=listen)
    assert refused.returncode == 2
    assert refused.stderr.count("server.listen is not loopback") == 1
    assert "Traceback" not in refused.stderr
    environ = {**listen, f"{SERVER}INSECURE": "true"}
    arguments = ("serve", "--sandbox", "--data", "data", "--port", str(free_port()))
    with started(*arguments, folder=tmp_path, environ=environ) as running:
        running.wait_until(lambda: "Ctrl-C stops" in running.said)
        assert "server.insecure = true: 0.0.0.0:0 is open to the network with no TLS" in running.complained
        assert running.stop() == 0
