"""The scripts beside the code: what a commit may be called, a release's notes, coverage by room."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deploy import commit_subject, release_check, release_notes, rooms_covered

CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-12-01

### Added

- A thing.

## [1.1.0]
"""
VERSIONS = {"pyproject.toml": "1.2.0", "clients/python/pyproject.toml": "1.2.0"}


@pytest.mark.parametrize(
    "message",
    [
        "Forward advices until final\n",
        "x" * 59 + "X",
        "Forward advices\n\nWhy, at any length: " + "x" * 100 + ".",
        "Forward advices\n# Please enter the message\n# On branch main",
        'Revert "' + "x" * 60 + '"\n\nThis reverts commit 1234.',
        "Merge branch 'a-long-name-that-nobody-would-choose-twice-in-a-life-of-branches'",
    ],
)
def test_a_plain_subject_passes(message: str) -> None:
    """A subject of up to 60 characters passes, whatever the body, and so does what git itself writes."""
    assert list(commit_subject.faults(message[:1].upper() + message[1:])) == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("", "empty"),
        ("# only git's own lines", "empty"),
        ("X" * 61, "61 characters"),
        ("Forward advices.", "period"),
        ("WIP", "finish"),
        ("wip: advices", "finish"),
        ("fixup! Forward advices", "finish"),
        ("squash! Forward advices", "finish"),
        ("forward advices", "small letter"),
        ("Forward advices\nbecause", "second line"),
    ],
)
def test_a_bad_subject_is_refused(message: str, sentence: str) -> None:
    """A subject that is empty, long, unfinished or no heading is refused, with one sentence that says so."""
    (fault,) = commit_subject.faults(message)
    assert sentence in fault


@pytest.mark.parametrize(("message", "code"), [("Forward advices", 0), ("WIP", 1)])
def test_git_hears_of_a_bad_subject(tmp_path: Path, message: str, code: int) -> None:
    """The script reads the file that git names, and its exit code stops the commit."""
    file = tmp_path / "COMMIT_EDITMSG"
    file.write_text(message, encoding="utf-8")
    assert commit_subject.main([str(file)]) == code


def test_the_notes_are_the_section_of_the_tag() -> None:
    """A tag's notes are what the changelog says under its version, without the heading."""
    assert release_notes.notes("v1.2.0", CHANGELOG, VERSIONS) == "### Added\n\n- A thing.\n"


@pytest.mark.parametrize(
    ("tag", "versions", "sentence"),
    [
        ("1.2.0", VERSIONS, "looks like v1.2.3"),
        ("v1.2", VERSIONS, "looks like v1.2.3"),
        ("v1.2.0", VERSIONS | {"pyproject.toml": "1.1.9"}, "has version 1.1.9"),
        ("v1.1.0", dict.fromkeys(VERSIONS, "1.1.0"), "says nothing"),
        ("v9.0.0", dict.fromkeys(VERSIONS, "9.0.0"), "says nothing"),
    ],
)
def test_what_is_not_ready_is_not_released(tag: str, versions: dict[str, str], sentence: str) -> None:
    """A tag that is no version, not that of both distributions, or not in the changelog is refused."""
    with pytest.raises(release_notes.NotReleasable, match=sentence):
        release_notes.notes(tag, CHANGELOG, versions)


def test_both_distributions_have_one_version() -> None:
    """The server and the client are released together, so they have the same version."""
    assert len(set(release_notes.versions().values())) == 1


def test_coverage_is_added_up_by_room() -> None:
    """Lines and branches of the files in a room are added up, and those of all rooms at the end."""

    def summary(**counts: int) -> dict[str, dict[str, int]]:
        return {"summary": counts}

    report = {
        "files": {
            "gateway/giftcard_gateway/clock.py": summary(covered_lines=1, num_statements=2),
            "gateway/giftcard_gateway/journal/sqlite.py": summary(covered_lines=3, num_statements=3),
            "gateway/giftcard_gateway/journal/deep/x.py": summary(covered_branches=0, num_branches=1),
            "clients/python/src/giftcard/cards.py": summary(covered_lines=4, num_statements=4),
            "adapters/giftcard_adapters/py/empty.py": summary(covered_lines=0, num_statements=0),
        }
    }
    assert list(rooms_covered.table(report))[2:] == [
        "| clients/python/src/giftcard | 4 | 100.0% |",
        "| gateway/giftcard_gateway | 2 | 50.0% |",
        "| gateway/giftcard_gateway/journal | 4 | 75.0% |",
        "| **all** | 10 | 80.0% |",
    ]


def test_what_is_built_otherwise_is_named(tmp_path: Path) -> None:
    """Two builds are compared to the byte, and so are the files that only one of them has."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, texts in ((one, {"a": "1", "b": "2"}), (other, {"a": "1", "b": "3", "c": "4"})):
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text)
    assert release_check.differing(one, one) == []
    assert release_check.differing(one, other) == ["b", "c"]


@pytest.mark.parametrize("fault", ["sum", "unlisted", "parts"])
def test_a_release_that_is_not_whole_is_refused(tmp_path: Path, fault: str) -> None:
    """Each file that was built has its checksum, and one of them lists the parts."""
    (tmp_path / "x.whl").write_text("wheel")
    bill = {"bomFormat": "CycloneDX", "components": [] if fault == "parts" else [{"name": "grpcio"}]}
    (tmp_path / "x.cdx.json").write_text(json.dumps(bill))
    listed = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()}
    if fault == "sum":
        listed["x.whl"] = "0" * 64
    (tmp_path / "SHA256SUMS").write_text("".join(f"{told}  {name}\n" for name, told in listed.items()))
    if fault == "unlisted":
        (tmp_path / "y.whl").write_text("wheel")
    with pytest.raises(release_notes.NotReleasable):
        release_check.must_be_whole(tmp_path)
    (tmp_path / "y.whl").unlink(missing_ok=True)
    (tmp_path / "x.cdx.json").write_text(json.dumps({**bill, "components": [{"name": "grpcio"}]}))
    listed = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.glob("x.*")}
    (tmp_path / "SHA256SUMS").write_text("".join(f"{told}  {name}\n" for name, told in listed.items()))
    assert release_check.must_be_whole(tmp_path) == "2 files, 1 parts listed"
