"""Options that several commands share, and the settings they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.loading import loading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from giftcard_gateway.config import Settings

Command = TypeVar("Command", bound="Callable[..., object]")

PORT = 50051
"""Where a sandbox's gateway listens, unless it is told otherwise; the simulators stand beside it."""
DATA = Path(".giftcard-sandbox")


def settings_options(command: Command) -> Command:
    """Add --config, --sandbox and --data."""
    for option in (
        click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            default=DATA,
            show_default=True,
            help="With --sandbox: the folder for its journal and keys.",
        ),
        click.option(
            "--sandbox", "is_sandbox", is_flag=True, help="Use simulated providers; needs no configuration."
        ),
        click.option(
            "--config",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="GIFTCARD_GATEWAY_CONFIG",
            show_envvar=True,
            help="The configuration, such as gateway.toml.",
        ),
    ):
        command = option(command)
    return command


def gateway_options(command: Command) -> Command:
    """Add --address, --ca and --token-file, for commands that ask a running gateway."""
    for option in reversed(
        (
            click.option(
                "--address",
                default="127.0.0.1:50051",
                show_default=True,
                envvar="GIFTCARD_GATEWAY_ADDRESS",
                show_envvar=True,
                help="The gateway to ask.",
            ),
            click.option(
                "--ca",
                default="",
                envvar="GIFTCARD_GATEWAY_CA",
                show_envvar=True,
                help="PEM file of its certificate's authority; without one TLS is for other machines only.",
            ),
            click.option(
                "--token-file",
                default="",
                envvar="GIFTCARD_GATEWAY_TOKEN_FILE",
                show_envvar=True,
                help="File with the token or API key to sign in with.",
            ),
        )
    ):
        command = option(command)
    return command


def port_option(command: Command) -> Command:
    """Add --port, which moves a whole sandbox."""
    return click.option(
        "--port",
        type=click.IntRange(1, 65535),
        default=PORT,
        show_default=True,
        help="A sandbox's gateway; its webhooks and simulators take ports above it.",
    )(command)


def read_settings(
    environ: Mapping[str, str],
    *,
    file: Path | None,
    is_sandbox: bool,
    data: Path,
    port: int = PORT,
) -> Settings:
    """Return the settings the options name; raises ConfigError or UsageError."""
    if is_sandbox and file is not None:
        raise click.UsageError("--sandbox brings its own settings: leave --config out.")
    if is_sandbox:
        with loading():  # settings load the adapters they name
            from giftcard_gateway.process import sandbox  # noqa: PLC0415 - the simulators are an extra

            return sandbox.settings(data, environ, SystemClock(), port)
    if port != PORT:
        raise click.UsageError("--port is for --sandbox: a configuration names its own in server.listen.")
    if file is None:
        raise click.UsageError("Give --config gateway.toml, or --sandbox to try things out.")
    with loading():
        from giftcard_gateway import config  # noqa: PLC0415 - settings load adapters, and few commands read any

        return config.load(file, environ)


def settings_with_keys(
    environ: Mapping[str, str],
    *,
    file: Path | None,
    is_sandbox: bool,
    data: Path,
    port: int = PORT,
) -> Settings:
    """Return the settings for a command that uses the keys: as `read_settings` does, wrapped keys opened."""
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data, port=port)
    with loading():
        from giftcard_gateway.process.sealing import with_open_keys  # noqa: PLC0415 - as above

    return with_open_keys(settings)
