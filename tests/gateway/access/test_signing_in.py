"""Several ways to sign in at once: which counts, and what is refused whatever else is shown."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import msgspec
import pytest

from giftcard_gateway.access.identities import ANONYMOUS, LOCAL, SignIn
from giftcard_gateway.access.signing_in import Shown, SigningIn, WrongCredentials
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import CredentialsInvalid, RateLimited
from tests.gateway.access.issuing import STRANGER, Issuing

TILL = Grant(name="till-7", scopes=(Scope.MONEY,))
OTHER = Grant(name="till-8", scopes=(Scope.MONEY,))
NAMES = {"spiffe://shop/till-7": TILL, "till-7.shop.example": TILL, "till-8.shop.example": OTHER}


@pytest.fixture
def issuing(tmp_path: Path) -> Issuing:
    """Give an issuer."""
    return Issuing(tmp_path)


@pytest.fixture
def signing_in(issuing: Issuing) -> SigningIn:
    """Give what takes tokens and certificates."""
    return SigningIn(anonymous=LOCAL, tokens=issuing.tokens, certificates=NAMES)


async def test_without_a_way_everybody_is_let_in() -> None:
    """Where nobody can sign in, whoever reaches the port is one identity with every scope."""
    for anonymous in (LOCAL, ANONYMOUS):
        identity = await SigningIn(anonymous=anonymous).identify(Shown())
        assert identity == anonymous
        assert (identity.scopes, identity.tenant, identity.is_limited) == (frozenset(Scope), "default", False)


async def test_a_certificate_is_known_by_its_names(signing_in: SigningIn) -> None:
    """Any of a certificate's names is enough, and two of one caller are one caller."""
    for names in (("spiffe://shop/till-7",), ("x.example", "till-7.shop.example", "spiffe://shop/till-7")):
        identity = await signing_in.identify(Shown(names=names))
        assert (identity.name, identity.sign_in) == ("till-7", SignIn.CERTIFICATE)


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        ((), "missing"),
        (("SPIFFE://SHOP/TILL-7",), "unknown"),
        (("*.shop.example",), "unknown"),
        (("till-7.shop.example", "till-8.shop.example"), "ambiguous"),
    ],
)
async def test_a_certificate_of_nobody(signing_in: SigningIn, names: tuple[str, ...], cause: str) -> None:
    """No name, a name that only resembles one, and names of two callers are refused."""
    with pytest.raises(CredentialsInvalid) as refused:
        await signing_in.identify(Shown(names=names))
    assert refused.value.cause == cause


async def test_a_token_counts_before_the_certificate(signing_in: SigningIn, issuing: Issuing) -> None:
    """Who sends a token is who it says; a wrong one is not made good by a certificate."""
    names = ("till-8.shop.example",)
    sent = (("authorization", f"bearer {issuing.token()}"),)
    assert (await signing_in.identify(Shown(metadata=sent, names=names))).sign_in is SignIn.TOKEN
    with pytest.raises(CredentialsInvalid):
        await signing_in.identify(Shown(metadata=(("authorization", "Bearer a.b.c"),), names=names))


@pytest.mark.parametrize(
    "values",
    [("Bearer",), ("Bearer ",), ("Basic dGlsbDp4",), ("",), ("Bearer ü",), ("TOKEN", "TOKEN"), ("gck_a_b",)],
)
async def test_a_header_that_is_no_bearer_token(
    signing_in: SigningIn, issuing: Issuing, values: tuple[str, ...]
) -> None:
    """Another scheme, an empty one, and the header sent twice are refused, whatever the certificate."""
    shown = [value.replace("TOKEN", f"Bearer {issuing.token()}") for value in values]
    metadata = tuple(("authorization", value) for value in shown)
    with pytest.raises(CredentialsInvalid) as refused:
        await signing_in.identify(Shown(metadata=metadata, names=("spiffe://shop/till-7",)))
    assert refused.value.cause == "malformed"


async def test_a_way_that_is_off_takes_nothing(issuing: Issuing) -> None:
    """A key where only tokens are taken, and a token where only certificates are, are refused."""
    for signing_in, text in (
        (SigningIn(anonymous=LOCAL, tokens=issuing.tokens), "gck_a_b"),
        (SigningIn(anonymous=LOCAL, certificates=NAMES), issuing.token()),
    ):
        with pytest.raises(CredentialsInvalid) as refused:
            await signing_in.identify(Shown(metadata=(("authorization", f"Bearer {text}"),)))
        assert refused.value.cause == "not_taken"


async def test_wrong_credentials_have_a_budget(issuing: Issuing) -> None:
    """A machine that used it up has nothing new checked, and what was found good before goes on (rule 20)."""
    limits = Limits(wrong_credentials=3, wrong_credential_every_s=10.0)
    signing_in = SigningIn(
        anonymous=LOCAL, tokens=issuing.tokens, wrong=WrongCredentials(limits, issuing.clock)
    )

    def shown(token: str, machine: str = "10.0.0.7") -> Shown:
        return Shown(metadata=(("authorization", f"Bearer {token}"),), machine=machine)

    seen, unseen, stranger = issuing.token(), issuing.token(sub="till-8"), issuing.token(STRANGER)
    await signing_in.identify(shown(seen))
    for _ in range(3):
        with pytest.raises(CredentialsInvalid):
            await signing_in.identify(shown(stranger))
    with mock.patch.object(issuing.tokens, "identify", wraps=issuing.tokens.identify) as checked:
        for token in (stranger, unseen):
            with pytest.raises(RateLimited) as refused:
                await signing_in.identify(shown(token))
            assert refused.value.retry_after_s == pytest.approx(10.0, abs=1.0)
        assert not checked.call_count
        assert (await signing_in.identify(shown(seen))).name == "till-7"
        assert (await signing_in.identify(shown(unseen, "10.0.0.8"))).name == "till-8"
    issuing.clock.skip(seconds=10)
    late = issuing.token(sub="till-9")
    assert (await signing_in.identify(shown(late))).name == "till-9"
    with pytest.raises(CredentialsInvalid):
        await signing_in.identify(shown(stranger))
    with pytest.raises(RateLimited):
        await signing_in.identify(shown(stranger))


async def test_good_credentials_cost_no_budget(issuing: Issuing) -> None:
    """Many callers behind one address may all sign in for the first time."""
    limits = Limits(wrong_credentials=1, wrong_credential_every_s=1000.0)
    signing_in = SigningIn(
        anonymous=LOCAL, tokens=issuing.tokens, wrong=WrongCredentials(limits, issuing.clock)
    )
    for number in range(5):
        sent = (("authorization", f"Bearer {issuing.token(sub=f'till-{number}')}"),)
        assert (await signing_in.identify(Shown(metadata=sent))).name == f"till-{number}"


def test_an_identity_never_changes() -> None:
    """An identity cannot be widened once it is made."""
    with pytest.raises(AttributeError):
        LOCAL.scopes = frozenset()  # type: ignore[misc]  # that it cannot is what is tested
    assert hash(msgspec.structs.replace(LOCAL)) == hash(LOCAL)
