"""What differs between two configurations, and which of it a gateway that serves can take.

It takes providers, routes, limits, and which certificates of callers are known. Everything else was built
into what listens, or into the journal, when the process started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from giftcard_gateway.config.settings import Settings

_ABSENT = object()


def taken(before: Settings, after: Settings) -> Settings:
    """Return `before` with everything of `after` that can change while serving."""
    return msgspec.structs.replace(
        before,
        providers=after.providers,
        routing=after.routing,
        limits=msgspec.structs.replace(after.limits, ipv6_prefix=before.limits.ipv6_prefix),
        access=msgspec.structs.replace(before.access, certificates=after.access.certificates),
    )


def fixed(before: Settings, after: Settings) -> list[str]:
    """Return a sentence for each setting that differs and cannot change while serving."""
    faults = [f"{path} {_RESTART}" for path in changed(taken(before, after), after)]
    faults += [
        f"providers.{name}.adapter {_RESTART}, with an id of its own for the other adapter:"
        " what is owed is written in the words of the one before"
        for name, provider in after.providers.items()
        if name in before.providers and provider.adapter != before.providers[name].adapter
    ]
    if bool(before.access.certificates) != bool(after.access.certificates):
        faults.append(f"access.certificates, the first or the last of them, {_RESTART}")
    return faults


_RESTART = "cannot change while serving: it needs a restart"


def changed(before: Settings, after: Settings) -> list[str]:
    """Return the paths of every setting that differs, without any value."""
    one, other = dict(_leaves("", before)), dict(_leaves("", after))
    return [path for path in {**one, **other} if one.get(path, _ABSENT) != other.get(path, _ABSENT)]


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            yield from _leaves(f"{path}.{field.name}" if path else field.name, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(f"{path}.{key}", below)
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for place, below in enumerate(value):
            yield from _leaves(f"{path}[{place}]", below)
    else:
        yield path, value
