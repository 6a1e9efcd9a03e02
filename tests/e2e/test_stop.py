"""SIGTERM drains: callers are sent away, money in flight is finished and recorded, and the exit code is 0."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from giftcard import Client, v1
from giftcard.stubs import Stubs
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceStub
from tests.e2e.sandboxes import ELECTRUM, Sandbox, redemption, sandbox
from tests.patience import PATIENCE_S

FUNDED = "6045000000000061"
RICH = "6045000000000111"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_AGAIN_S = 0.01


@contextmanager
def calling(running: Sandbox) -> Iterator[grpc.Channel]:
    """Give a channel that repeats nothing by itself."""
    with grpc.insecure_channel(running.address, [("grpc.enable_retries", 0)]) as channel:
        yield channel


def watch_health(channel: grpc.Channel) -> Iterator[health_pb2.HealthCheckResponse]:
    """Ask for every change of the gateway's health."""
    stub = health_pb2_grpc.HealthStub(channel)
    changes: Iterator[health_pb2.HealthCheckResponse] = stub.Watch(  # type: ignore[attr-defined]  # the types leave it out
        health_pb2.HealthCheckRequest(), timeout=PATIENCE_S
    )
    return changes


def code_of_a_new_call(running: Sandbox) -> grpc.StatusCode:
    """Return how a call on a connection of its own ends."""
    with calling(running) as channel:
        try:
            Stubs(channel).providers.ListProviders(v1.ListProvidersRequest(), timeout=PATIENCE_S)
        except grpc.RpcError as fault:
            return fault.code()
    return grpc.StatusCode.OK


def codes_until_unavailable(running: Sandbox) -> set[grpc.StatusCode]:
    """Call until a call ends UNAVAILABLE, and return how the others ended.

    CANCELLED is gRPC's own: a call that arrived while it stopped listening, and that we never saw.
    """
    others: set[grpc.StatusCode] = set()
    while (code := code_of_a_new_call(running)) != grpc.StatusCode.UNAVAILABLE:
        others.add(code)
    return others


def delay(running: Sandbox, delay_s: float) -> None:
    """Have the next redemption's answer come late."""
    running.spoil(ELECTRUM, {"fault": "delay", "delay_s": delay_s, "match": {"path": "redemptions"}})


def test_money_in_flight_is_finished_while_others_are_sent_away(tmp_path: Path) -> None:
    """A redemption at a slow provider is answered and recorded after SIGTERM; new calls end UNAVAILABLE."""
    asked = redemption(FUNDED)
    with sandbox(tmp_path) as running, calling(running) as channel, ThreadPoolExecutor() as hands:
        told = watch_health(channel)
        assert next(told).status == SERVING
        # Longer than a machine stands still between this and the signal.
        delay(running, 8)
        answer = hands.submit(GiftCardServiceStub(channel).Redeem, asked, timeout=PATIENCE_S)
        running.running.wait_until(lambda: bool(running.get(ELECTRUM, "effects")))
        running.running.send(signal.SIGTERM)
        assert next(told).status == NOT_SERVING
        assert codes_until_unavailable(running) <= {grpc.StatusCode.CANCELLED}
        running.running.send(signal.SIGTERM)
        assert answer.result().transaction.state == v1.TransactionState.TRANSACTION_STATE_APPROVED
        assert running.running.ended() == 0
        assert "Traceback" not in running.running.complained
    with sandbox(tmp_path) as again, again.client() as client:
        recorded = client.get_transaction(transaction_id=asked.transaction_id)
    assert recorded.state == v1.TransactionState.TRANSACTION_STATE_APPROVED


def test_what_takes_longer_than_the_drain_is_ended_by_the_next_life(tmp_path: Path) -> None:
    """A redemption unanswered when the drain ends is told as PENDING, and reversed by the next life."""
    asked = redemption(FUNDED)
    with sandbox(tmp_path, environ={"GIFTCARD_GATEWAY__SERVER__DRAIN_S": "0.2"}) as running:
        with calling(running) as channel:
            delay(running, 20)
            answer = GiftCardServiceStub(channel).Redeem.future(asked, timeout=PATIENCE_S)
            running.running.wait_until(lambda: bool(running.get(ELECTRUM, "effects")))
            assert running.running.stop() == 0
            told = answer.result().transaction
            assert told.state == v1.TransactionState.TRANSACTION_STATE_PENDING
        assert "Traceback" not in running.running.complained
    soon = {"GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__TERMS__SETTLING_S": "1"}
    with sandbox(tmp_path, environ=soon) as again, again.client() as client:
        ended = client.get_transaction(transaction_id=asked.transaction_id, wait_s=20)
        again.running.wait_until(
            lambda: _has_ended(client.get_transaction(transaction_id=ended.transaction_id))
        )


def _has_ended(transaction: v1.Transaction) -> bool:
    return transaction.state == v1.TransactionState.TRANSACTION_STATE_REVERSED


def test_every_answer_under_load_is_recorded(tmp_path: Path) -> None:
    """Stopped while eight callers redeem, every answer is in the journal and no refused call is."""
    with sandbox(tmp_path) as running, calling(running) as channel, ThreadPoolExecutor(8) as hands:
        lives = [hands.submit(_redeem_until_refused, channel) for _ in range(8)]
        running.running.wait_until(lambda: len(running.get(ELECTRUM, "effects")) > 20)
        assert running.running.stop() == 0
    refused = {life.result()[1]: life.result()[2] for life in lives}
    answered = {one.transaction_id: one.state for life in lives for one in life.result()[0]}
    assert set(refused.values()) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert len(answered) > 20
    with sandbox(tmp_path) as again, again.client() as client:
        listed = dict(_all_of(client))
    assert listed == answered


def _all_of(client: Client) -> Iterator[tuple[str, v1.TransactionState.ValueType]]:
    """Give every transaction's id and state, page by page: how many there are is the machine's affair."""
    page = client.list_transactions(page_size=500)
    while page.transactions:
        yield from ((one.transaction_id, one.state) for one in page.transactions)
        if not page.next_page_token:
            return
        page = client.list_transactions(page_size=500, page_token=page.next_page_token)


def _redeem_until_refused(channel: grpc.Channel) -> tuple[list[v1.Transaction], str, grpc.StatusCode]:
    """Return what was answered, and the id and the code of the call that was refused."""
    answered: list[v1.Transaction] = []
    while True:
        asked = redemption(RICH)
        try:
            answered.append(GiftCardServiceStub(channel).Redeem(asked, timeout=PATIENCE_S).transaction)
        except grpc.RpcError as fault:
            return answered, asked.transaction_id, fault.code()


def test_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """With a watcher of health, one of transactions and one of events connected, an idle stop is quick."""
    drain_s = 100
    environ = {"GIFTCARD_GATEWAY__SERVER__DRAIN_S": str(drain_s)}
    with sandbox(tmp_path, environ=environ) as running, calling(running) as channel:
        health = watch_health(channel)
        stubs = Stubs(channel)
        changes = stubs.transactions.WatchTransactions(v1.WatchTransactionsRequest())
        events = stubs.events.StreamEvents(v1.StreamEventsRequest())
        assert next(health).status == SERVING
        began_s = time.monotonic()
        assert running.running.stop() == 0
        assert time.monotonic() - began_s < drain_s / 2, "an idle gateway waits for nobody"
        for stream in (changes, events):
            stream.cancel()


def test_a_collector_that_hangs_holds_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    """Calls are answered while it takes connections and says nothing; a stop leaves it behind."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{hanging.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }
        with sandbox(tmp_path, environ=environ) as running, calling(running) as channel:
            for _ in range(20):
                Stubs(channel).providers.ListProviders(v1.ListProvidersRequest(), timeout=PATIENCE_S)
            assert running.running.stop() == 0
            said = running.running.complained
            assert "the collector did not take the last of our telemetry in time" in said
            assert "traces, metrics, logs" in said


def test_ctrl_c_stops_like_sigterm(tmp_path: Path) -> None:
    """Ctrl-C on a gateway that serves drains it too: exit code 0 and not a word on standard error."""
    with sandbox(tmp_path) as running:
        assert code_of_a_new_call(running) == grpc.StatusCode.OK
        running.running.send(signal.SIGINT)
        assert running.running.ended() == 0
        assert running.running.complained == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_come_again_change_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """A signal sent again and again until the process is gone does not end it: the exit code is 0."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{hanging.getsockname()[1]}"}
        with sandbox(tmp_path, environ=environ) as running:
            assert code_of_a_new_call(running) == grpc.StatusCode.OK
            running.running.send(signal.SIGTERM)
            until = time.monotonic() + PATIENCE_S
            while running.running.process.poll() is None and time.monotonic() < until:
                running.running.send(number)
                with suppress(subprocess.TimeoutExpired):
                    running.running.process.wait(_AGAIN_S)
            assert running.running.ended() == 0
            assert "Traceback" not in running.running.complained


def test_a_lame_duck_serves_until_it_is_hurried(tmp_path: Path) -> None:
    """After SIGTERM health sends callers away and nobody is refused; a second SIGTERM drains at once."""
    environ = {"GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S": "3600"}
    with sandbox(tmp_path, environ=environ) as running, calling(running) as channel:
        told = watch_health(channel)
        assert next(told).status == SERVING
        running.running.send(signal.SIGTERM)
        assert next(told).status == NOT_SERVING
        assert code_of_a_new_call(running) == grpc.StatusCode.OK
        redeemed = GiftCardServiceStub(channel).Redeem(redemption(FUNDED), timeout=PATIENCE_S)
        assert redeemed.transaction.state == v1.TransactionState.TRANSACTION_STATE_APPROVED
        assert running.running.stop() == 0
        assert "Traceback" not in running.running.complained
