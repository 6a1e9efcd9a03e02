"""What no committed file may say: where one machine keeps things, or which registry serves it."""

from __future__ import annotations

import re

import pytest

from tests.house.source import files, text_of

# Spelled in pieces, so that this file keeps its own rule.
REGISTRIES = [
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("proxy", "golang", "org"),
    ("sum", "golang", "org"),
    ("repo", "maven", "apache", "org"),
    ("repo1", "maven", "org"),
    ("central", "sonatype", "com"),
    ("deb", "debian", "org"),
    ("static", "crates", "io"),
]
HOST = re.compile("|".join(r"\b" + r"\.".join(parts) + r"\b" for parts in REGISTRIES))
# A folder of one machine: the first step of an absolute path, not a part of an address or of a relative path.
FOLDER = re.compile(r"(?<![\w.~/})$*-])/(?:work|root|home/\w+|opt/wheels)(?![\w-])")


def lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    """Number the lines where a pattern is found."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if pattern.search(line)]


@pytest.mark.parametrize("pattern", [HOST, FOLDER], ids=["registry hosts", "machine paths"])
def test_no_file_tells_where_it_was_made(pattern: re.Pattern[str]) -> None:
    """No committed file names a registry's host or a path of one machine."""
    found = [f"{path}:{number}" for path in files() for number in lines_with(pattern, text_of(path))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (HOST, "https://files." + "pythonhosted" + ".org/x.whl", True),
        (HOST, "example.org", False),
        (FOLDER, "cd /" + "work/main", True),
        (FOLDER, '"/' + 'root"', True),
        (FOLDER, "clients/work", False),
        (FOLDER, "https://example.org/root", False),
        (FOLDER, "/workers", False),
        (FOLDER, "../beside/specs", False),
    ],
)
def test_the_patterns_tell_right_from_wrong(pattern: re.Pattern[str], text: str, *, is_found: bool) -> None:
    """The patterns find hosts and paths, and nothing that merely looks like them."""
    assert bool(lines_with(pattern, text)) == is_found
