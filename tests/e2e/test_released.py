"""Callers of the last released contract, at the gateway as it stands: every call, with yesterday's messages.

The messages are made of `protos/releases`, not of today's stubs; what they say is read off docs/grpcurl.md.
`make check` runs this too.
"""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.contract import newest_release
from tests.e2e.sandboxes import Sandbox, sandbox, values_in
from tests.e2e.test_recipes import PLAIN, filled_in
from tests.patience import PATIENCE_S

_PROGRAMS = frozenset({"grpcurl", "curl", "ghz", "buf", "grpc-health-probe"})
_ENDLESS = frozenset({"WatchTransactions", "StreamEvents"})


class Step(NamedTuple):
    """A call of a recipe, or a line to a simulator where `method` is a URL; what is sent, as JSON values."""

    method: str
    content: str


def steps() -> Iterator[Step]:
    """Yield what the recipes that succeed send, in their order."""
    for recipe in PLAIN:
        if any(line.startswith("Code: ") and "DeadlineExceeded" not in line for line in recipe.says):
            continue
        words = shlex.split(recipe.text.replace("buf curl", "buf"))
        starts = [at for at, word in enumerate(words) if word in _PROGRAMS]
        for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
            command = words[start:end]
            content = command[command.index("-d") + 1] if "-d" in command else "{}"
            if command[0] == "curl" and "-d" in command:
                yield Step(next(word for word in command if word.startswith("http")), content)
            elif (
                command[0] == "grpcurl"
                and "describe" not in command
                and command[-1].startswith("giftcard.v1.")
            ):
                yield Step(command[-1], content)


class Yesterday:
    """A caller whose messages are those of the released contract."""

    def __init__(self, image: Path, channel: grpc.Channel) -> None:
        self._pool = DescriptorPool()
        files = FileDescriptorSet.FromString(image.read_bytes()).file
        for file in files:
            self._pool.Add(file)
        self.methods = {
            f"{file.package}.{service.name}/{method.name}"
            for file in files
            if file.package == "giftcard.v1"
            for service in file.service
            for method in service.method
        }
        """Every call of the release."""
        self._channel = channel

    def call(self, name: str, content: str) -> list[Message]:
        """Make one call and return what it answers; of an endless stream its first message."""
        service, _, method_name = name.partition("/")
        method = self._pool.FindServiceByName(service).methods_by_name[method_name]
        kind, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        requests = [
            json_format.ParseDict(value, kind(), descriptor_pool=self._pool) for value in values_in(content)
        ]
        ways = [
            "stream" if is_stream else "unary"
            for is_stream in (method.client_streaming, method.server_streaming)
        ]
        rpc = getattr(self._channel, "_".join(ways))(
            f"/{name}", request_serializer=kind.SerializeToString, response_deserializer=answer.FromString
        )
        sent = iter(requests) if method.client_streaming else requests[0]
        if not method.server_streaming:
            return [rpc(sent, timeout=PATIENCE_S)]
        answers = rpc(sent, timeout=PATIENCE_S)
        try:
            return list(islice(answers, 1 if method_name in _ENDLESS else None))
        finally:
            answers.cancel()


def tell_simulator(running: Sandbox, url: str, content: str) -> None:
    """Tell a simulator of this sandbox what a recipe tells the one of `make run`."""
    here = re.sub(r":(\d+)/", lambda port: f":{int(port[1]) - 50051 + running.port}/", url, count=1)
    urllib.request.urlopen(here, data=content.encode(), timeout=PATIENCE_S).close()  # noqa: S310 - this machine


def test_every_call_serves_callers_of_the_released_contract(tmp_path: Path) -> None:
    """Each RPC of the release answers yesterday's messages, in words that yesterday's caller can read."""
    answers, called = "", set()
    with sandbox(tmp_path) as running, grpc.insecure_channel(running.address) as channel:
        caller = Yesterday(newest_release(), channel)
        for step in steps():
            content = filled_in(step.content, answers)
            if step.method.startswith("http"):
                tell_simulator(running, step.method, content)
                continue
            if step.method not in caller.methods:
                continue  # newer than the release
            told = caller.call(step.method, content)
            assert told, step.method
            answers += "".join(json.dumps(json_format.MessageToDict(one)) for one in told)
            called.add(step.method)
    assert called == caller.methods


def test_a_call_that_the_release_lacks_is_not_hidden() -> None:
    """The proof can fail: a pool of the release knows no call that it does not have."""
    pool = Yesterday(newest_release(), grpc.insecure_channel("127.0.0.1:9"))
    with pytest.raises(KeyError):
        pool.call("giftcard.v1.GiftCardService/Spend", "{}")
