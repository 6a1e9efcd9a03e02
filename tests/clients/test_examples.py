"""The examples and the README's code, run as a reader would run them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from giftcard import Client, to_money, v1
from tests.clients.scripted import PAN, Refusal, ScriptedGateway, State, Time, response

TOLD = "ListTransactions False \n0 transactions\n"
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


OUTPUTS = {"def cancel": "", "def sell": "", "def fetch_token": "", "def listen": TOLD, "def test_a_": ""}


@pytest.mark.parametrize("block", readme_blocks()[1:])
async def test_the_readmes_other_code_runs(block: str, address: str, tmp_path: Path) -> None:
    """The README's further code runs as it stands, but for the address, and prints what it should."""
    script = tmp_path / "other.py"
    script.write_text(block.replace("127.0.0.1:50051", address), encoding="utf-8")
    expected = next(out for sign, out in OUTPUTS.items() if sign in block)
    assert await run(script, address) == (0, expected, "")


def recipe(sign: str) -> dict[str, Any]:
    """Run the README's code that holds a sign; give what it defines."""
    names: dict[str, Any] = {}
    exec(next(block for block in readme_blocks() if sign in block), names)  # noqa: S102 - our own README
    return names


async def test_the_readmes_recipe_for_a_lost_confirmation(
    address: str, gateway: ScriptedGateway, time: Time
) -> None:
    """`sell` says "sold" when the confirmation is lost, and may be called again with the same id."""
    sell = recipe("def sell")["sell"]
    cut = Refusal(grpc.StatusCode.CANCELLED)
    gateway.expect("ConfirmRedeem", *[cut] * 8, response("ConfirmRedeem", State.TRANSACTION_STATE_CONFIRMED))
    with Client(address, plaintext=True, policy=time.policy(), sleep=time.sleep) as client:
        first = await asyncio.to_thread(sell, client, "t", PAN)
        assert first.startswith("sold; keep t and call again: This is no failed payment")
        assert await asyncio.to_thread(sell, client, "t", PAN) == "sold"
        gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_CONFIRMED))
        assert await asyncio.to_thread(sell, client, "t", PAN) == "sold"
        gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_DECLINED))
        assert (await asyncio.to_thread(sell, client, "t", PAN)).startswith("not sold: Ask for another card")


async def test_the_readmes_recipe_for_a_reversal(
    address: str, gateway: ScriptedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cancel` reverses, and prints what a refusal says."""
    cancel = recipe("def cancel")["cancel"]
    gateway.expect("ReverseRedeem", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REVERSAL_UNSUPPORTED"))
    with Client(address, plaintext=True) as client:
        await asyncio.to_thread(cancel, client, "t")
    assert "REVERSAL_UNSUPPORTED" in capsys.readouterr().out
