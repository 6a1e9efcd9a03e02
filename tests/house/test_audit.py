"""The audit of what we build on: a known fault fails it, an unknown license fails it, and old data say so."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from deploy.audit import __main__ as audit
from deploy.audit import advisories, licenses, pins, refresh
from deploy.audit.advisories import Advisories, Advisory, Range
from deploy.audit.pins import Pin
from deploy.audit.policy import Accepted, Policy, Stated, policy
from tests.house.source import text_of

DAY = date(2026, 11, 1)
NOTHING = Policy(old_after_days=30, licenses={}, spelled={}, stated={}, accepted=[])


def pin(line: str) -> Pin:
    """Make the pin of one line."""
    return pins.pin([line])


def known(*found: Advisory, whole: bool = True, packages: tuple[str, ...] = ("x",)) -> Advisories:
    """Make a database of one day."""
    return Advisories(day=DAY, source="made up", whole=whole, packages=list(packages), advisories=list(found))


def allowing(**stated: Stated) -> Policy:
    """Make a policy that allows two licenses."""
    return Policy(
        old_after_days=30,
        licenses={"MIT": "", "Apache-2.0": ""},
        spelled={"The MIT": "MIT", "License :: MIT": "MIT", "License :: Apache": "Apache-2.0"},
        stated=stated,
        accepted=[],
    )


def test_a_lock_is_read_with_who_asks() -> None:
    """A pin has its version, whether this machine needs it, and who asks for it, in one line or several."""
    text = """# made by make lock
aiohttp==3.14.5 \\
    --hash=sha256:00
    # via
    #   giftcard-gateway (./pyproject.toml)
    #   Some_Thing
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
    # via click
"""
    aiohttp, colorama = pins.read(text)
    assert (aiohttp.name, aiohttp.version) == ("aiohttp", "3.14.5")
    assert aiohttp.asked_by == ("giftcard-gateway", "some-thing")
    assert (colorama.name, colorama.version, colorama.asked_by) == ("colorama", "0.4.6", ("click",))
    assert str(colorama.requirement.marker) == 'sys_platform == "win32"'


def test_two_locks_hide_nothing_of_each_other(tmp_path: Path) -> None:
    """A version that one lock pins and another does not is asked for as well."""
    for name, version in (("one.txt", "1.0"), ("two.txt", "2.0"), ("three.txt", "2.0")):
        (tmp_path / name).write_text(f"x=={version}\n", encoding="utf-8")
    found = pins.locked(*(str(path) for path in sorted(tmp_path.iterdir())))
    assert [each.version for each in found] == ["1.0", "2.0"]


def test_what_is_not_pinned_is_refused() -> None:
    """A line that leaves a choice of versions is no pin."""
    with pytest.raises(ValueError, match="no single version"):
        pins.read("aiohttp>=3\n")


@pytest.mark.parametrize(
    ("line", "advisory"),
    [
        ("urllib3==1.26.4", "PYSEC-2021-108"),
        ("urllib3==2.0.6", "PYSEC-2023-212"),
        ("aiohttp==3.14.2", "PYSEC-2026-3545"),
        ("cryptography==49.0.0", "GHSA-g6cj-pr64-35w5"),
        ("protobuf==6.33.4", "CVE-2026-0994"),
        ("ecdsa==0.19.2", "PYSEC-2026-1325"),
    ],
)
def test_a_known_fault_fails_the_audit(line: str, advisory: str) -> None:
    """A pin with a fault that the vendored advisories know is found, by name."""
    found = list(advisories.faults([pin(line)], advisories.vendored(), NOTHING, DAY))
    assert any(advisory in sentence for sentence in found), found


@pytest.mark.parametrize("line", ["urllib3==2.8.0", "aiohttp==3.14.5", "protobuf==5.29.6", "jinja2==2.10"])
def test_what_is_mended_or_unheard_of_is_not_found(line: str) -> None:
    """A version that is fixed is not found, also where an older line was mended too."""
    assert list(advisories.faults([pin(line)], advisories.vendored(), NOTHING, DAY)) == []


def test_the_pins_are_free_of_what_is_known() -> None:
    """No pin of ours has a known fault that is not accepted with a reason, on the day of the advisories."""
    data = advisories.vendored()
    assert data.advisories
    assert list(advisories.faults(pins.locked(), data, policy(), data.day)) == []


@pytest.mark.parametrize(
    ("stretch", "version", "is_held"),
    [
        (Range("1.0", fixed="2.0"), "0.9", False),
        (Range("1.0", fixed="2.0"), "1.0", True),
        (Range("1.0", fixed="2.0"), "2.0rc1", True),
        (Range("1.0", fixed="2.0"), "2.0", False),
        (Range("1.0", last="2.0"), "2.0", True),
        (Range("1.0", last="2.0"), "2.0.1", False),
        (Range("1.0"), "99", True),
        (Range("0", fixed="1.26.18"), "1.26.9", True),
        (Range("0", fixed="what is this"), "99", True),
    ],
)
def test_a_range_ends_where_it_says(stretch: Range, version: str, *, is_held: bool) -> None:
    """The first fixed version is free, the last affected one is not, and what cannot be read frees nobody."""
    assert stretch.holds(Version(version)) == is_held


def test_an_accepted_advisory_is_asked_again() -> None:
    """Accepted under any of its names it is silent until its day, and a fault from the next one on."""
    data = known(Advisory("PYSEC-1", "x", "s", aliases=["CVE-1"], ranges=[Range()]))
    accepting = Policy(30, {}, {}, {}, [Accepted("CVE-1", "x", "only tests", DAY)])
    assert list(advisories.faults([pin("x==1")], data, accepting, DAY)) == []
    (fault,) = advisories.faults([pin("x==1")], data, accepting, DAY + timedelta(days=1))
    assert "accepted until a day that is over" in fault


def test_an_acceptance_without_need_is_a_fault() -> None:
    """An advisory that touches no pin any more has to leave the list of the accepted."""
    data = known(Advisory("PYSEC-1", "x", "s", ranges=[Range(fixed="2")]))
    accepting = Policy(30, {}, {}, {}, [Accepted("PYSEC-1", "x", "only tests", DAY)])
    (fault,) = advisories.faults([pin("x==2")], data, accepting, DAY)
    assert "touches no pin" in fault


@pytest.mark.parametrize(
    ("data", "days", "words"),
    [
        (known(), 30, []),
        (known(), 31, ["31 days old"]),
        (known(whole=False), 0, ["no whole database"]),
        (known(packages=()), 0, ["nobody has asked for advisories of x"]),
    ],
)
def test_old_or_partial_advisories_say_so(data: Advisories, days: int, words: list[str]) -> None:
    """What makes silence prove less is said: age, single records, packages that nobody looked for."""
    said = list(advisories.doubts([pin("x==1")], data, NOTHING, DAY + timedelta(days=days)))
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_the_audit_tells_of_what_day_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """The audit names the day and the source of its advisories and how many pins it asked for."""
    audit.main()
    said = capsys.readouterr().out
    assert f"of {advisories.vendored().day}" in said
    assert f"for {len(pins.locked())} pins" in said


def test_the_audit_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With an old urllib3 in the lock the audit ends with 1, and says which advisory and what mends it."""
    old = pin("urllib3==1.26.4")
    monkeypatch.setattr(audit, "locked", lambda *paths: (*pins.locked(*paths), old))
    assert audit.main() == 1
    assert "urllib3 1.26.4: CVE-2021-33503, PYSEC-2021-108; fixed in 1.26.5" in capsys.readouterr().err


def record(name: str, **more: object) -> dict[str, object]:
    """Make a record as OSV writes them, with fields we do not read."""
    return {
        "id": name,
        "modified": "2026-10-30T12:00:00Z",
        "schema_version": "1.7",
        "details": "words",
        **more,
    }


def affected(
    ecosystem: str, name: str, *events: Mapping[str, str], kind: str = "ECOSYSTEM"
) -> dict[str, Any]:
    """Make what a record says of one package."""
    stretch = {"type": kind, "events": list(events)}
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [stretch], "versions": ["1.0"]}


def dump(path: Path, *records: Mapping[str, object]) -> Path:
    """Write an archive of records."""
    with zipfile.ZipFile(path, "w") as archive:
        for each in records:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return path


def test_a_dump_becomes_advisories(tmp_path: Path) -> None:
    """Of a dump our packages are kept, whatever their spelling, with ranges, else single versions."""
    two = affected(
        "PyPI", "Our_Package", {"introduced": "2"}, {"fixed": "2.1"}, {"introduced": "0"}, {"fixed": "1.5"}
    )
    archive = dump(
        tmp_path / "all.zip",
        record("A-1", aliases=["CVE-1"], affected=[two]),
        record("A-2", affected=[affected("PyPI", "our-package", {"introduced": "0"}, kind="GIT")]),
        record(
            "A-3", affected=[affected("PyPI", "our-package", {"introduced": "1"}, {"last_affected": "3"})]
        ),
        record("A-4", affected=[affected("PyPI", "our-package", {"introduced": "1"})]),
        record("B-1", affected=[affected("npm", "our-package", {"introduced": "0"})]),
        record("B-2", affected=[affected("PyPI", "another", {"introduced": "0"})]),
        record("B-3", withdrawn="2026-10-31T00:00:00Z", modified="2026-10-31T01:00:00Z", affected=[two]),
    )
    found = refresh.read(archive, frozenset({"our-package"}))
    assert (found.day, found.whole, found.packages) == (date(2026, 10, 31), True, ["our-package"])
    assert [(one.id, one.ranges, one.versions) for one in found.advisories] == [
        ("A-1", [Range("2", fixed="2.1"), Range("0", fixed="1.5")], []),
        ("A-2", [], ["1.0"]),
        ("A-3", [Range("1", last="3")], []),
        ("A-4", [Range("1")], []),
    ]
    assert found.advisories[0].aliases == ["CVE-1"]


def test_a_new_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refreshed file is read back as it was found, and then nothing is doubted on its day."""
    target = tmp_path / "advisories.json"
    for module in (refresh, advisories):
        monkeypatch.setattr(module, "PATH", str(target))
    one = affected("PyPI", "aiohttp", {"introduced": "0"}, {"fixed": "99"})
    assert refresh.main([str(dump(tmp_path / "all.zip", record("A-1", affected=[one])))]) == 0
    data = advisories.vendored()
    assert [each.id for each in data.advisories] == ["A-1"]
    assert list(advisories.doubts(pins.locked(), data, policy(), data.day)) == []


@pytest.mark.parametrize("content", [b"", b"not a zip", None], ids=["empty", "no zip", "no file"])
def test_what_is_no_dump_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """A file that is no dump ends with 1 and a sentence, and the advisories stay as they were."""
    monkeypatch.setattr(refresh, "PATH", str(tmp_path / "advisories.json"))
    if content is not None:
        (tmp_path / "all.zip").write_bytes(content)
    assert refresh.main([str(tmp_path / "all.zip")]) == 1
    assert "no advisories: " in capsys.readouterr().err
    assert not (tmp_path / "advisories.json").exists()


def test_a_dump_without_records_is_none(tmp_path: Path) -> None:
    """An empty archive proves nothing, so it is refused."""
    with pytest.raises(refresh.NotADump):
        refresh.read(dump(tmp_path / "all.zip"), frozenset({"x"}))


def installed(folder: Path, name: str, *lines: str) -> None:
    """Put a package's metadata where Python looks for them."""
    info = folder / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir()
    head = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines]
    (info / "METADATA").write_text("\n".join(head) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["License-Expression: MIT"], None),
        (["License-Expression: GPL-3.0-only OR MIT", "License: GPL"], None),
        (["License-Expression: GPL-3.0-only AND MIT"], "GPL-3.0-only AND MIT is not allowed"),
        (["License-Expression: GPL-2.0-only WITH Classpath-exception-2.0"], "is not allowed"),
        (["License: The MIT"], None),
        (["License: BSD"], "no license is known"),
        (["License: UNKNOWN", "Classifier: License :: MIT"], None),
        (["Classifier: License :: MIT", "Classifier: License :: Apache"], None),
        (["Classifier: License :: MIT", "Classifier: License :: Odd"], "no license is known"),
        ([], "no license is known"),
    ],
)
def test_a_license_is_allowed_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], words: str | None
) -> None:
    """What metadata say clearly is judged, one side of OR is enough, and what they do not say is a fault."""
    installed(tmp_path, "made-up-package", *lines)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = list(licenses.faults([pin("made-up-package==1")], (), allowing()))
    assert len(found) == (words is not None)
    assert all(str(words) in sentence for sentence in found)


def test_a_license_can_be_stated() -> None:
    """A package that is not installed here has a license as soon as one is stated; not just any."""
    line = [pin("made-up-package==1")]
    assert list(licenses.faults(line, (), allowing(**{"made-up-package": Stated("MIT", "its page")}))) == []
    (fault,) = licenses.faults(line, (), allowing(**{"made-up-package": Stated("GPL-3.0-only", "its page")}))
    assert "not allowed" in fault


def test_what_only_tests_use_never_serves() -> None:
    """A license that is passed for tests alone is a fault as soon as the server needs the package."""
    stating = allowing(**{"made-up-package": Stated("GPL-3.0-only", "its page", tests_only=True)})
    line = [pin("made-up-package==1")]
    assert list(licenses.faults(line, (), stating)) == []
    (fault,) = licenses.faults(line, {"made-up-package"}, stating)
    assert "the server needs it" in fault


def test_a_statement_without_need_is_a_fault() -> None:
    """A stated license leaves the list when its package does, and when its metadata tell it."""
    assert "not pinned" in next(licenses.faults([], (), allowing(gone=Stated("MIT", "its page"))))
    stating = allowing(msgspec=Stated("MIT", "its page"))
    stating.licenses["BSD-3-Clause"] = ""
    assert "metadata tell it" in next(licenses.faults([pin("msgspec==1")], (), stating))


def test_every_pin_has_an_allowed_license() -> None:
    """Every package that we run, build or test with comes under a license we may use it under."""
    served = {each.name for each in pins.locked(pins.RUNTIME)}
    assert list(licenses.faults(pins.locked(), served, policy())) == []


def test_whatever_is_let_pass_has_a_reason() -> None:
    """No license, statement or advisory is let pass without words."""
    allowed = policy()
    said = [one.reason for one in allowed.stated.values()] + [one.reason for one in allowed.accepted]
    reasons = [*said, *allowed.licenses.values()]
    assert reasons
    assert all(reasons)
    assert min(len(reason.split()) for reason in said) > 5


def test_the_security_lint_is_on() -> None:
    """Ruff's port of bandit reads all we ship; one rule is off, in the journal: its SQL is put together."""
    lint = tomllib.loads(text_of("pyproject.toml"))["tool"]["ruff"]["lint"]
    shipped = {place: rules for place, rules in lint["per-file-ignores"].items() if place != "tests/**"}
    off = {(place, rule) for place, rules in shipped.items() for rule in rules if re.fullmatch(r"S\d*", rule)}
    assert lint["select"] == ["ALL"]
    assert not [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)]
    assert off == {("gateway/giftcard_gateway/journal/**", "S608")}
