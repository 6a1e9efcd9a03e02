"""The command that begins a new adapter: new-adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_conformance.skeleton import SkeletonError, draw, is_checkout, write
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo

if TYPE_CHECKING:
    from giftcard_conformance.skeleton import Skeleton


@click.command("new-adapter")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write into; if left out, this one in a checkout of the gateway, else giftcard-NAME.",
)
def new_adapter(name: str, into: Path | None) -> None:
    """Write the skeleton of an adapter for a new provider, such as acme-cards.

    In a checkout of the gateway it becomes a part of it; anywhere else, a package of its own. No
    operation is in it: its tests fail, and say what to write.
    """
    folder = into or (Path() if is_checkout(Path()) else Path(f"giftcard-{name}"))
    in_checkout = is_checkout(folder)
    try:
        skeleton = draw(name, in_checkout=in_checkout)
        write(skeleton, folder)
    except SkeletonError as fault:
        raise CannotDo(str(fault)) from None
    for path in skeleton.files:
        out.print(str(folder / path), markup=False)
    err.print(_next(skeleton, folder, in_checkout=in_checkout), markup=False)


def _next(skeleton: Skeleton, folder: Path, *, in_checkout: bool) -> str:
    tests = (
        f"pytest tests/conformance tests/adapters -k {skeleton.module} --tb=line"
        if in_checkout
        else f"cd {folder} && pip install -e . pytest pytest-asyncio && pytest --tb=line"
    )
    steps = [
        f"{tests}\nIt fails, and each failure says what to write. Write it, and run it again.",
        "docs/adding-a-provider.md leads through it, and says what an adapter promises.",
        f"When it passes, paste this into gateway.toml:\n\n{skeleton.stanza()}",
    ]
    if in_checkout:
        steps.append("A SANDBOX in its simulator's package lets it join `serve --sandbox`.")
    return "\nNext:\n" + "\n".join(
        f"{number}. {step}".replace("\n", "\n   ").rstrip() for number, step in enumerate(steps, 1)
    )
