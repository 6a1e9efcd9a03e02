"""The contract's chores, from its names in other languages to its releases.

protoc comes from grpcio-tools of the last protobuf major, in an environment of its own that `make install`
makes: a runtime serves the stubs of its own major and of the one before, so ours run on two. buf comes from
buf-bin and Google's own .proto files from googleapis-common-protos, all as installed, so no chore needs a
network. What the contract says is in `giftcard/v1`, not here.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import click
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

PROTOS = Path(__file__).resolve().parent
STUBS = PROTOS.parent / "clients" / "python" / "src"
RELEASES = PROTOS / "releases"
INCLUDE = PROTOS / "include"
PACKAGE = Path("giftcard", "v1")
GOOGLE = "googleapis-common-protos"
BESIDE = ("google/rpc/error_details.proto",)
"""What no file of ours imports, but everybody needs who reads our errors."""

OWNER = "giftcardgateway.example"
"""Whose contract it is, as a domain; every language's package is named after it. A placeholder: change it
here, then run `make protos`."""
SERVICE_CONFIG = "grpc_service_config.json"
SCRIPTS = Path(sysconfig.get_path("scripts"))
GENERATOR = SCRIPTS.parent / "stubs" / SCRIPTS.name / "python"
"""The interpreter of the environment with protoc; `deploy/requirements/stubs.txt` says what is in it."""


def options_of(stem: str) -> str:
    """Return the file options that give a file of the contract its names in other languages."""
    words = OWNER.split(".")
    owner = "".join(part.title() for part in words[0].split("-"))
    title = "".join(part.title() for part in stem.split("_"))
    return "".join(
        f"option {name} = {value};\n"
        for name, value in (
            ("csharp_namespace", f'"{owner}.Giftcard.V1"'),
            ("go_package", f'"{OWNER}/giftcard-go/v1;giftcardv1"'),
            ("java_multiple_files", "true"),
            ("java_outer_classname", f'"{title}Proto"'),
            ("java_package", f'"{".".join(reversed(words))}.giftcard.v1"'),
            ("objc_class_prefix", '"GFC"'),
            ("php_namespace", f'"{owner}\\\\Giftcard\\\\V1"'),
            ("ruby_package", f'"{owner}::Giftcard::V1"'),
            ("swift_prefix", '"GiftcardV1"'),
        )
    )


def named(path: Path) -> str:
    """Return the text of a file of the contract with the options it should have."""
    return re.sub(
        r"(?:^option .*;\n)+",
        lambda _: options_of(path.stem),
        path.read_text(encoding="utf-8"),
        count=1,
        flags=re.MULTILINE,
    )


def find_package(name: str) -> Path:
    """Return the folder of an installed package."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise click.ClickException(f"{name} is not installed here; run `make install`.")
    return Path(next(iter(spec.submodule_search_locations)))


def compile_contract(*options: str, pattern: str = "*.proto", beside: Iterable[str] = ()) -> None:
    """Run protoc over the contract; its own messages say what is wrong, then the process ends with 1."""
    if not GENERATOR.exists():
        raise click.ClickException("The stubs' generator is not installed here; run `make install`.")
    roots = (PROTOS, find_package("google.api").parents[1])
    files = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / PACKAGE).glob(pattern))
    protoc = [str(GENERATOR), "-m", "grpc_tools.protoc", *(f"-I{root}" for root in roots)]
    ended = subprocess.run([*protoc, *options, *files, *beside], check=False)  # noqa: S603 - our own arguments
    if ended.returncode:
        raise SystemExit(1)


def write_image(image: Path, *options: str, beside: Iterable[str] = ()) -> None:
    """Write the contract, with everything it imports, as one descriptor set: what buf reads."""
    compile_contract("--include_imports", f"--descriptor_set_out={image}", *options, beside=beside)


def newest_release() -> Path:
    """Return the last released contract."""
    version = re.compile(r"giftcard-v1-(\d+)\.(\d+)\.(\d+)\.binpb")
    found = {
        tuple(map(int, match.groups())): path
        for path in RELEASES.iterdir()
        if (match := version.fullmatch(path.name))
    }
    return found[max(found)]


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
def include() -> None:
    """Put Google's files that the contract needs into `include`, with their licence; git ignores them."""
    shutil.rmtree(INCLUDE, ignore_errors=True)
    google = find_package("google.api").parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "contract.binpb")
        write_image(image, beside=BESIDE)
        names = [file.name for file in FileDescriptorSet.FromString(image.read_bytes()).file]
    for needed in names:
        # Every protoc brings google/protobuf itself.
        if needed.startswith("google/") and not needed.startswith("google/protobuf/"):
            target = INCLUDE / needed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(google / needed, target)
    licence = next(file for file in metadata.files(GOOGLE) or () if file.name == "LICENSE")
    shutil.copyfile(Path(str(licence.locate())), INCLUDE / "LICENSE")
    (INCLUDE / "README").write_text(
        f"From {GOOGLE} {metadata.version(GOOGLE)}, unchanged; put here by `make include`.\n",
        encoding="utf-8",
    )


@main.command()
def generate() -> None:
    """Write the owner's names and the Python stubs anew; stubs of files that are gone go too."""
    for path in sorted((PROTOS / PACKAGE).glob("*.proto")):
        path.write_text(named(path), encoding="utf-8")
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
    """Fail if the contract breaks a rule of buf.yaml, is not formatted as buf formats it, or is misnamed."""
    for path in sorted((PROTOS / PACKAGE).glob("*.proto")):
        if path.read_text(encoding="utf-8") != named(path):
            raise click.ClickException(f"{path.name}: not the owner's names; run `make protos`.")
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
        against = ["--against", str(newest_release()), "--against-config", str(PROTOS / "buf.yaml")]
        run_buf("breaking", str(image), *against, "--path", "giftcard")


@main.command("image")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def write_the_image(file: Path) -> None:
    """Write the contract as it stands into FILE, as a release has it: for Envoy and grpcurl."""
    write_image(file, "--include_source_info", beside=BESIDE)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def archive(folder: Path) -> None:
    """Pack the contract for teams without this repository into FOLDER: it builds where it is unpacked."""
    if not INCLUDE.is_dir():
        raise click.ClickException("Google's files are not in protos/include; run `make include`.")
    name = f"giftcard-v1-{metadata.version('giftcard-client')}"
    parts = [PROTOS / "README.md", PROTOS / "buf.yaml", PROTOS / "buf.gen.yaml", PROTOS / SERVICE_CONFIG]
    parts += [*(PROTOS / PACKAGE).glob("*.proto"), *INCLUDE.rglob("*"), newest_release()]
    members = {path.relative_to(PROTOS).as_posix(): path for path in parts if path.is_file()}
    members["LICENSE"] = PROTOS.parent / "LICENSE"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / f"{name}.tar.gz").open("wb") as target,
        gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member, path in sorted(members.items()):
            # The same bytes whoever packs it, and whenever.
            content = path.read_bytes()
            told = tarfile.TarInfo(f"{name}/{member}")
            told.size = len(content)
            tar.addfile(told, io.BytesIO(content))


@main.command()
def release() -> None:
    """Make the contract as it stands the last release. A decision of the project's owner, not of a build."""
    RELEASES.mkdir(exist_ok=True)
    image = RELEASES / f"giftcard-v1-{metadata.version('giftcard-client')}.binpb"
    write_image(image, "--include_source_info", beside=BESIDE)


if __name__ == "__main__":
    sys.exit(main())
