"""The contract's five chores: generate the Python stubs, check them, lint, look for breaks, release.

protoc comes from grpcio-tools, buf from buf-bin and Google's own .proto files from googleapis-common-protos,
all as installed, so no chore needs a network. What the contract says is in `giftcard/v1`, not here.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
STUBS = PROTOS.parent / "clients" / "python" / "src"
RELEASED = PROTOS / "released.binpb"
PACKAGE = Path("giftcard", "v1")
SERVICE_CONFIG = "grpc_service_config.json"
SCRIPTS = Path(sysconfig.get_path("scripts"))


def find_package(name: str) -> Path:
    """Return the folder of an installed package."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise click.ClickException(f"{name} is not installed here; run `make install`.")
    return Path(next(iter(spec.submodule_search_locations)))


def compile_contract(*options: str, pattern: str = "*.proto") -> None:
    """Run protoc over the contract; its own messages say what is wrong, then the process ends with 1."""
    roots = (PROTOS, find_package("grpc_tools") / "_proto", find_package("google.api").parents[1])
    files = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / PACKAGE).glob(pattern))
    if protoc.main(["protoc", *(f"-I{root}" for root in roots), *options, *files]):
        raise SystemExit(1)


def write_image(image: Path, *options: str) -> None:
    """Write the contract, with everything it imports, as one descriptor set: what buf reads."""
    compile_contract("--include_imports", f"--descriptor_set_out={image}", *options)


def read_files(image: Path) -> Iterator[FileDescriptorProto]:
    """Yield the contract's own files from an image, without what they import."""
    for file in FileDescriptorSet.FromString(image.read_bytes()).file:
        if file.package == "giftcard.v1":
            yield file


def write_namespace(folder: Path, image: Path) -> None:
    """Write `giftcard/v1/__init__.py`, so that `giftcard.v1.Transaction` needs no knowledge of files."""
    names = {
        f"{Path(file.name).stem}_pb2": sorted(
            [message.name for message in file.message_type] + [enum.name for enum in file.enum_type]
        )
        for file in read_files(image)
        # One with an extension only has nothing to hand on.
        if file.message_type or file.enum_type
    }
    lines = ['"""Every message and enum of the contract. Made by `protos/contract.py`; do not edit."""', ""]
    for module, members in sorted(names.items()):
        lines += [f"from giftcard.v1.{module} import (", *(f"    {name}," for name in members), ")"]
    everything = sorted(name for members in names.values() for name in members)
    lines += ["", "__all__ = [", *(f'    "{name}",' for name in everything), "]", ""]
    (folder / PACKAGE / "__init__.py").write_text("\n".join(lines), encoding="utf-8")


def write_stubs(folder: Path) -> None:
    """Write all stubs below a folder, as `giftcard/v1/...`.

    The types come from mypy-protobuf: unlike protoc's own they know enums apart and carry our comments.
    """
    (folder / PACKAGE).mkdir(parents=True, exist_ok=True)
    for kind, pattern in (("", "*.proto"), ("_grpc", "*_service.proto")):
        plugin = f"--plugin=protoc-gen-mypy{kind}={SCRIPTS / f'protoc-gen-mypy{kind}'}"
        code = f"--{kind.lstrip('_')}{'_' if kind else ''}python_out={folder}"
        compile_contract(plugin, code, f"--mypy{kind}_out=quiet:{folder}", pattern=pattern)
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "contract.binpb")
        write_image(image)
        write_namespace(folder, image)


def read_stubs(folder: Path) -> dict[str, bytes]:
    """Return what a folder holds of the stubs, by file name."""
    return {path.name: path.read_bytes() for path in (folder / PACKAGE).glob("*.py*") if path.is_file()}


def run_buf(*arguments: str) -> None:
    """Run buf; its own messages say what is wrong, then the process ends with buf's code."""
    command = [str(SCRIPTS / "buf"), *arguments, "--config", str(PROTOS / "buf.yaml")]
    ended = subprocess.run(command, check=False, cwd=PROTOS)  # noqa: S603 - our own buf, our own arguments
    if ended.returncode:
        raise SystemExit(ended.returncode)


@click.group(help=__doc__)
def main() -> None:
    """Gather the chores."""


@main.command()
def generate() -> None:
    """Write the Python stubs anew; stubs of files that are gone go too."""
    for path in (STUBS / PACKAGE).glob("*_pb2*"):
        path.unlink()
    write_stubs(STUBS)
    # The client sets its channel up by the contract's own service config, so it ships a copy.
    (STUBS / "giftcard" / SERVICE_CONFIG).write_bytes((PROTOS / SERVICE_CONFIG).read_bytes())


@main.command()
def check() -> None:
    """Fail if the committed stubs are not those of the contract."""
    with tempfile.TemporaryDirectory() as scratch:
        write_stubs(Path(scratch))
        expected, found = read_stubs(Path(scratch)), read_stubs(STUBS)
    stale = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if stale:
        raise click.ClickException(f"{', '.join(stale)}: not what the contract makes; run `make protos`.")


@main.command()
def lint() -> None:
    """Fail if the contract breaks a rule of buf.yaml, or is not formatted as buf formats it."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "contract.binpb")
        write_image(image, "--include_source_info")
        run_buf("lint", str(image), "--path", "giftcard")
    run_buf("format", ".", "--diff", "--exit-code")


@main.command()
def breaking() -> None:
    """Fail if the contract would break a caller of the last release."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "contract.binpb")
        write_image(image, "--include_source_info")
        against = ["--against", str(RELEASED), "--against-config", str(PROTOS / "buf.yaml")]
        run_buf("breaking", str(image), *against, "--path", "giftcard")


@main.command()
def release() -> None:
    """Make the contract as it stands the last release. A decision of the project's owner, not of a build."""
    write_image(RELEASED)


if __name__ == "__main__":
    sys.exit(main())
