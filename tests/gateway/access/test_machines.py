"""What a machine is counted as: an IPv6 address as its network, in every budget that goes by machines."""

from __future__ import annotations

import pytest
from aiohttp import web

from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.access.machines import Machines, counted_as, machine_of
from giftcard_gateway.access.shares import Shares
from giftcard_gateway.access.signing_in import WrongCredentials
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import CredentialsInvalid, Overloaded, RateLimited
from giftcard_gateway.http.bodies import Bodies

NETWORK = [f"2001:db8:0:7::{number:x}" for number in range(1, 6)]
NEIGHBOUR = "2001:db8:0:8::1"
DAY_S = 86_400.0
"""Between two tokens of a budget: on no machine one comes back while a test runs."""


@pytest.mark.parametrize(
    ("peer", "machine"),
    [
        ("ipv4:10.0.0.7:51234", "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:51234", "2001:db8::7"),
        ("ipv6:[2001:db8::7]:51234", "2001:db8::7"),
        ("unix:/run/gateway.sock", "unix:/run/gateway.sock"),
    ],
)
def test_a_peer_is_told_without_its_port(peer: str, machine: str) -> None:
    """The audit has the whole address, however gRPC writes it."""
    assert machine_of(peer) == machine


@pytest.mark.parametrize(
    ("peer", "said", "machine"),
    [
        ("ipv4:10.0.0.7:5", ["198.51.100.4"], "198.51.100.4"),
        ("ipv4:10.0.0.7:5", ["203.0.113.9, 198.51.100.4"], "198.51.100.4"),
        ("ipv4:10.0.0.7:5", ["203.0.113.9", "198.51.100.4"], "198.51.100.4"),
        ("ipv4:10.0.0.7:5", ["203.0.113.9,198.51.100.4 , 10.0.0.8"], "198.51.100.4"),
        ("ipv4:10.0.0.7:5", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ("ipv4:10.0.0.7:5", ["2001:db8::1"], "2001:db8::1"),
        ("ipv4:10.0.0.7:5", ["::ffff:198.51.100.4"], "198.51.100.4"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:5", ["198.51.100.4"], "198.51.100.4"),
        ("ipv6:%5B2001:db8:0:7::1%5D:5", ["198.51.100.4"], "198.51.100.4"),
        ("ipv4:10.0.0.7:5", [], "10.0.0.7"),
        ("ipv4:10.0.0.7:5", ["", " , "], "10.0.0.7"),
        ("ipv4:10.0.0.7:5", ["198.51.100.4, somebody"], "10.0.0.7"),
        ("ipv4:10.0.0.7:5", ["198.51.100.4, somebody, 10.0.0.8"], "10.0.0.8"),
        ("ipv4:10.0.0.7:5", ["198.51.100.4:443"], "10.0.0.7"),
        ("ipv4:192.0.2.1:5", ["198.51.100.4"], "192.0.2.1"),
        ("ipv6:%5B2001:db8:0:8::1%5D:5", ["198.51.100.4"], "2001:db8:0:8::1"),
        ("unix:/run/gateway.sock", ["198.51.100.4"], "unix:/run/gateway.sock"),
    ],
)
def test_a_trusted_proxy_says_whose_call_it_is(peer: str, said: list[str], machine: str) -> None:
    """The nearest machine that is no proxy of ours counts; what stands before it anybody could write."""
    machines = Machines(["10.0.0.0/24", "2001:db8:0:7::/64"])
    metadata = [("authorization", "Bearer x"), *(("x-forwarded-for", one) for one in said)]
    assert machines.of(peer, metadata) == machine
    assert Machines().of(peer, metadata) == machine_of(peer)


def test_the_prefix_is_the_operators() -> None:
    """With 128 bits each address is counted by itself, with fewer a larger network is one."""
    assert counted_as(NETWORK[0], 128) == f"{NETWORK[0]}/128"
    assert counted_as(NETWORK[0], 48) == counted_as(NEIGHBOUR, 48) == "2001:db8::/48"
    assert counted_as("10.0.0.7", 48) == "10.0.0.7"
    assert counted_as("", 64) == ""


def test_wrong_credentials_of_a_network_draw_on_one_budget() -> None:
    """Another address of the same network brings no further tries; another network's are its own."""
    wrong = WrongCredentials(Limits(wrong_credentials=3, wrong_credential_every_s=DAY_S), SystemClock())
    for machine in NETWORK[:3]:
        with pytest.raises(CredentialsInvalid), wrong.checking(machine):
            raise CredentialsInvalid("wrong", cause="unknown")
    with pytest.raises(RateLimited), wrong.checking(NETWORK[3]):
        pytest.fail("its credential was looked at")
    with wrong.checking(NEIGHBOUR):
        pass


def test_the_shares_of_a_network_are_one() -> None:
    """Callers who do not sign in share what one may take, from whatever address of their network."""
    shares = Shares(Limits(calls_in_flight=1), SystemClock())
    first, second, other = (shares.caller(LOCAL, machine) for machine in (*NETWORK[:2], NEIGHBOUR))
    with shares.taken(first):
        with pytest.raises(Overloaded), shares.taken(second):
            pytest.fail("it was let in")
        with shares.taken(other):
            pass


def test_the_bodies_of_a_network_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks' bytes from many addresses of one network are held to what one address may hold."""
    monkeypatch.setattr("giftcard_gateway.http.bodies._MOST_BYTES_EACH", 10)
    bodies = Bodies(64)
    with bodies.reading(NETWORK[0]) as first, bodies.reading(NETWORK[1]) as second:
        first.add(b"12345678", most=100)
        with bodies.reading(NEIGHBOUR) as other:
            other.add(b"12345678", most=100)
        with pytest.raises(web.HTTPServiceUnavailable):
            second.add(b"12345678", most=100)
