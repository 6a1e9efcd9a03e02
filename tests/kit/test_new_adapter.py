"""What `new-adapter` writes: whole, clean, honest, and never over something that is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from giftcard_conformance.skeleton import draw
from giftcard_gateway.cli import command_line
from tests.conftest import ROOT
from tests.e2e.processes import run
from tests.kit.packages import EXAMPLE, NAME, python, run_tests

SENTENCES = (
    "AcmeCards has no money method: write at least one, under @traits(...)",
    "AcmeCards lacks what the descriptor expects of it; write, under @traits(...), redeem as N",
    "write AcmeCards.facts: for operators, what is special or assumed at this provider",
    "write AcmeCardsSimulator.answer: Execute one request and answer it",
    "write AcmeCardsSimulator.tamper: Return `answer` with another amount in it",
    "write a Sample of REDEEM: one operation the simulator approves, and one it declines",
    "AcmeCards has no redeem: write it, or take this golden away",
)
NAMES = ("acme-cards", "zeta", "a1", "money-2-go", "longest-name-of-them")
CHECKED_OUT = (
    "pyproject.toml",
    "tests/adapters/test_golden.py",
    "tests/conformance/descriptors.py",
    "tests/conformance/test_conformance.py",
    "tests/specs/formats.py",
    "tests/specs/gr4vy_sdk.py",
    "tests/specs/schemas.py",
    "tests/specs/validating.py",
)
LINTERS = (("check", "--quiet"), ("format", "--check", "--quiet"))


def new_adapter(name: str, folder: Path) -> int:
    """Run the command inside this process, and return its exit code."""
    return command_line(["new-adapter", name, "--into", str(folder)], {})


def checkout(folder: Path) -> Path:
    """Copy as much of this repository as its adapters' tests need."""
    junk = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "adapters", folder / "adapters", ignore=junk)
    for path in CHECKED_OUT:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def test_a_package_fails_with_sentences(tmp_path: Path) -> None:
    """The tests of a new package fail, and each failure says what to write."""
    ended = run("new-adapter", NAME, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    tests = run_tests(tmp_path / "giftcard-acme-cards", {"PYTHONPATH": "."})
    assert tests.returncode == 1, tests.stdout + tests.stderr
    assert [sentence for sentence in SENTENCES if sentence not in tests.stdout] == []


def test_a_part_of_a_checkout_fails_with_sentences(tmp_path: Path) -> None:
    """In a checkout of the gateway, the suite and the golden runner find the new adapter by themselves."""
    folder = checkout(tmp_path)
    ended = run("new-adapter", NAME, folder=folder)
    assert ended.returncode == 0, ended.stderr
    tests = run_tests(folder, {"PYTHONPATH": "adapters"}, "tests", "-k", "acme_cards")
    assert tests.returncode == 1, tests.stdout + tests.stderr
    assert [sentence for sentence in SENTENCES if sentence not in tests.stdout] == []


def test_it_says_what_is_next(tmp_path: Path) -> None:
    """The command lists its files, and tells how to test, where to read on, and the stanza to paste."""
    ended = run("new-adapter", NAME, folder=tmp_path)
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {Path(line) for line in ended.stdout.splitlines()} == files - {Path("stdout"), Path("stderr")}
    assert "docs/adding-a-provider.md" in ended.stderr
    stanza = ended.stderr.partition("gateway.toml:")[2]
    (adapter,) = tomllib.loads(stanza)["providers"].values()
    assert adapter["adapter"] == "giftcard_acme_cards:AcmeCards"
    assert adapter["settings"]["api_key"] == {"env": "ACME_CARDS_API_KEY"}


def test_the_example_is_a_skeleton_filled_in() -> None:
    """The example in this repository has every file that the command writes."""
    drawn = draw(NAME, in_checkout=False)
    assert [path for path in drawn.files if not (EXAMPLE / path).is_file()] == []


@pytest.mark.parametrize("in_checkout", [True, False], ids=["checkout", "package"])
def test_the_guide_names_every_file(*, in_checkout: bool) -> None:
    """docs/adding-a-provider.md says of each file, or of its folder, what it is."""
    guide = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
    for path in draw(NAME, in_checkout=in_checkout).files:
        is_plumbing = path.name in {"__init__.py", "py.typed", "pyproject.toml"}
        assert is_plumbing or f"`{path}`" in guide or f"`{path.parent}/`" in guide, path


@pytest.mark.parametrize("in_checkout", [True, False], ids=["checkout", "package"])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_clean(name: str, tmp_path: Path, *, in_checkout: bool) -> None:
    """Whatever the name, ruff has nothing to say about the files, under all the rules of this house."""
    for path, text in draw(name, in_checkout=in_checkout).files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    config = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    package = f"giftcard_{name.replace('-', '_')}"
    first_party = ("--config", f"lint.isort.known-first-party = ['{package}']")
    for words in LINTERS:
        mine = first_party if words[0] == "check" and not in_checkout else ()
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *words, *config, *mine, "."],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_its_types_are_strict(tmp_path: Path) -> None:
    """Strict mypy has nothing to say about a new package."""
    assert new_adapter(NAME, tmp_path) == 0
    python("-m", "mypy", "--cache-dir", "cache", folder=tmp_path)


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file that is there keeps the whole skeleton away, and is named."""
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    assert new_adapter(NAME, tmp_path) == 2
    assert "nothing was written, because this is there already: README.md" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_no_module_is_hidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An adapter cannot take the name of a module that is there: its package would hide it."""
    folder = checkout(tmp_path)
    assert new_adapter("exchange", folder) == 2
    assert "adapters/giftcard_adapters/exchange.py" in capsys.readouterr().err
    assert not (folder / "adapters/giftcard_adapters/exchange").exists()


@pytest.mark.parametrize(
    "name", ["Acme", "acme_cards", "-acme", "acme--cards", "1st", "", "a/b", f"{NAMES[-1]}s"]
)
def test_a_name_has_a_form(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that could not be a package's is refused with an example of a good one."""
    assert command_line(["new-adapter", "--into", str(tmp_path), "--", name], {}) == 2
    assert "such as acme-cards" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["class", "gateway", "provider", "bank"])
def test_a_name_has_no_other_meaning(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that Python, the gateway or the skeleton uses is refused with a way out."""
    assert new_adapter(name, tmp_path) == 2
    assert f"such as {name}-cards" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be written is a sentence, and leaves no file behind."""
    (tmp_path / "tests").write_text("a file where a folder must be", encoding="utf-8")
    assert new_adapter(NAME, tmp_path) == 2
    assert str(tmp_path / "tests") in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "tests"]


def test_a_simulator_is_served_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`simulate` says what a new simulator lacks, and what it cannot find."""
    assert new_adapter("half-done", tmp_path) == 0
    monkeypatch.syspath_prepend(tmp_path)
    assert command_line(["simulate", "giftcard_half_done.simulator:HalfDoneSimulator"], {}) == 2
    assert "is not whole yet: write answer, tamper" in capsys.readouterr().err
    assert command_line(["simulate", "giftcard_half_done.nowhere:X"], {}) == 2
    assert "cannot be found; it is named as module:Class" in capsys.readouterr().err
