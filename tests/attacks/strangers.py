"""Attacks of who has no credentials, wrong ones, or good ones for something else; callers sign in here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from giftcard import new_transaction_id, v1
from tests.attacks.target import calls, channel, outcome, told, watched
from tests.e2e.processes import run
from tests.e2e.sandboxes import Sandbox, redemption
from tests.gateway.access.issuing import AUDIENCE, ISSUER, STRANGER, Issuing
from tests.patience import PATIENCE_S

PAN = "6045000000000061"
OURS, THEIRS = "MERCHANT0000001", "MERCHANT0000002"
EVERY_SCOPE = ("money", "read", "secrets", "reports", "operate")
_ACCESS = "GIFTCARD_GATEWAY__ACCESS__"
_WRONG = 3000


def environment(folder: Path) -> dict[str, str]:
    """Return the settings of a gateway that takes API keys, and tokens of an issuer in the folder."""
    issuer = f"{_ACCESS}ISSUERS__SHOP__"
    return {
        f"{_ACCESS}API_KEYS": "true",
        f"{issuer}ISSUER": ISSUER,
        f"{issuer}AUDIENCE": AUDIENCE,
        f"{issuer}JWKS_FILE": str(Issuing(folder).file),
    }


def _keys(target: Sandbox, *arguments: str) -> str:
    """Run one of the commands for keys, and return what it says."""
    folder = target.data.parent
    at = ("--sandbox", "--data", "data")
    done = run("keys", *arguments, *at, folder=folder, environ=environment(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_key(target: Sandbox, name: str, merchant: str, *scopes: str) -> str:
    """Return a new key, which the gateway knows within a second."""
    words = [word for scope in scopes for word in ("--scope", scope)]
    return _keys(target, "create", name, "--merchant", merchant, *words)


def make_tenants_key(target: Sandbox, name: str, tenant: str) -> str:
    """Return a new key with which a tenant moves money and reads."""
    return _keys(target, "create", name, "--tenant", tenant, "--scope", "money", "--scope", "read")


def sent(credential: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that shows a credential."""
    return (("authorization", f"Bearer {credential}"),)


async def until_in(way: grpc.aio.Channel, credential: str, code: str) -> None:
    """Return once a credential is answered so."""
    async with asyncio.timeout(PATIENCE_S):
        while not (await listed(way, credential)).startswith(code):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.2)


async def listed(way: grpc.aio.Channel, credential: str) -> str:
    """Return how a list of providers ends, with a credential or with none."""
    request = v1.ListProvidersRequest()
    shown = sent(credential) if credential else ()
    return await outcome(calls(way).providers.ListProviders(request, timeout=20, metadata=shown))


async def no_or_wrong_credentials(target: Sandbox) -> str:
    """A list of providers without credentials, and with each wrong kind of them."""
    issuing = Issuing(target.data.parent)
    shown = {
        "none": "",
        "alg none": issuing.forged({"alg": "none", "kid": "one"}),
        "another issuer's": issuing.token(iss="https://elsewhere.example"),
        "another's key": issuing.token(STRANGER),
        "for another audience": issuing.token(aud="https://elsewhere.example"),
        "expired": issuing.token(exp=int(time.time()) - 3600),
        "no key": "gck_nobody_x",
    }
    key = make_key(target, "till-7", OURS, "read")
    async with channel(target.port) as way:
        await until_in(way, key, "OK")
        _keys(target, "revoke", key.split("_")[1])
        await until_in(way, key, "UNAUTHENTICATED")
        ended = {
            name: await listed(way, credential) for name, credential in {**shown, "revoked": key}.items()
        }
        good = await listed(way, issuing.token())
    return "; ".join(f"{name}: {how}" for name, how in {**ended, "a good one": good}.items())


async def another_merchants_money(target: Sandbox) -> str:
    """A stranger with every scope at another merchant lists, repeats, reverses, resolves and redelivers."""
    owner, stranger, reader = (
        make_key(target, "till-7", OURS, *EVERY_SCOPE),
        make_key(target, "till-8", THEIRS, *EVERY_SCOPE),
        make_key(target, "till-9", OURS, "read"),
    )
    till = v1.PointOfSale(merchant=v1.Merchant(merchant_id=OURS))
    issue = v1.IssueRequest(transaction_id=new_transaction_id(), provider="jeudimerci-sandbox")
    issue.point_of_sale.CopyFrom(till)
    issue.amount.currency_code, issue.amount.units = "EUR", 100
    redeem = redemption(PAN)
    redeem.point_of_sale.CopyFrom(till)
    async with channel(target.port) as way:
        for key in (owner, stranger, reader):
            await until_in(way, key, "OK")
        cards, kept = calls(way).gift_cards, calls(way).transactions

        async def end(call: Callable[..., Awaitable[object]], request: object, key: str = stranger) -> str:
            return await outcome(call(request, timeout=20, metadata=sent(key)))

        sold = [await end(cards.Issue, issue, owner), await end(cards.Redeem, redeem, owner)]
        theirs = await kept.ListTransactions(
            v1.ListTransactionsRequest(), timeout=20, metadata=sent(stranger)
        )
        its = redeem.transaction_id
        reversal: Any = v1.ReverseRedeemRequest(
            transaction_id=its, reason=v1.ReversalReason.REVERSAL_REASON_TIMEOUT
        )
        resolution: Any = v1.ResolveTransactionRequest(
            transaction_id=its, resolution=v1.Resolution.RESOLUTION_REVERSED, note="attack"
        )
        ended = {
            "sold": ", ".join(sold),
            "listed": str(len(theirs.transactions)),
            "repeats": await end(cards.Issue, issue),
            "reads": await end(kept.GetTransaction, v1.GetTransactionRequest(transaction_id=its)),
            "reverses": await end(cards.ReverseRedeem, reversal),
            "resolves": await end(kept.ResolveTransaction, resolution),
            "redelivers": await end(kept.RedeliverAdvice, v1.RedeliverAdviceRequest(transaction_id=its)),
            "without a scope": await end(cards.Redeem, redeem, reader),
        }
        read = v1.GetTransactionRequest(transaction_id=its)
        after = await kept.GetTransaction(read, timeout=20, metadata=sent(owner))
    state = v1.TransactionState.Name(after.transaction.state).removeprefix("TRANSACTION_STATE_")
    return "; ".join(f"{name}: {how}" for name, how in {**ended, "the sale is": state}.items())


async def wrong_tokens(target: Sandbox) -> str:
    """3,000 tokens signed by another's key, each a new one; who is known goes on beside them."""
    issuing = Issuing(target.data.parent)
    good, fresh = issuing.token(), issuing.token(sub="till-8")
    wrong = [issuing.token(STRANGER, sub=f"till-{place}") for place in range(_WRONG)]
    process = target.running.process.pid
    async with watched(target.port, process, sent(good)) as cost, channel(target.port) as way:
        ended = Counter(await asyncio.gather(*(listed(way, token) for token in wrong)))
        seen, unseen = await listed(way, good), await listed(way, fresh)
        await asyncio.sleep(1)
        later = await listed(way, fresh)
    return f"{told(ended)}; a known one: {seen}, a new one: {unseen}, a second later: {later}; {cost}"


STRANGERS: Mapping[str, Callable[[Sandbox], Awaitable[str]]] = {
    attack.__name__: attack for attack in (no_or_wrong_credentials, another_merchants_money, wrong_tokens)
}
