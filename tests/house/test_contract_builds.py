"""The contract builds with the tools other teams use, from what a fresh clone has after `make install`."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protos import contract
from tests.conftest import ROOT

PROTOS = ROOT / "protos"
BUF = Path(sysconfig.get_path("scripts"), "buf")


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
