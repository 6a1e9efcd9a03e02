"""The examples and the README's code, run as a reader would run them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
import pytest

from giftcard import to_money, v1
from tests.clients.scripted import Refusal, ScriptedGateway, State, response

EXAMPLES = Path(__file__).resolve().parents[2] / "clients" / "python" / "examples"


async def run(script: Path, address: str) -> tuple[int | None, str, str]:
    """Run a script as a reader would; give its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(autouse=True)
def _sandbox(gateway: ScriptedGateway) -> None:
    """Answer as a gateway does that likes every request."""
    balances = v1.Balances(available=to_money("500", "ZAR"))
    gateway.expect("Balance", v1.BalanceResponse(card_balance=v1.CardBalance(balances=balances)))
    for operation in ("Redeem", "Load"):
        gateway.expect(operation, response(operation, State.TRANSACTION_STATE_APPROVED))
        gateway.expect(f"Confirm{operation}", response(operation, State.TRANSACTION_STATE_CONFIRMED))
        gateway.expect(f"Reverse{operation}", response(operation, State.TRANSACTION_STATE_REVERSED))


async def test_the_sync_example_runs(address: str, gateway: ScriptedGateway) -> None:
    """The example redeems and confirms, and shows the balance before and after."""
    code, out, err = await run(EXAMPLES / "redeem.py", address)
    assert (code, err) == (0, "")
    assert out.splitlines()[::3] == ["ZAR 500.00 can be spent."] * 2
    assert gateway.names() == ["Balance", "Redeem", "ConfirmRedeem", "Balance"]


async def test_the_async_example_runs(address: str, gateway: ScriptedGateway) -> None:
    """The example confirms one load and reverses the other."""
    code, out, err = await run(EXAMPLES / "load_async.py", address)
    assert (code, err) == (0, "")
    assert out == "The first load is confirmed.\nThe second one is TRANSACTION_STATE_REVERSED.\n"
    assert sorted(gateway.names()) == ["ConfirmLoad", "Load", "Load", "ReverseLoad"]


async def test_an_example_says_what_went_wrong(address: str, gateway: ScriptedGateway) -> None:
    """A refused call ends an example with one sentence and code 1."""
    gateway.expect("Balance", Refusal(grpc.StatusCode.NOT_FOUND, "CARD_NOT_FOUND"))
    assert await run(EXAMPLES / "redeem.py", address) == (1, "", "Balance: NOT_FOUND - CARD_NOT_FOUND - no\n")


def readme_blocks() -> list[str]:
    """Give the README's Python code."""
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    return [block.split("```")[0] for block in text.split("```python\n")[1:]]


async def test_the_readmes_first_code_runs(address: str, gateway: ScriptedGateway, tmp_path: Path) -> None:
    """What the README shows first redeems and confirms, as it stands but for the address."""
    script = tmp_path / "first.py"
    script.write_text(readme_blocks()[0].replace("127.0.0.1:50051", address), encoding="utf-8")
    assert await run(script, address) == (0, "t is approved: hand over the goods\n", "")
    assert gateway.names() == ["Redeem", "ConfirmRedeem"]


@pytest.mark.parametrize("block", readme_blocks()[1:])
async def test_the_readmes_other_code_runs(block: str, address: str, tmp_path: Path) -> None:
    """The README's further code is sound: its imports are there and its arguments are taken."""
    script = tmp_path / "other.py"
    script.write_text(block, encoding="utf-8")
    assert await run(script, address) == (0, "", "")
