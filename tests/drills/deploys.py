"""Drills of what people do: stop a gateway, replace its certificate, take a key back."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import httpx

from giftcard import CallError, Client, tls_credentials, v1
from tests.drills.catalogue import drill
from tests.drills.hosts import hosts
from tests.drills.journal import Caller
from tests.drills.providers import ONCE, SETTINGS, TERMS, comes_to, is_sold, sold, till
from tests.drills.stage import TELEMETRY, CannotDrill, DrillFailed, Stage
from tests.e2e.processes import run
from tests.e2e.sandboxes import ELECTRUM, WEBHOOKS, sandbox
from tests.world.certificates import Authority


@drill("No gateway tells anything")
def silent(stage: Stage) -> None:
    """The only gateway is gone, and another is started."""
    with stage.gateway() as scene:
        scene.sandbox.running.send(signal.SIGKILL)
        scene.sandbox.running.ended()
        stage.say("broken: the gateway is killed")
        scene.rings("GiftcardSilent")
        words = {TELEMETRY: f"127.0.0.1:{scene.target}"}
        with sandbox(stage.folder, environ=words):
            stage.say("mended: a gateway is started")
            scene.is_silent("GiftcardSilent")


@drill("Webhooks are refused")
def webhooks_refused(stage: Stage) -> None:
    """Somebody knocks whose signature does not verify."""
    with stage.gateway() as scene:
        url = f"http://127.0.0.1:{scene.sandbox.port + WEBHOOKS}/webhooks/gr4vy-sandbox"
        stage.say("broken: events come with a signature that does not verify")

        for _ in range(20):
            if httpx.post(url, json={"type": "event", "id": "made-up"}).is_success:
                raise DrillFailed("an event without a signature was kept")
        scene.rings("GiftcardWebhooksRefused")
        scene.booked(ELECTRUM)


@drill("A stop takes too long")
def stuck_deploy(stage: Stage) -> None:
    """A gateway is told to stop while a provider does not answer."""
    environ = {
        "GIFTCARD_GATEWAY__SERVER__DRAIN_S": "0.5",
        f"{TERMS}LEASE_MARGIN_S": "1",
        f"{TERMS}SETTLING_S": "3",
        f"{TERMS}RETRY_CAP_S": "1",
        f"{SETTINGS}TIMEOUT_S": "10",
    }
    with stage.gateway(environ) as scene, till(scene) as client, ThreadPoolExecutor() as hands:
        scene.sandbox.spoil(ELECTRUM, {"fault": "delay", "delay_s": 20, "match": {"path": "redemptions"}})
        answer = hands.submit(sold, client)
        stage.until(lambda: bool(scene.sandbox.get(ELECTRUM, "effects")), "the provider has the request")
        scene.booked(ELECTRUM, "redeem")
        stage.say("broken: a provider does not answer, and the gateway is told to stop")
        if scene.sandbox.running.stop() != 0:
            raise DrillFailed("it did not stop in good order")
        stage.say("ended: it stopped when drain_s was over, with exit code 0")
        told = None
        with suppress(CallError):
            told = answer.result()
        if told is not None and told.state != v1.TransactionState.TRANSACTION_STATE_PENDING:
            raise DrillFailed("what is not known was told as known")
    stage.say("mended: the next gateway is started, and ends what was left")
    with stage.gateway(environ) as scene, till(scene) as client:
        (left,) = client.list_transactions().transactions
        stage.until(lambda: comes_to(client, left.transaction_id, "REVERSED"), "the redemption is reversed")
        stage.say("ended: the redemption is REVERSED; nobody was told that it was approved")


@drill("An API key has leaked")
def api_key(stage: Stage) -> None:
    """A key is revoked, and lets nobody in any more."""
    environ = {"GIFTCARD_GATEWAY__ACCESS__API_KEYS": "true"}
    with stage.gateway(environ) as scene:
        words = ("--sandbox", "--data", "data")
        made = run(
            "keys", "create", "till-7", "--scope", "money", *words, folder=stage.folder, environ=environ
        )
        key = made.stdout.strip()

        def is_in() -> bool:
            with Client(scene.sandbox.address, plaintext=True, policy=ONCE, token=key) as client:
                try:
                    sold(client)
                except CallError:
                    return False
                return True

        stage.until(is_in, "the key lets its caller in")
        stage.say("broken: the key of till-7 is known to somebody else")
        (line,) = (
            one
            for one in run("keys", "list", *words, folder=stage.folder, environ=environ).stdout.splitlines()
            if "till-7" in one
        )
        stage.typed("An API key has leaked", 0, environ, KEY_ID=line.split()[0])
        stage.until(lambda: not is_in(), "the key lets nobody in")
        stage.say("ended: the key lets nobody in")


@drill("A certificate has expired")
def certificate(stage: Stage) -> None:
    """A certificate has expired, or is another authority's; callers come in again without a restart."""
    if shutil.which("openssl") is None:
        raise CannotDrill("openssl is not on this machine")
    for name in ("ours", "other"):
        (stage.folder / name).mkdir()
    ours, other = Authority(stage.folder / "ours"), Authority(stage.folder / "other")
    files = ours.issue("server", "127.0.0.1")
    environ = {
        "GIFTCARD_GATEWAY__SERVER__TLS__CERTIFICATE_FILE": str(files.certificate),
        "GIFTCARD_GATEWAY__SERVER__TLS__KEY_FILE": str(files.key),
    }

    def replaced(by: Authority, **how: timedelta) -> None:
        fresh = by.issue("fresh", "127.0.0.1", **how)
        fresh.key.replace(files.key)
        fresh.certificate.replace(files.certificate)

    with stage.gateway(environ) as scene:
        approved = 0

        def is_in() -> bool:
            nonlocal approved
            credentials = tls_credentials(ours.file.read_bytes())
            with Client(scene.sandbox.address, credentials=credentials, policy=ONCE) as client:
                is_let_in = is_sold(client)
            approved += is_let_in
            return is_let_in

        stage.until(is_in, "callers are let in")
        for said, by, how in (
            ("the gateway's certificate has expired", ours, {"lasts": timedelta(minutes=-1)}),
            ("the gateway's certificate is of an authority that callers do not trust", other, {}),
        ):
            replaced(by, **how)
            stage.until(lambda: not is_in(), "callers are turned away")
            stage.say(f"broken: {said}")
            stage.typed("A certificate has expired", 0, {}, CERTIFICATE_FILE=str(files.certificate))
            replaced(ours)
            stage.say("mended: key and certificate are replaced by new files; the gateway is not touched")
            stage.until(is_in, "callers are let in")
            stage.say("ended: callers are let in")
        scene.booked(ELECTRUM, *["redeem"] * approved)


@drill("The configuration was refused")
def configuration_refused(stage: Stage) -> None:
    """A configuration with one fault is read again: nothing of it is in force before the fault is mended."""
    alert, sooner = "GiftcardConfigurationRefused", ("[15m]", "[10s]")
    with hosts(stage, f"sqlite:///{stage.folder / 'journal.db'}", number=1) as together:
        (host,) = together.hosts
        file = host.folder / "gateway.toml"
        changed = file.read_text(encoding="utf-8").replace("prefixes =", "enabled = false\nprefixes =")
        file.write_text(changed.replace("timeout_s = 5", 'timeout_s = "five"'), encoding="utf-8")
        host.send(signal.SIGHUP)
        stage.say("broken: a configuration switches a provider off, and has a fault elsewhere")
        together.scene.rings(alert)
        with host.till() as client:
            caller = Caller(client)
            caller.must_sell()
            stage.say("the gateway goes on with the configuration before")
            file.write_text(changed, encoding="utf-8")
            shutil.copy(file, stage.folder / "gateway.toml")
            stage.typed("The configuration was refused", 0, {})
            host.send(signal.SIGHUP)
            stage.say("mended: the fault is put right, and SIGHUP sent")
            stage.until(lambda: not caller.is_sold(), "the provider is switched off")
        stage.say("ended: the new configuration is in force: nothing new is sent to that provider")
        together.scene.is_silent(alert, sooner=sooner)
        together.scene.booked(ELECTRUM, *caller.books)
