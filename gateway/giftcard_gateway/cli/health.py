"""The command that asks a running gateway whether it serves: health."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.loading import loading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from giftcard_gateway.config.tls import Chain

_SERVING = "SERVING"
_NOT_SERVING = 1
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound to it
"""Where one calls a listener that takes every address of its machine."""


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GIFTCARD_GATEWAY_CONFIG",
    show_envvar=True,
    help="The gateway's configuration; of it only [server] is read.",
)
@click.option("--address", help="Ask at this host:port instead, without TLS, as a sandbox listens.")
@click.option("--service", default="", help="A service's health name; without it, the whole gateway's.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 60),
    default=5,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@click.pass_context
def health(
    context: click.Context, /, file: Path | None, address: str | None, service: str, timeout_s: float
) -> None:
    """Ask a gateway on this machine whether it serves, over the listener that callers use.

    Exits with 0 when it does, with 1 and a word for why when it does not, and with 2 when settings are wrong.
    Where the listener has TLS, the certificate in its files is what is trusted; where that cannot be used, as
    the gateway then goes on with the one before, whatever it shows, unless it demands certificates itself.
    """
    chain: Chain | None = None
    if address is None:
        if file is None:
            raise click.UsageError(
                "Give --config gateway.toml, or --address host:port of a gateway without TLS."
            )
        address, chain = _listener(file, context.obj, timeout_s)
    with loading():
        from giftcard_gateway.rpc.health import ask_health  # noqa: PLC0415 - gRPC is imported only where it is asked

    told = ask_health(address, chain, service=service, timeout_s=timeout_s)
    click.echo(f"{address}: {told}")
    context.exit(0 if told == _SERVING else _NOT_SERVING)


def _listener(file: Path, environ: Mapping[str, str], timeout_s: float) -> tuple[str, Chain | None]:
    """Return where a configured gateway is reached from its own machine, and its certificate."""
    with loading():
        from giftcard_gateway import config  # noqa: PLC0415 - --address needs none
        from giftcard_gateway.config.tls import ChainUnusable, read_chain  # noqa: PLC0415 - as above
    server = config.load_server(file, environ)
    host, _, port = server.listen.rpartition(":")
    address = f"{_ANY.get(host, host)}:{port}"
    try:
        return address, read_chain(server.tls) if server.tls else None
    except ChainUnusable as unusable:
        faults = [f"server.tls.{key} {fault}" for key, fault in unusable.faults.items()]
    shown = None if server.tls is None or server.tls.client_ca_file else _shown(address, timeout_s)
    if shown is None:
        raise CannotDo(*faults)
    # A listener that has read better files before goes on with those, and must not seem to be gone.
    from giftcard_gateway.cli.console import complain  # noqa: PLC0415 - a supervisor asks every few seconds

    complain(faults)
    return address, shown


def _shown(address: str, timeout_s: float) -> Chain | None:
    """Return the certificate that a listener shows, whatever it is; None where it shows none."""
    from giftcard_gateway.config.tls import Chain  # noqa: PLC0415 - as above

    host, _, port = address.rpartition(":")
    try:
        pem = ssl.get_server_certificate((host.strip("[]"), int(port)), timeout=timeout_s)
    except OSError:
        return None
    return Chain(certificate=pem.encode("ascii"), key=b"", client_ca=None)
