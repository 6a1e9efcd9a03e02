"""Where the settings in force came from, and how they are read from there again.

Files may be changed while they are read, one after the other, or all at once as Kubernetes does by turning a
link round. What is returned was read while none of them changed, so it is one state of them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from giftcard_gateway.config import ConfigError, Settings, load_named

_TRIES = 10
Stamps = Mapping[Path, tuple[int, ...]]
"""What tells at a glance whether a file is still the same one, by its path; empty for one that is missing."""


class SettingsOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The file and the environment that the settings in force were read from."""

    file: Path
    environ: dict[str, str]
    as_read: Settings
    """The settings as they stood there: keys that a key service wrapped still are."""

    def __repr__(self) -> str:
        """Show the file alone: the environment has secrets."""
        return f"SettingsOrigin({self.file})"

    def read(self, known: Iterable[Path] = ()) -> Reread:
        """Return what stands there now; raise RereadRefused with every fault.

        `known` are the files it was read from before: where these are all, once is enough.
        """
        files = tuple(known) or (self.file,)
        for _ in range(_TRIES):
            before = stamps(files)
            refused: ConfigError | None = None
            try:
                settings, files = load_named(self.file, self.environ)
            except ConfigError as fault:
                # Among them are files that were not there before: what is wrong may be mended there alone.
                refused, files = fault, fault.files
            if stamps(files) != before:
                continue
            if refused is not None:
                raise RereadRefused(refused.faults, before) from None
            return Reread(settings, before)
        unrest = f"{self.file}, or a file that it names, changes again and again while it is read"
        raise RereadRefused([unrest], before)


class RereadRefused(ConfigError):
    """What stands there now is wrong; `seen` is how its files looked then, those too that are missing."""

    def __init__(self, faults: Iterable[str], seen: Stamps) -> None:
        """Keep every fault."""
        super().__init__([*faults])
        self.seen = seen


class Reread:
    """Settings that were read again, and how their files looked then."""

    def __init__(self, settings: Settings, seen: Stamps) -> None:
        self.settings = settings
        self.seen = seen


def stamps(files: Iterable[Path]) -> Stamps:
    """Return how files look now; links are followed. Costs a stat each."""
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        facts = file.stat()
    except OSError:
        return ()
    # Also whose it is and who may read it: a secret that others could read is refused.
    about = facts.st_mode, facts.st_uid, facts.st_gid
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size, *about


class Watch:
    """Looks at the files of a configuration now and then, and tells when they are others and at rest."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Begin with what is there now."""
        self._taken = self._last = stamps(files)

    @property
    def files(self) -> Iterable[Path]:
        """Return what is looked at."""
        return self._taken

    def took(self, seen: Stamps | None = None) -> None:
        """Note what was read; without `seen`, that what is there now could not be."""
        self._taken = self._last = stamps(self._taken) if seen is None else seen

    def has_changed(self) -> bool:
        """Tell whether the files differ from what was read, and are as they were at the last look.

        So what an editor has only half written is not read.
        """
        now = stamps(self._taken)
        is_at_rest, self._last = now == self._last, now
        return is_at_rest and now != self._taken
