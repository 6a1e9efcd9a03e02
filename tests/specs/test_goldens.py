"""What the golden exchanges say on the wire fits each provider's wire format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from giftcard_simulators.sandbox import SimAnswer
from tests.specs.formats import GR4VY_DOCUMENT
from tests.specs.goldens import PROVIDERS, encode, exchanges, goldens, requests
from tests.specs.gr4vy_sdk import SdkModels
from tests.specs.validating import WireFormat, described, third_party


@pytest.mark.parametrize(
    "path",
    [path for provider in PROVIDERS for path in goldens(provider)],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_golden_requests_fit(path: Path) -> None:
    """Every request the goldens prove is one the wire format describes, field for field, variants too."""
    for reader, request in requests(path):
        faults = reader.message_faults(request)
        assert not faults, f"{reader.name_of(request)}: {'; '.join(faults)}"


def test_electrum_speaks_every_operation() -> None:
    """Electrum's goldens speak all nineteen operations."""
    told = (request for path in goldens("electrum") for request in requests(path))
    spoken = {reader.name_of(request) for reader, request in told}
    assert spoken == set(described("electrum").operations)
    assert len(spoken) == 19


def exchange_faults(path: Path, reader: WireFormat) -> list[str]:
    """Say what is wrong with the exchanges of a golden, variants and replies without a body aside."""
    found: list[str] = []
    for request, reply in exchanges(json.loads(path.read_text(encoding="utf-8"))):
        found += reader.message_faults(request)
        if "body" in reply:
            answer = SimAnswer(status=reply["status"], body=encode(reply["body"]))
            found += reader.answer_faults(request, answer)
    return found


@pytest.mark.parametrize("path", goldens("gr4vy"), ids=lambda path: path.stem)
def test_gr4vys_golden_exchanges_fit(path: Path) -> None:
    """Gr4vy's golden requests, and its replies that have a body, are what its SDK writes and reads."""
    assert not exchange_faults(path, SdkModels())


@pytest.mark.specs
def test_gr4vys_golden_exchanges_fit_its_document() -> None:
    """Gr4vy's golden requests, and its replies that have a body, are what its own document says."""
    document = third_party(GR4VY_DOCUMENT)
    faults = {path.stem: exchange_faults(path, document) for path in goldens("gr4vy")}
    assert not {name: found for name, found in faults.items() if found}
