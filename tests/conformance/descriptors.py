"""The descriptors of this repository's adapters: whatever file in `providers` beside this says SUBJECT."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from giftcard_conformance import Subject

PROVIDERS = Path(__file__).parent / "providers"


def load(path: Path) -> Subject:
    """Read a descriptor: a Python file with a SUBJECT."""
    spec = importlib.util.spec_from_file_location(f"conformance_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    subject = module.SUBJECT
    assert isinstance(subject, Subject)
    return subject


SUBJECTS = {path.stem: load(path) for path in sorted(PROVIDERS.glob("*.py"))}
"""By the name of the adapter's package."""


def subject_of(provider: str) -> Subject:
    """Return the descriptor of a provider that is called like its adapter's package, with dashes."""
    return SUBJECTS[provider.replace("-", "_")]
