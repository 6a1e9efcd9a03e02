"""The contract builds with the tools other teams use, from what a fresh clone has after `make install`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import click
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protos import contract
from tests.conftest import ROOT

PROTOS = ROOT / "protos"
BUF = Path(sysconfig.get_path("scripts"), "buf")
LEAST_FILES = {
    ".cc": ("cpp", 16),
    ".cs": ("csharp", 16),
    ".java": ("java", 200),
    ".kt": ("java", 100),
    ".m": ("objc", 16),
    ".php": ("php", 150),
    ".pyi": ("python", 16),
    ".rb": ("ruby", 16),
}
"""What `buf generate` makes at least, by suffix: the folder and how many."""


def ours() -> list[Path]:
    """Return the files of the contract."""
    return sorted((PROTOS / "giftcard").rglob("*.proto"))


@pytest.mark.parametrize("action", ["build", "lint"])
def test_buf_takes_the_folder(action: str) -> None:
    """`buf build` and `buf lint` in `protos` need no network and no argument."""
    done = subprocess.run([BUF, action], cwd=PROTOS, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_google_is_not_committed() -> None:
    """Google's files are put there with their licence, and git ignores them."""
    assert (PROTOS / "include" / "google" / "rpc" / "error_details.proto").is_file()
    assert "Apache License" in (PROTOS / "include" / "LICENSE").read_text(encoding="utf-8")
    assert "/protos/include/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_names_have_an_owner() -> None:
    """Every file has the owner's names for other languages, and the Go path is one that `go get` takes."""
    for path in ours():
        text = path.read_text(encoding="utf-8")
        assert text == contract.named(path)
        module = re.search(r'go_package = "([^/;]+)/', text)
        assert module is not None
        assert "." in module[1]


def test_the_release_can_be_read_alone() -> None:
    """The released image has its comments, all it imports, and what decodes our errors."""
    released = FileDescriptorSet.FromString(contract.newest_release().read_bytes())
    files = {file.name: file for file in released.file}
    assert {name for file in released.file for name in file.dependency} <= files.keys()
    assert "google/rpc/error_details.proto" in files
    service = files["giftcard/v1/gift_card_service.proto"]
    assert any(location.leading_comments for location in service.source_code_info.location)


def test_newest_is_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.10.0 is newer than 0.9.0."""
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        (tmp_path / f"giftcard-v1-{version}.binpb").touch()
    monkeypatch.setattr(contract, "RELEASES", tmp_path)
    assert contract.newest_release().name == "giftcard-v1-0.10.0.binpb"


def test_the_archive_builds_where_it_is_unpacked(tmp_path: Path) -> None:
    """The archive is the same bytes each time and has both licences; buf builds and generates from it."""
    for folder in ("one", "two"):
        pack(tmp_path / folder)
    (packed,) = (tmp_path / "one").iterdir()
    assert packed.read_bytes() == (tmp_path / "two" / packed.name).read_bytes()
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / packed.name.removesuffix(".tar.gz")
    assert (root / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "Apache License" in (root / "include" / "LICENSE").read_text(encoding="utf-8")
    environ = {**os.environ, "PATH": f"{BUF.parent}{os.pathsep}{os.environ['PATH']}"}
    for action in ("build", "generate"):
        done = subprocess.run(
            [BUF, action], cwd=root, capture_output=True, text=True, check=False, env=environ
        )
        assert (done.returncode, done.stderr) == (0, "")
    generated = {path.name: list(path.rglob("*")) for path in (root / "gen").iterdir()}
    assert set(generated) == {"cpp", "csharp", "java", "objc", "php", "python", "ruby"}
    for suffix, (folder, least) in LEAST_FILES.items():
        assert len([path for path in generated[folder] if path.suffix == suffix]) >= least, suffix
    for program, suffix, flag in (("php", ".php", "-l"), ("ruby", ".rb", "-c")):
        if shutil.which(program) is not None:
            for path in (root / "gen" / program).rglob(f"*{suffix}"):
                subprocess.run([program, flag, path], check=True, capture_output=True)


def test_an_archive_needs_what_it_includes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Google's files there is no archive, and the sentence says what to run."""
    monkeypatch.setattr(contract, "INCLUDE", tmp_path / "nowhere")
    with pytest.raises(click.ClickException, match="make include"):
        pack(tmp_path / "out")


def pack(folder: Path) -> None:
    """Pack the contract."""
    contract.archive.main([str(folder)], standalone_mode=False)
