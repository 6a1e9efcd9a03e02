"""Deliberate faults in the pipeline, one module each: what the simulation must be able to find.

A module's docstring says the rule it breaks; its `apply(patch)` breaks it. Whoever adds a rule adds a
mutation; one that survives means that the simulation is too weak.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def names() -> list[str]:
    """Return every mutation's name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def rule(name: str) -> str:
    """Return the sentence that says which rule a mutation breaks."""
    text = importlib.import_module(f"{__name__}.{name}").__doc__ or ""
    return text.strip().partition("\n")[0]


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Break one rule for a while."""
    module = importlib.import_module(f"{__name__}.{name}")
    with pytest.MonkeyPatch.context() as patch:
        module.apply(patch)
        yield
