"""The real Envoy looks at tokens, set up by the words of deploy/envoy/README.md and docs/cells.md."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import grpc

from giftcard import read_error
from giftcard.stubs import Stubs
from giftcard_gateway.access.metadata import TENANT
from tests.conftest import ROOT
from tests.e2e.envoys import PAGE, Door, door, refusing
from tests.e2e.sandboxes import redemption
from tests.e2e.test_cells import PAN, TENANTS, prepared, serve_cell
from tests.e2e.test_cells_in_front import with_cells
from tests.e2e.test_workers import simulators
from tests.gateway.access.issuing import AUDIENCE, FIRST, ISSUER, STRANGER, Issuing
from tests.patience import PATIENCE_S

_CORS = '"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors\n'
BAD: dict[str, Callable[[Issuing], str]] = {
    "none": lambda _: "",
    "an API key": lambda _: "gck_4711_made-up",
    "of another's key": lambda issuing: issuing.token(STRANGER),
    "of another issuer": lambda issuing: issuing.token(iss="https://else.example"),
    "for another audience": lambda issuing: issuing.token(aud="somebody else"),
    "ended": lambda issuing: issuing.token(exp=int(issuing.clock.now().timestamp()) - 600),
    "without an end": lambda issuing: issuing.token(exp=None),
    "with an end of its own": lambda issuing: issuing.token()[:-8] + "AAAAAAAA",
}
UNKNOWN = (grpc.StatusCode.UNAUTHENTICATED, 401)
ENDS = {"for another audience": (grpc.StatusCode.PERMISSION_DENIED, 403)}
"""How they end, by gRPC and as JSON; the others as UNKNOWN."""


def with_tokens(text: str, keys: Path, folder: Path) -> str:
    """Return Envoy's configuration changed as the page says, with an issuer's keys beside it."""
    shutil.copyfile(keys, folder / "jwks.json")
    page = (ROOT / "deploy" / "envoy" / "README.md").read_text(encoding="utf-8")
    (looks,) = (one for one in re.findall(r"(?ms)^```yaml\n(.*?)^```$", page) if "jwt_authn" in one)
    looks = looks.replace("https://login.example", ISSUER).replace("[giftcard]", f'["{AUDIENCE}"]')
    assert text.count(_CORS) == 1
    return text.replace(_CORS, _CORS + textwrap.indent(looks, " " * 18))


def ended(front: Door, *metadata: tuple[str, str]) -> grpc.StatusCode:
    """Redeem at Envoy's address, and return how that ended."""
    with grpc.insecure_channel(f"127.0.0.1:{front.ports['plain']}") as channel:
        try:
            Stubs(channel).gift_cards.Redeem(redemption(PAN), metadata=metadata, timeout=PATIENCE_S)
        except grpc.RpcError as fault:
            return read_error(fault).code
    return grpc.StatusCode.OK


def test_only_a_good_token_gets_to_the_gateway(tmp_path: Path) -> None:
    """Any other ends at the door; a good one passes as it is, with the tenant that it names."""
    issuing = Issuing(tmp_path)
    good = issuing.token(FIRST, tenant="north")
    with ExitStack() as stack:
        port, asked = stack.enter_context(refusing(grpc.StatusCode.ABORTED))
        folder = tmp_path / "door"
        front = stack.enter_context(
            door(folder, port, changed=lambda text: with_tokens(text, issuing.file, folder))
        )
        for kind, make in BAD.items():
            signed = [("authorization", f"Bearer {token}")] if (token := make(issuing)) else []
            heard = ended(front, *signed, (TENANT, "south"))
            answer = front.ask("/v1/cards:balance", {}, dict(signed))
            assert (heard, answer.status) == ENDS.get(kind, UNKNOWN), kind
        page = {"origin": PAGE, "access-control-request-method": "POST"}
        assert front.ask("/v1/cards:balance", None, page, verb="OPTIONS").status == 200
        assert asked == []
        signed = [("authorization", f"Bearer {good}")]
        assert ended(front, *signed, (TENANT, "south")) == grpc.StatusCode.ABORTED
        assert front.ask("/v1/providers", headers=dict(signed)).status == 409
        assert [one.metadata["authorization"] for one in asked] == [f"Bearer {good}"] * 2
        assert [one.metadata[TENANT] for one in asked] == ["north"] * 2


async def test_a_token_finds_its_cell(tmp_path: Path) -> None:
    """Callers name nothing: the door reads the tenant from the token, and its own cell's gateway answers."""
    issuing = Issuing(tmp_path)
    cells = prepared(tmp_path, {cell: f"sqlite:///{tmp_path / cell}.db" for cell in TENANTS})
    file = tmp_path / "gateway.toml"
    issuer = f'[access.issuers.shop]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
    issuer += f'jwks_file = "{issuing.file}"\ntenant_claim = "tenant"\n\n[journal]\n'
    file.write_text(file.read_text(encoding="utf-8").replace("[journal]\n", issuer), encoding="utf-8")
    folder, ports = tmp_path / "door", cells.ports

    def changed(text: str) -> str:
        # First what comes second: each is put right behind the same filter.
        text = with_cells(text, ports["default"], ports["eu"], behind=_CORS)
        return with_tokens(text, issuing.file, folder)

    with ExitStack() as serving:
        serving.enter_context(simulators(tmp_path, ports["default"]))
        for cell in TENANTS:
            serve_cell(cells, cell, serving)
        front = serving.enter_context(door(folder, ports["default"], changed=changed))
        for tenant in TENANTS.values():
            token = issuing.token(FIRST, tenant=tenant)
            assert ended(front, ("authorization", f"Bearer {token}")) == grpc.StatusCode.OK
    assert {cell: await cells.tenants(cell) for cell in TENANTS} == {"default": {"south"}, "eu": {"north"}}
