"""`make clients`: every language's steps are taken, and what fails is told and ends with exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clients import __main__ as driver

GOOD = {"build": "true", "test": 'test -z "${GIFTCARD_TARGET:-}"', "live": "true"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of clients that holds none yet."""
    monkeypatch.setattr(driver, "CLIENTS", tmp_path)
    monkeypatch.setattr(driver, "LOGS", tmp_path / "logs")
    return tmp_path


def add(tree: Path, name: str, *, program: str = "true", more: str = "", **steps: str) -> Path:
    """Add a language whose steps are lines of a shell."""
    folder = tree / name
    folder.mkdir()
    lines = [f'name = "{name}"', f'programs = ["{program}"]', 'versions = "echo 1.0"', more, "[steps]"]
    lines += [f"{step} = '''{line}'''" for step, line in {**GOOD, **steps}.items()]
    (folder / "steps.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def taken(*arguments: str) -> Result:
    """Take the steps that need no gateway."""
    steps = [word for step in driver.STEPS if step != "live" for word in ("--step", step)]
    return CliRunner().invoke(driver.main, [*arguments, *steps])


def test_all_is_well(tree: Path) -> None:
    """Steps that end well make a table and exit code 0; a language that is not named is left out."""
    add(tree, "one")
    add(tree, "two", build="false")
    done = taken("one")
    assert done.exit_code == 0, done.output
    assert "two" not in done.output


def test_what_fails_is_told_and_ends_its_language(tree: Path) -> None:
    """A step that fails shows what it said, leaves the rest of its language out, and the others go on."""
    add(tree, "one", build="echo no such module; false", test="touch ../tested")
    add(tree, "two")
    done = taken()
    assert done.exit_code == 1
    assert "no such module" in done.output
    assert "two: test" in done.output
    assert not (tree / "tested").exists()


def test_a_missing_program_fails(tree: Path) -> None:
    """A language whose compiler is not there is told as missing, and does not pass."""
    add(tree, "one", program="no-such-compiler")
    done = taken()
    assert done.exit_code == 1
    assert "no-such-compiler is not on this machine" in done.output


def test_a_missing_program_may_be_left_out(tree: Path) -> None:
    """With --present a language that cannot be built is told and left out; with none left nothing passes."""
    add(tree, "one", program="no-such-compiler")
    assert taken("--present").exit_code == 1
    add(tree, "two")
    done = taken("--present")
    assert done.exit_code == 0, done.output
    assert "no-such-compiler is not on this machine" in done.output


@pytest.mark.parametrize(
    ("line", "stale"),
    [
        ("cp -r stubs/. $OUT", ""),
        ("echo new > $OUT/a.txt", "a.txt"),
        ("cp -r stubs/. $OUT; touch $OUT/b.txt", "b.txt"),
        ("true", "a.txt"),
    ],
)
def test_stale_stubs_fail(tree: Path, line: str, stale: str) -> None:
    """Stubs that differ from what the contract makes, are lacking or too many, fail by their names."""
    folder = add(tree, "one", more='stubs = "stubs"', generate=line)
    (folder / "stubs").mkdir()
    (folder / "stubs" / "a.txt").write_text("old\n", encoding="utf-8")
    done = taken()
    assert done.exit_code == (1 if stale else 0), done.output
    assert f"stale: {stale}" in done.output if stale else "stale" not in done.output


@pytest.mark.parametrize("more", ["lint_all = 1", "[steps.more]"])
def test_what_the_file_says_wrong_is_refused(tree: Path, more: str) -> None:
    """A key that nobody reads is refused with the file's name."""
    folder = add(tree, "one")
    text = (folder / "steps.toml").read_text(encoding="utf-8")
    (folder / "steps.toml").write_text(
        f"{more}\n{text}" if "=" in more else f"{text}\n{more}\n", encoding="utf-8"
    )
    done = taken()
    assert done.exit_code == 1
    assert "steps.toml" in done.output


def test_a_language_nobody_has_is_refused(tree: Path) -> None:
    """A name without a folder is refused with the names there are."""
    add(tree, "one")
    assert "there are one" in taken("two").output
