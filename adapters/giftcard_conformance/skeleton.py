"""The skeleton of a new adapter: `draw` makes its files from templates, `write` puts them on disk.

A skeleton holds no operation; the conformance suite then says what to write.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

import msgspec

from giftcard_adapters.errors import AdapterError

_LONGEST_NAME = 20
"""Longer ones do not fit into a line of the skeleton."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_OURS = frozenset({"adapters", "client", "gateway"})
"""`giftcard-adapters` and its kin are our own packages."""
_MARK = Path("adapters/giftcard_adapters/contract.py")
"""What only a checkout of the gateway has."""

_IN_CHECKOUT: Mapping[str, str] = {
    "package.py": "adapters/giftcard_adapters/$module/__init__.py",
    "adapter.py": "adapters/giftcard_adapters/$module/adapter.py",
    "settings.py": "adapters/giftcard_adapters/$module/settings.py",
    "simulator_package.py": "adapters/giftcard_simulators/$module/__init__.py",
    "simulator.py": "adapters/giftcard_simulators/$module/simulator.py",
    "descriptor.py": "tests/conformance/providers/$module.py",
    "provider.json": "tests/adapters/golden/$module/provider.json",
    "redeem.json": "tests/adapters/golden/$module/redeem.json",
    "page.md": "docs/providers/$module.md",
}
_IN_PACKAGE: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "page.md": "README.md",
    "package.py": "$package/__init__.py",
    "adapter.py": "$package/adapter.py",
    "settings.py": "$package/settings.py",
    "simulator.py": "$package/simulator.py",
    "descriptor.py": "$package/descriptor.py",
    "py.typed": "$package/py.typed",
    "test.py": "tests/test_$module.py",
    "provider.json": "tests/golden/$module/provider.json",
    "redeem.json": "tests/golden/$module/redeem.json",
}


class SkeletonError(AdapterError):
    """A skeleton cannot be drawn or written; the text says why."""


class Skeleton(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn skeleton: its files by path from the folder they belong in."""

    module: str
    files: Mapping[Path, str]
    page: Path
    """Which of them is the provider's page, with the stanza."""

    def stanza(self) -> str:
        """Return the stanza to paste into gateway.toml."""
        return self.files[self.page].partition("```toml\n")[2].partition("```")[0]


def is_checkout(folder: Path) -> bool:
    """Tell whether `folder` is the root of a checkout of the gateway itself."""
    return (folder / _MARK).is_file()


def draw(name: str, *, in_checkout: bool) -> Skeleton:
    """Draw the skeleton of an adapter called `name`, for the gateway's own tree or a package of its own.

    Raises SkeletonError for a name that cannot be a package's and a class's.
    """
    module, class_name = _names(name)
    package = f"giftcard_{module}"
    names = {
        "title": " ".join(word.capitalize() for word in name.split("-")),
        "module": module,
        "package": package,
        "class_name": class_name,
        "provider_id": name,
        "environ": module.upper(),
    }
    if in_checkout:
        names["place"] = f"giftcard_adapters.{module}"
        names["adapter"] = f"giftcard_adapters.{module}.adapter"
        names["settings"] = f"giftcard_adapters.{module}.settings"
        names["simulator"] = f"giftcard_simulators.{module}"
        names["gap"] = ""
    else:
        names |= {"place": package, "gap": "\n"}
        names |= {part: f".{part}" for part in ("adapter", "settings", "simulator")}
    layout = _IN_CHECKOUT if in_checkout else _IN_PACKAGE
    files = {Path(_fill(path, names)): _fill(_template(kind), names) for kind, path in layout.items()}
    return Skeleton(
        module=module,
        files={path: _sorted(text) if path.suffix == ".py" else text for path, text in files.items()},
        page=Path(_fill(layout["page.md"], names)),
    )


def write(skeleton: Skeleton, folder: Path) -> None:
    """Write every file below `folder`, or none.

    Raises SkeletonError when one is there already, OSError when the folder cannot be written.
    """
    taken = sorted(str(path) for path in _places(skeleton) if (folder / path).exists())
    if taken:
        raise SkeletonError(f"nothing was written, because this is there already: {', '.join(taken)}")
    written: list[Path] = []
    try:
        for path, text in skeleton.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            written.append(place)
            place.write_text(text, encoding="utf-8")
    except OSError:
        for place in written:
            place.unlink(missing_ok=True)
        raise


def _names(name: str) -> tuple[str, str]:
    """Return the module's and the class's name."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise SkeletonError(
            f"{name!r} cannot be an adapter's name: that is lower-case words with a dash between them, "
            f"such as acme-cards, and at most {_LONGEST_NAME} characters"
        )
    module, class_name = name.replace("-", "_"), "".join(word.capitalize() for word in name.split("-"))
    is_taken = any(re.search(rf"\b{class_name}\b", _template(kind)) for kind in _IN_PACKAGE)
    if keyword.iskeyword(module) or module in _OURS or is_taken:
        raise SkeletonError(
            f"{name!r} cannot be an adapter's name: it means something in Python or in the skeleton itself; "
            f"say more of the company's name, such as {name}-cards"
        )
    return module, class_name


def _places(skeleton: Skeleton) -> list[Path]:
    """Return every path that must be free: a package must not stand where a module of its name is, too."""
    packages = [path.parent for path in skeleton.files if path.name == "__init__.py"]
    return [*skeleton.files, *(package.with_suffix(".py") for package in packages)]


def _template(kind: str) -> str:
    folder = resources.files("giftcard_conformance") / "templates"
    return (folder / f"{kind}.template").read_text(encoding="utf-8")


def _fill(text: str, names: Mapping[str, str]) -> str:
    return Template(text).substitute(names)


def _sorted(text: str) -> str:
    """Sort imports, whose order depends on the adapter's name."""
    return re.sub(
        r"(?m)(?:^from .+\n)+", lambda block: "".join(sorted(block[0].splitlines(keepends=True))), text
    )
