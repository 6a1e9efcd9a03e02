"""Looks for inputs that come through a door as a fault: minutes for each, guided by what code they reach.

`python -m tests.fuzz` tries every door, one process each; `python -m tests.fuzz wire --seconds 600` tries
one of them for longer. What is found is written to `tests/fuzz/corpus`, where `make test` tries it again.
Atheris brings libFuzzer and is built for Linux; elsewhere the same time is spent on nasty values by chance.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path

_LONGEST_INPUT = 65_536


def main() -> int:
    """Fuzz the doors that were named; return 1 when one let a fault through."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="*", help="all of them when none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each door")
    parser.add_argument("--grown", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.grown:
        return _fuzz(wanted.doors[0], wanted.seconds, wanted.grown)
    from tests.fuzz.doors import DOORS  # noqa: PLC0415 - the inner process must instrument it first

    faulty = []
    for name in wanted.doors or DOORS:
        # libFuzzer ends its process without cleaning up, so the folder it grows in is this one's.
        with tempfile.TemporaryDirectory() as grown:
            options = ["--grown", grown, "--seconds", str(wanted.seconds)]
            if subprocess.run([sys.executable, "-m", "tests.fuzz", name, *options], check=False).returncode:
                faulty.append(name)
        sys.stdout.write(f"{name}: {'a fault, kept in tests/fuzz/corpus' if name in faulty else 'held'}\n")
        sys.stdout.flush()
    return bool(faulty)


def _fuzz(name: str, seconds: int, grown: Path) -> int:
    if find_spec("atheris") is None:
        sys.stdout.write("atheris is not installed: nasty values by chance\n")
        return _by_chance(name, seconds)
    import atheris  # noqa: PLC0415 - not there on every system

    with atheris.instrument_imports(include=["giftcard_adapters", "giftcard_gateway"]):
        from tests.fuzz.doors import CORPUS, DOORS  # noqa: PLC0415 - it is to be instrumented

    door = DOORS[name]
    for seed in (*door.seeds(), *door.corpus()):
        (grown / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST_INPUT}",
        "-rss_limit_mb=2048",
        "-timeout=20",
        "-verbosity=0",
        f"-artifact_prefix={CORPUS / name}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(grown)], door.try_one)
    # Ends the process itself, with a code of its own when something was found.
    atheris.Fuzz()
    return 0


def _by_chance(name: str, seconds: int) -> int:
    from tests.fuzz.doors import CORPUS, DOORS  # noqa: PLC0415 - Atheris must have come first where it is
    from tests.fuzz.mutating import NASTY, placed, ways  # noqa: PLC0415 - the same

    door = DOORS[name]
    seeds = [seed for seed in door.seeds() if ways(seed)] or [*door.seeds()]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        seed = random.choice(seeds)
        given = (
            placed(seed, random.choice(ways(seed)), random.choice([*NASTY.values()])) if ways(seed) else seed
        )
        given += random.randbytes(random.randrange(4))
        try:
            door.try_one(given)
        except Exception:  # noqa: BLE001 - any fault is what is looked for
            traceback.print_exc()
            (CORPUS / name).mkdir(parents=True, exist_ok=True)
            (CORPUS / name / f"crash-{hashlib.sha256(given).hexdigest()}").write_bytes(given)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
