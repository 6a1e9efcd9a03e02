"""Everything our pages, docstrings and comments cite is there, and a citation of what is not is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.house import citations, shelf
from tests.house.prose import Page, page, pages, spoken
from tests.house.source import text_of

Check = Callable[[Page], Iterator[str]]

CODE = "gateway/giftcard_gateway/pipeline/assembly.py"
PROTO = "protos/giftcard/v1/x.proto"
DOC = "docs/x.md"
PROVIDER = "docs/providers/x.md"
TOML = "deploy/x.toml"
ELECTRUM = "Adapter `giftcard_adapters.electrum:Electrum`.\n\n## Settings\n\n"
BESIDE = "shared"


@pytest.mark.parametrize("check", citations.CITATIONS, ids=lambda check: check.__name__)
def test_everything_cited_is_there(check: Check) -> None:
    """No page, docstring or comment cites what does not exist; what does is listed with its line."""
    broken = [sentence for each in pages() for sentence in check(each)]
    assert not broken, "\n" + "\n".join(broken)


def test_the_rules_are_numbered_without_a_gap() -> None:
    """docs/rules.md has rules 1 to the last, each once, and each has its row in the table at the end."""
    numbers = sorted(shelf.rules())
    assert numbers == list(range(1, len(numbers) + 1))
    rows = [
        line
        for line in text_of(shelf.RULES).splitlines()
        if line.startswith(tuple(f"| {n} |" for n in numbers))
    ]
    assert [int(row.split("|")[1]) for row in rows] == numbers


BROKEN: list[tuple[Check, str, str]] = [
    (citations.missing_rules, CODE, '"""It is so (rule 99)."""'),
    (citations.missing_rules, CODE, "x = 1  # rules 3 and 99"),
    (citations.missing_rules, PROTO, "// Rules 20 to 30 say why."),
    (citations.missing_rules, "Makefile", "# rules 1, 0 and 2"),
    (citations.missing_rules, DOC, "rule\n99"),
    (citations.missing_paths, CODE, '"""See docs/nowhere.md."""'),
    (citations.missing_paths, DOC, "`tests/nowhere`"),
    (citations.missing_paths, "pyproject.toml", "# made by deploy/nowhere.sh"),
    (citations.missing_tests, DOC, "`tests/house/test_citations.py::test_nothing`"),
    (citations.missing_tests, DOC, "`tests/adapters/transport/test_exchange.py::test_no_redirect`"),
    (citations.missing_tests, CODE, '"""As in tests/house/test_citations.py::test_nothing."""'),
    (citations.missing_links, DOC, "[there](nowhere.md)"),
    (citations.missing_links, DOC, "[there](../../out/of/here.md)"),
    (citations.missing_links, DOC, "[there](rules.md#99-nothing)"),
    (citations.missing_files, CODE, '"""How is in `nowhere.py`."""'),
    (citations.missing_files, CODE, '"""How is in nowhere.md."""'),
    (citations.missing_files, DOC, "`journal/nowhere.py`"),
    (citations.missing_files, DOC, "rules.md 99 says so"),
    (citations.missing_modules, CODE, '"""Values live in `giftcard_adapters.nowhere`."""'),
    (citations.missing_modules, CODE, "# see giftcard_adapters.values.secret.Nothing"),
    (citations.missing_modules, DOC, "`giftcard_adapters.electrum:Nothing`"),
    (citations.missing_modules, DOC, "python -m tests.nowhere"),
    (citations.missing_modules, DOC, "`giftcard.nothing.counted`"),
    (citations.missing_modules, DOC, "giftcard.v1.NoService/Redeem"),
    (citations.missing_modules, CODE, '"""The table is in `rpc.nowhere`."""'),
    (citations.missing_neighbours, CODE, '"""What is decided is in `nowhere`, the rest in `clock`."""'),
    (citations.missing_targets, CODE, '"""Run `make nothing`."""'),
    (citations.missing_targets, DOC, "```sh\nmake install nothing PYTHON=python3\n```"),
    (citations.missing_targets, ".github/workflows/x.yml", "      - run: make nothing"),
    (citations.missing_commands, DOC, "`giftcard-gateway nothing`"),
    (citations.missing_commands, DOC, "`giftcard-gateway transactions nothing`"),
    (citations.missing_commands, DOC, "```\n.venv/bin/giftcard-gateway serve --nothing\n```"),
    (citations.missing_commands, "Makefile", "\t$(BIN)/giftcard-gateway nothing"),
    (citations.missing_settings, CODE, '"""As `server.nothing` says."""'),
    (citations.missing_settings, DOC, "`[nothing]`"),
    (citations.missing_settings, DOC, "`[journal] nothing`"),
    (citations.missing_settings, DOC, "`[providers.spar.nothing]`"),
    (citations.missing_settings, DOC, "after `no_such_thing_" + "s`"),
    (citations.missing_settings, TOML, "# set GIFTCARD_GATEWAY__SERVER__NOTHING"),
    (citations.missing_settings, DOC, "GIFTCARD_NOTHING"),
    (citations.strange_keys, TOML, "[server]\nnothing = 1"),
    (citations.strange_keys, TOML, "[providers.spar.terms]\nnothing = 1"),
    (citations.strange_keys, TOML, "[[routing.rules]]\nnothing = 1"),
    (
        citations.strange_keys,
        DOC,
        '```toml\n[providers.x]\nadapter = "giftcard_adapters.gr4vy:Gr4vy"\nsettings = { nothing = 1 }\n```',
    ),
    (citations.strange_keys, PROVIDER, f"{ELECTRUM}| `password`, `nothing` | needed | x |\n"),
    (citations.outside, CODE, f"SPECS = '../{BESIDE}/specs'"),
    (citations.outside, CODE, f"SPECS = ROOT / '{BESIDE}' / 'specs'"),
    (citations.outside, DOC, "as seed " + "001 says"),
    (citations.outside, DOC, f"[there](../{BESIDE}/design/x.md)"),
]


@pytest.mark.parametrize(("check", "path", "text"), BROKEN)
def test_a_bad_citation_is_found(check: Check, path: str, text: str) -> None:
    """Each kind of citation of something that does not exist is found, with its line."""
    found = list(check(page(path, f"\n{text}\n")))
    assert found
    assert all(
        sentence.startswith(f"{path}:") and not sentence.startswith(f"{path}:1:") for sentence in found
    )


KEPT: list[tuple[Check, str, str]] = [
    (citations.missing_rules, CODE, '"""It is so (rules 3, 4 and 5; rule 22)."""'),
    (citations.missing_rules, CODE, "x = 'rule 99'  # a text, not a citation"),
    (citations.missing_rules, DOC, "the first rule of 99"),
    (citations.missing_paths, DOC, "docs/rules.md, tests/house/ and https://example.org/docs/nowhere"),
    (citations.missing_paths, DOC, "docs/providers/*.md and deploy/{name}.md"),
    (citations.missing_tests, DOC, "`tests/house/test_citations.py::test_everything_cited_is_there`"),
    (
        citations.missing_tests,
        DOC,
        "`tests/adapters/transport/test_exchange.py::TestPlainExchange::test_no_redirect`",
    ),
    (citations.missing_links, DOC, "[there](rules.md#words) and [out](https://example.org/x.md)"),
    (citations.missing_links, DOC, "```\n[there](nowhere.md)\n```"),
    (citations.missing_files, DOC, "`journal/contract.py`, `test_*.py`, `gateway.toml`"),
    (citations.missing_files, DOC, "adding-a-provider.md 8 says so"),
    (
        citations.missing_modules,
        CODE,
        '"""`giftcard_adapters.values.secret.Secret`, `rpc.status`, `journal.url`."""',
    ),
    (citations.missing_modules, DOC, "giftcard.v1.GiftCardService/Redeem in `giftcard_gateway.journal`"),
    (citations.missing_neighbours, CODE, '"""Time is in `clock`, sums in `add`."""\nadd = sum'),
    (citations.missing_neighbours, CODE, '"""What lives here."""\n# done by `nobody`'),
    (citations.missing_targets, DOC, "`make check test ARGS='-k x'`, and make sure of it"),
    (citations.missing_commands, DOC, "`giftcard-gateway serve --sandbox --port 50051`, `giftcard-gateway`"),
    (
        citations.missing_settings,
        DOC,
        "`server.drain_s`, `[journal] url`, `[providers.spar-za.settings]`, `delay_s`",
    ),
    (citations.missing_settings, DOC, "GIFTCARD_GATEWAY__SERVER__DRAIN_S, GIFTCARD_GATEWAY_CONFIG"),
    (citations.missing_settings, DOC, "GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__SETTINGS__BASE_URL"),
    (citations.strange_keys, TOML, "[server]\ndrain_s = 1\n[providers.x]\nlabels = { any = 'word' }"),
    (citations.strange_keys, PROVIDER, f"{ELECTRUM}| `password`, `merchant_*` | needed | x |\n"),
    (citations.outside, citations.MAY_READ_OUTSIDE[0], f"SPECS = '../{BESIDE}/specs'"),
]


@pytest.mark.parametrize(("check", "path", "text"), KEPT)
def test_a_good_citation_passes(check: Check, path: str, text: str) -> None:
    """What exists may be cited, and what only looks like a citation is let be."""
    assert list(check(page(path, f"\n{text}\n"))) == []


def test_only_docstrings_and_comments_are_prose() -> None:
    """Of Python source docstrings and comments are read, at their own lines; texts and code are not."""
    source = 'x = "a text"\n"""Of x."""\ndef f():\n    """Of f."""\n    g("y")  # why\n'
    assert [line.strip(' "') for line in spoken(source).splitlines()] == ["", "Of x.", "", "Of f.", "why"]


def test_what_was_released_stays_as_it_was_written() -> None:
    """A released section of the changelog may cite what has gone since."""
    old = page("CHANGELOG.md", "## [Unreleased]\n\n## [0.1.0]\n\n`nowhere.py`\n")
    new = page("CHANGELOG.md", "## [Unreleased]\n\n`nowhere.py`\n")
    assert not list(citations.missing_files(old))
    assert list(citations.missing_files(new))
