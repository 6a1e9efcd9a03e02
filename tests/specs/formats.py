"""Which wire format each provider of this repository is held against."""

from __future__ import annotations

from collections.abc import Mapping

from tests.specs.gr4vy_sdk import SdkModels
from tests.specs.validating import WireFormat, described

GR4VY_DOCUMENT = "gr4vy.giftcards-subset.openapi.json"
"""Gr4vy's own document, beside the repository."""


def wire_format(provider: str, settings: Mapping[str, object]) -> WireFormat:
    """Return what a provider's messages must fit under these settings.

    It is the description of the provider's name, except where the provider has dialects or an SDK.
    Raises FileNotFoundError when nobody has described it.
    """
    if provider == "gr4vy":
        return SdkModels()
    if provider == "gatepay":
        return described(f"gatepay-{settings.get('dialect', 'reference')}")
    return described(provider)
