"""The engine against servers that nobody here wrote: Node's, Go's and Python's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from giftcard_adapters.engine import Engine, PoolLimits
from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import Whole, post
from tests.e2e.processes import end

HERE = Path(__file__).parent
PROGRAMS = {"node": "node", "go": "go", "python": sys.executable}
BODY = b'{"amount": 5, "currency": "710"}'
ANSWERS = {
    "/echo": (201, BODY),
    "/pieces": (200, b"one two three"),
    "/none": (204, b""),
    "/early": (404, b"no such card"),
    "/last": (200, b"bye"),
}
LARGE = b"x" * 1_000_000


@pytest.fixture(scope="module", params=PROGRAMS)
def provider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of each server in turn."""
    program = PROGRAMS[request.param]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    with subprocess.Popen(command(request.param, tmp_path_factory), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            end(process)


def command(kind: str, folders: pytest.TempPathFactory) -> list[str]:
    """Return what starts a server; Go's is built first, since `go run` does not pass a signal on."""
    if kind != "go":
        return [PROGRAMS[kind], str(HERE / {"node": "foreign.mjs", "python": "foreign.py"}[kind])]
    built = str(folders.mktemp("go") / "provider")
    subprocess.run([PROGRAMS["go"], "build", "-o", built, "foreign.go"], cwd=HERE, check=True)
    return [built]


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "pieces"])
async def test_every_kind_of_answer(provider: str, engine: Engine, is_whole: bool) -> None:
    """Answers with a length, in pieces, without a body, after a hint and before hanging up are read right."""
    opened = open_transport(engine, limits=PoolLimits(connections=1))
    wire = Whole(opened) if is_whole else opened
    for _ in range(3):
        for path, (status, body) in ANSWERS.items():
            answer = await post(wire, provider + path, body=BODY)
            assert (answer.status_code, answer.content) == (status, body), path
    answer = await post(wire, f"{provider}/echo", body=LARGE)
    assert answer.content == LARGE
    await wire.aclose()


async def test_nobody_there_any_more(provider: str, engine: Engine) -> None:
    """A path at which nobody listens is never sent, beside a server that does."""
    opened = open_transport(engine, limits=PoolLimits(connections=1))
    assert (await post(opened, f"{provider}/echo", body=BODY)).content == BODY
    with pytest.raises(httpx.ConnectError):
        await post(opened, "http://127.0.0.1:1/echo", body=BODY)
    await opened.aclose()
