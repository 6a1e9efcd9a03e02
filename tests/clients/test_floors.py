"""The client on older libraries: the short form of `make floors`, beside the stubs' generator."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from pathlib import Path

import pytest

from giftcard import to_money, v1
from tests.clients.scripted import ScriptedGateway, State, response

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"
OLDER = Path(sys.prefix, "stubs", "bin", "python")
# What that environment lacks comes last, so that its own protobuf and grpcio are found first.
RUN = """
import runpy, sys
example, address, *last = sys.argv[1:]
sys.path += last
import google.protobuf
print(google.protobuf.__version__)
sys.argv = [example, address]
runpy.run_path(example, run_name="__main__")
"""


@pytest.mark.skipif(not OLDER.exists(), reason="the generator's environment is made by `make install` alone")
async def test_the_client_runs_on_the_protobuf_before(address: str, gateway: ScriptedGateway) -> None:
    """With the protobuf major before the newest the example redeems and confirms as it does here."""
    balances = v1.Balances(available=to_money("500", "ZAR"))
    gateway.expect("Balance", v1.BalanceResponse(card_balance=v1.CardBalance(balances=balances)))
    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_APPROVED))
    gateway.expect("ConfirmRedeem", response("ConfirmRedeem", State.TRANSACTION_STATE_CONFIRMED))
    last = (str(CLIENT / "src"), sysconfig.get_path("purelib"))
    process = await asyncio.create_subprocess_exec(
        *(str(OLDER), "-c", RUN, str(CLIENT / "examples" / "redeem.py"), address, *last),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    assert out.startswith(b"6.")
    assert gateway.names() == ["Balance", "Redeem", "ConfirmRedeem", "Balance"]
