"""What every test may rely on: one Hypothesis profile, and markers that skip with a reason.

Fixtures of one part live in that part's own conftest.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests import softhsm

# Shared by every part that needs a database server.
pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).resolve().parent.parent
THIRD_PARTY = ROOT.parent / "shared" / "specs"
"""What others wrote of the providers' wire formats; ours are in tests/specs."""

# No deadline: on a busy machine an example's time says nothing. In CI the same examples run every time, so
# that a change is judged by itself; elsewhere chance goes on looking.
settings.register_profile("house", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("house")

# grpc logs a server that is collected before it was stopped at DEBUG, with the server itself as an argument.
# caplog would keep that half-freed object, and the interpreter ends with a segmentation fault.
logging.getLogger("grpc._cython.cygrpc").setLevel(logging.INFO)

# A shell that runs the tests in the background ignores Ctrl-C, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    for item in items:
        if item.get_closest_marker("specs") and not THIRD_PARTY.is_dir():
            item.add_marker(pytest.mark.skip(reason="the documents of others are not beside the repository"))
        if item.get_closest_marker("postgres") and not has_postgres():
            item.add_marker(pytest.mark.skip(reason="PostgreSQL's programs are not on this machine"))
        if item.get_closest_marker("softhsm") and not softhsm.library():
            item.add_marker(pytest.mark.skip(reason="SoftHSM is not on this machine"))


def has_postgres() -> bool:
    """Tell whether a PostgreSQL cluster could be made here; Debian keeps initdb off the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return shutil.which("initdb") is not None or any(debian)
