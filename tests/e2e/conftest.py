"""What the end-to-end tests share: one sandbox for those that only need cards and calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.sandboxes import SIMULATORS, Sandbox, sandbox

if TYPE_CHECKING:
    from tests.e2e.envoys import Door


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def shared(_shared: Sandbox) -> Sandbox:
    """Give a sandbox that serves; its books are open as on the first day, its journal is not empty."""
    _shared.reset(*SIMULATORS)
    return _shared


@pytest.fixture(scope="module")
def _opened(_shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    from tests.e2e.envoys import door  # noqa: PLC0415 - whoever runs our tests elsewhere has no deploy

    with door(tmp_path_factory.mktemp("envoy") / "door", _shared.port) as running:
        yield running


@pytest.fixture
def opened(shared: Sandbox, _opened: Door) -> Door:
    """Give Envoy's door to the shared sandbox, whose books are open as on the first day."""
    del shared
    return _opened
