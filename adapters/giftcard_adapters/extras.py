"""The optional parts of the distribution `giftcard-gateway`, and the words for one that is not installed."""

from __future__ import annotations

from collections.abc import Mapping

EXTRAS: Mapping[str, str] = {
    "asyncpg": "postgres",
    "giftcard_conformance": "sandbox",
    "giftcard_demo": "sandbox",
    "giftcard_simulators": "sandbox",
    "joserfc": "jwt",
    # Before what is above it.
    "opentelemetry.exporter.prometheus": "prometheus",
    "prometheus_client": "prometheus",
    "opentelemetry.exporter": "otlp",
    "opentelemetry.propagators.b3": "b3",
    "pkcs11": "pkcs11",
}
"""Modules, and those below them, that only an extra brings."""


def what_it_needs(fault: Exception) -> str | None:
    """Return what is missing and what to install, None when `fault` is about no optional part."""
    if not isinstance(fault, ModuleNotFoundError):
        return None
    for module, extra in EXTRAS.items():
        if f"{fault.name}.".startswith(f"{module}."):
            return f"needs {module}, which is not installed: install giftcard-gateway[{extra}]"
    return None
