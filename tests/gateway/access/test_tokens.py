"""Bearer tokens: what is taken, what is refused, and how an issuer's keys are kept and renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import KeySet

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.identities import SignIn
from giftcard_gateway.access.jwks import Jwks
from giftcard_gateway.access.tokens import Tokens
from giftcard_gateway.config.access import Issuer, Scope
from giftcard_gateway.errors import CredentialsInvalid, IssuerUnreachable
from tests.gateway.access.issuing import (
    AUDIENCE,
    FIRST,
    ISSUER,
    SECOND,
    STRANGER,
    Issuing,
    TurnedClock,
    with_public_key,
)

HOSTILE: dict[str, tuple[Callable[[Issuing], str], str]] = {
    "no signature": (lambda one: one.forged({"alg": "none"}), "algorithm"),
    "no signature, spelled oddly": (lambda one: one.forged({"alg": "NoNe"}), "algorithm"),
    "no algorithm": (lambda one: one.forged({}), "malformed"),
    "an algorithm that is a list": (lambda one: one.forged({"alg": ["RS256"]}), "algorithm"),
    "the public key as a shared secret": (with_public_key, "algorithm"),
    "an algorithm that is not pinned": (lambda one: one.token(header={"alg": "PS256"}), "algorithm"),
    "a stranger's key under our kid": (lambda one: one.token(STRANGER), "signature"),
    "a key sent along": (
        lambda one: one.token(STRANGER, {"jwk": STRANGER.as_dict(private=False)}),
        "malformed",
    ),
    "a key elsewhere": (lambda one: one.token(STRANGER, {"jku": "https://evil.example/jwks"}), "signature"),
    "a kid that is a path": (lambda one: one.token(header={"kid": "../../../dev/null"}), "unknown"),
    "a kid that is SQL": (lambda one: one.token(header={"kid": "one' OR '1'='1"}), "unknown"),
    "a kid that is a number": (lambda one: one.forged({"alg": "RS256", "kid": 1}), "unknown"),
    "an empty signature": (lambda one: one.forged({"alg": "RS256", "kid": "one"}), "signature"),
    "another audience": (lambda one: one.token(aud="https://other.example"), "claim"),
    "no audience": (lambda one: one.token(aud=None), "claim"),
    "another issuer": (lambda one: one.token(iss="https://evil.example"), "issuer"),
    "an issuer that is a list": (lambda one: one.token(iss=[ISSUER]), "issuer"),
    "expired": (lambda one: one.token(exp=int(one.clock.now().timestamp()) - 31), "expired"),
    "no end": (lambda one: one.token(exp=None), "claim"),
    "an end that is no number": (lambda one: one.token(exp=float("nan")), "malformed"),
    "an end that is text": (lambda one: one.token(exp="tomorrow"), "malformed"),
    "not yet": (lambda one: one.token(nbf=int(one.clock.now().timestamp()) + 90), "claim"),
    "issued in the future": (lambda one: one.token(iat=int(one.clock.now().timestamp()) + 90), "claim"),
    "nobody": (lambda one: one.token(sub=None), "claim"),
    "a name that forges log lines": (lambda one: one.token(sub="till\nroot"), "claim"),
    "larger than any": (lambda one: one.token(padding="x" * 9000), "malformed"),
    "nested": (lambda one: one.forged({"alg": "RS256"}, b"x", b"[" * 5000), "malformed"),
    "two parts": (lambda _: "a.b", "malformed"),
    "five parts, as encrypted": (lambda _: "a.b.c.d.e", "malformed"),
    "no text at all": (lambda _: "..", "malformed"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_token_is_refused(tmp_path: Path, name: str) -> None:
    """What no issuer of ours made, or made for others or another time, is refused and says why in a word."""
    make, cause = HOSTILE[name]
    issuing = Issuing(tmp_path)
    token = make(issuing)
    with pytest.raises(CredentialsInvalid) as refused:
        await issuing.identify(token)
    assert refused.value.cause == cause
    assert not any(len(part) > 3 and part in str(refused.value) for part in token.split("."))


async def test_a_good_token_is_an_identity(tmp_path: Path) -> None:
    """Name, tenant, scopes that we know and limits are read from the claims the operator named."""
    issuing = Issuing(
        tmp_path, tenant_claim="tenant", merchants_claim="merchants", operations_claim="operations"
    )
    identity = await issuing.identify(
        issuing.token(tenant="shop", merchants=["M-1", "M-2"], operations="redeem ISSUE juggle")
    )
    assert (identity.name, identity.tenant, identity.sign_in) == ("till-7", "shop", SignIn.TOKEN)
    assert identity.scopes == {Scope.MONEY, Scope.READ}
    assert identity.merchants == frozenset({"M-1", "M-2"})
    assert identity.operations == frozenset({Operation.REDEEM, Operation.ISSUE})
    assert identity.providers is None


@pytest.mark.parametrize("claim", [None, 7])
async def test_a_limit_that_is_missing_is_no_licence(tmp_path: Path, claim: Any) -> None:  # noqa: ANN401 - any claim
    """A token without the claim that is to limit it is refused: it does not get everything."""
    issuing = Issuing(tmp_path, merchants_claim="merchants")
    with pytest.raises(CredentialsInvalid):
        await issuing.identify(issuing.token(merchants=claim))
    assert (await issuing.identify(issuing.token(merchants=[]))).merchants == frozenset()


async def test_the_clock_may_be_off(tmp_path: Path) -> None:
    """A token within `leeway_s` of its times is taken, one beyond is not."""
    issuing = Issuing(tmp_path, leeway_s=30.0)
    now_s = int(issuing.clock.now().timestamp())
    await issuing.identify(issuing.token(nbf=now_s + 20, iat=now_s + 20))
    await issuing.identify(issuing.token(exp=now_s - 20))
    cases: list[dict[str, Any]] = [{"nbf": now_s + 40}, {"iat": now_s + 40}, {"exp": now_s - 40}]
    for beyond in cases:
        with pytest.raises(CredentialsInvalid):
            await issuing.identify(issuing.token(**beyond))


async def test_a_token_ends_although_it_is_remembered(tmp_path: Path) -> None:
    """A token that was found good is refused from its end on."""
    issuing = Issuing(tmp_path, leeway_s=1.0)
    token = issuing.token()
    await issuing.identify(token)
    issuing.clock.skip(seconds=602)
    with pytest.raises(CredentialsInvalid):
        await issuing.identify(token)


async def test_keys_rotate(tmp_path: Path) -> None:
    """A token under a new key has the keys read again; one under a withdrawn key ends with `cache_s`."""
    issuing = Issuing(tmp_path)
    old = issuing.token()
    await issuing.identify(old)
    issuing.publish(SECOND)
    issuing.clock.skip(seconds=6)
    await issuing.identify(issuing.token(SECOND, {"kid": "two"}))
    await issuing.identify(old)
    issuing.clock.skip(seconds=301)
    with pytest.raises(CredentialsInvalid) as refused:
        await issuing.identify(old)
    assert refused.value.cause == "unknown"


async def test_unknown_keys_cannot_make_us_ask(tmp_path: Path) -> None:
    """A crowd of tokens under keys nobody has leads to one question in five seconds."""
    asked = 0
    issuing = Issuing(tmp_path)

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response(KeySet([FIRST]).as_dict(private=False))

    application = web.Application()
    application.router.add_get("/jwks", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    clock = TurnedClock()
    settings = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=url)
    tokens = Tokens([(settings, Jwks(settings, clock))], clock)
    try:
        crowd = [tokens.identify(issuing.token(header={"kid": f"k{number}"})) for number in range(50)]
        told = await asyncio.gather(*crowd, return_exceptions=True)
        assert all(isinstance(one, CredentialsInvalid) for one in told)
        assert asked == 1
        clock.skip(seconds=6)
        await asyncio.gather(
            *(tokens.identify(issuing.token(header={"kid": f"n{number}"})) for number in range(50)),
            return_exceptions=True,
        )
        assert asked == 2
        assert (await tokens.identify(issuing.token())).name == "till-7"
    finally:
        await tokens.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    "content", ["", "{", '{"keys": 7}', '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}']
)
async def test_keys_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    """Without keys nobody is let in and it is said that asking again helps; keys that were read stay."""
    issuing = Issuing(tmp_path)
    await issuing.identify(issuing.token())
    issuing.file.write_text(content, encoding="utf-8")
    issuing.clock.skip(seconds=301)
    await issuing.identify(issuing.token(jti="another"))
    fresh = Issuing(tmp_path)
    fresh.file.write_text(content, encoding="utf-8")
    with pytest.raises(IssuerUnreachable):
        await fresh.identify(fresh.token())
