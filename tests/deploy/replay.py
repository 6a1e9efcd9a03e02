"""Runs the lines of deploy/Dockerfile without a container engine, then the gateway that they make.

Each stage is a layer over this machine's own root in a mount namespace of its own, so nothing of the machine
is changed; this Python stands where the base image has its own. Then the images' own commands are started
read-only and as the images' user: the simulators, and a gateway that turns healthy, redeems a card and stops.

    python -m tests.deploy.replay [PORT]

It needs root, Linux with overlayfs, and a package index. It does not show what is in the base image, nor that
an engine reads the lines as it does.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from giftcard import Client, new_transaction_id, v1
from giftcard_simulators.catalogue import Sandbox, sandboxes_at
from tests.conftest import ROOT

RECIPE = ROOT / "deploy" / "Dockerfile"
INSIDE = "GIFTCARD_REPLAY_INSIDE"
START_S, STOP_S, BUILD_S = 180, 120, 1500
PATHS = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
EPOCH = "1700000000"
PAN = "6045000000000061"
Line = tuple[str, str]


class Failed(Exception):
    """A line, or what it made, did not do what it must; the text says which."""


@dataclass
class Stage:
    """What a stage of the Dockerfile came to so far."""

    layers: list[Path]
    """Newest first; the first is written to."""
    at: Path
    """Where it is mounted."""
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def keep(self, word: str, rest: str) -> None:
        """Keep what a line says of how the image is run."""
        if word == "USER":
            self.user = rest
        elif word == "HEALTHCHECK":
            self.health = [] if rest == "NONE" else json.loads(rest.partition(" CMD ")[2])
        else:
            setattr(self, "entrypoint" if word == "ENTRYPOINT" else "command", json.loads(rest))


def lines(text: str) -> list[Line]:
    """Return the instructions of a Dockerfile, each with its words on one line."""
    kept = [one for one in text.splitlines() if not one.lstrip().startswith("#")]
    joined = "\n".join(kept).replace("\\\n", " ")
    split = (one.split(None, 1) for one in joined.splitlines() if one.strip())
    return [(first.upper(), rest.strip()) for first, rest in split]


def mount(*words: str | Path) -> None:
    """Mount something in our own namespace."""
    subprocess.run(["mount", *map(str, words)], check=True)  # noqa: S607 - the system's


def base_layer(folder: Path) -> Path:
    """Return a layer that has this Python in /usr/local, as the base image does, if it is elsewhere."""
    layer = folder / "python"
    home = Path(sys.base_prefix)
    (layer / "usr").mkdir(parents=True)
    if not home.is_relative_to("/usr"):
        skipped = shutil.ignore_patterns("test", "__pycache__", "site-packages", "*.a", "tkinter", "idlelib")
        for part in ("bin", "lib"):
            shutil.copytree(home / part, layer / "usr/local" / part, symlinks=True, ignore=skipped)
    return layer


def opened(folder: Path, name: str, below: Sequence[Path]) -> Stage:
    """Return a new stage over layers, mounted."""
    upper, work, at = (folder / name / part for part in ("upper", "work", "root"))
    for one in (upper, work, at):
        one.mkdir(parents=True)
    overlay = f"lowerdir={':'.join(map(str, below))},upperdir={upper},workdir={work}"
    mount("-t", "overlay", "-o", overlay, "overlay", at)
    furnish(at)
    return Stage([upper, *below], at)


def furnish(root: Path) -> None:
    """Give a root what an engine gives a container, and nothing of the checkout."""
    mount("--bind", "/dev", root / "dev")
    mount("-t", "proc", "proc", root / "proc")
    mount("-t", "tmpfs", "tmpfs", root / "tmp")
    checkout = root / ROOT.relative_to("/")
    if checkout.exists():
        mount("-t", "tmpfs", "-o", "ro", "tmpfs", checkout)


def built(text: str, folder: Path, args: Mapping[str, str]) -> dict[str, Stage]:
    """Run a Dockerfile's lines; return its stages by name."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    bottom = [base_layer(folder), Path("/")]
    for word, rest in lines(text):
        if word == "FROM":
            source, _, name = rest.partition(" AS ")
            parent = stages.get(source)
            stage = opened(folder, name, parent.layers if parent else bottom)
            if parent:
                stage = replace(parent, layers=stage.layers, at=stage.at, env=dict(parent.env), args={})
            stages[name] = stage
        elif stage is not None:
            click.echo(f"{word} {rest}"[:110])
            follow(stage, word, rest, stages, args)
    return stages


def follow(stage: Stage, word: str, rest: str, stages: Mapping[str, Stage], args: Mapping[str, str]) -> None:
    """Do one line."""
    match word:
        case "ARG":
            name, _, default = rest.partition("=")
            stage.args[name] = args.get(name, default)
        case "ENV":
            for name, value in (one.split("=", 1) for one in shlex.split(rest)):
                stage.env[name] = value.replace("${PATH}", PATHS)
        case "WORKDIR":
            stage.workdir = rest
            (stage.at / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "COPY":
            copy(stage, shlex.split(rest), stages)
        case "RUN":
            ran(stage, rest)
        case "USER" | "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
            stage.keep(word, rest)
        case "LABEL" | "VOLUME" | "EXPOSE" | "STOPSIGNAL":
            pass
        case _:
            raise Failed(f"a line that this script does not know: {word}")


def ran(stage: Stage, line: str) -> None:
    """Run a line as root, in the stage."""
    words = chrooted(stage, stage.at, "0:0", ["sh", "-ec", line], stage.args)
    if code := subprocess.run(words, timeout=BUILD_S, check=False).returncode:
        raise Failed(f"RUN ended with {code}: {line}")


def copy(stage: Stage, words: list[str], stages: Mapping[str, Stage]) -> None:
    """Copy from the checkout, or from another stage, as COPY does."""
    source = ROOT
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].at
    *names, target = words
    to = stage.at / os.path.join(stage.workdir, target).lstrip("/")  # noqa: PTH118 - a root of its own
    for name in names:
        one = source / name.lstrip("/")
        if one.is_dir():
            skipped = None if source != ROOT else shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
            shutil.copytree(one, to, symlinks=True, ignore=skipped, dirs_exist_ok=True)
        else:
            folder = to if target.endswith("/") else to.parent
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(one, folder / one.name if target.endswith("/") else to)


def chrooted(
    stage: Stage, root: Path, user: str, command: Sequence[str], more: Mapping[str, str]
) -> list[str]:
    """Return the words that run a command inside a root, with the stage's environment and no other.

    Only what the machine says of its package index is let in, where root works.
    """
    env = {"PATH": PATHS, "LD_LIBRARY_PATH": "/usr/local/lib", **stage.env, **more}
    if user.startswith("0"):
        env |= {
            name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name
        }
        env["HOME"] = str(Path.home())
    script = f"cd {shlex.quote(stage.workdir)} && exec {shlex.join(command)}"
    told = [f"{name}={value}" for name, value in env.items()]
    return ["chroot", f"--userspec={user}", str(root), "env", "-i", *told, "sh", "-c", script]


def sealed(stage: Stage, folder: Path, name: str, *, writable: Path | None, settings: Path | None) -> Path:
    """Mount a stage read-only, with what an operator mounts into it; return where."""
    root = folder / name
    root.mkdir()
    mount("-t", "overlay", "-o", f"lowerdir={':'.join(map(str, stage.layers))}", "overlay", root)
    furnish(root)
    mount("-o", "remount,ro", root / "tmp")
    for one, place in ((writable, stage.workdir), (settings, "/etc/giftcard-gateway")):
        if one is not None:
            mount("--bind", one, root / place.lstrip("/"))
    return root


@contextmanager
def serving(stage: Stage, root: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run what an image runs; it must end well when it is asked to stop."""
    words = chrooted(stage, root, stage.user, [*stage.entrypoint, *command], {})
    process = subprocess.Popen(words)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        if code := process.wait(STOP_S):
            raise Failed(f"{shlex.join(command)} ended with {code} after SIGTERM")
    finally:
        process.kill()
        process.wait()


def settings(port: int, shop: Sandbox) -> str:
    """Return a configuration for a gateway on `port` before one simulated provider."""
    key, other = (base64.b64encode(bytes([one] * 32)).decode() for one in (1, 2))
    own = {"base_url": f"http://127.0.0.1:{shop.port}{shop.base_path}", **shop.settings()}
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in own.items())
    return f"""
server.listen = "127.0.0.1:{port}"
journal.url = "sqlite:////var/lib/giftcard-gateway/journal.db"
seal = {{ active = "one", keys = {{ one = "{key}" }}, hash_key = "{other}" }}
routing.default = "shop"

[providers.shop]
adapter = "{shop.adapter}"

[providers.shop.settings]
{written}
"""


def tried(stages: Mapping[str, Stage], folder: Path, port: int) -> None:
    """Redeem a card through the images; raise Failed where one does not do what it must."""
    gateway, sandbox = stages["gateway"], stages["sandbox"]
    mounted, journal = folder / "settings", folder / "journal"
    for one in (mounted, journal):
        one.mkdir()
    os.chown(journal, *map(int, gateway.user.split(":")))
    (mounted / "gateway.toml").write_text(settings(port, sandboxes_at(port)[0]), encoding="utf-8")
    shut = sealed(sandbox, folder, "sandbox-shut", writable=None, settings=None)
    root = sealed(gateway, folder, "gateway-shut", writable=journal, settings=mounted)
    refused = chrooted(gateway, root, "0:0", ["touch", "/opt/giftcard-gateway/bin/more"], {})
    if not subprocess.run(refused, stderr=subprocess.DEVNULL, check=False).returncode:
        raise Failed("the root can be written to")
    migrate = chrooted(gateway, root, gateway.user, [*gateway.entrypoint, "migrate"], {})
    subprocess.run(migrate, check=True, timeout=START_S)
    with (
        serving(sandbox, shut, [*sandbox.command, "--port", str(port)]),
        serving(gateway, root, gateway.command) as process,
    ):
        healthy(process, chrooted(gateway, root, gateway.user, gateway.health, {}))
        with Client(f"127.0.0.1:{port}", plaintext=True) as client:
            done = client.redeem(transaction_id=new_transaction_id(), card=PAN, amount="1.00", currency="ZAR")
        if done.state != v1.TransactionState.TRANSACTION_STATE_APPROVED:
            raise Failed(f"the redeem was not approved: {v1.TransactionState.Name(done.state)}")
    click.echo(f"redeemed through the image, as {gateway.user}, read-only: {len([*journal.iterdir()])} files")


def healthy(process: subprocess.Popen[bytes], check: Sequence[str]) -> None:
    """Wait until the image's own health check says 0."""
    until = time.monotonic() + START_S
    while subprocess.run(check, check=False, timeout=START_S).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise Failed(f"the gateway is not healthy; exit code {process.poll()}")
        time.sleep(1)


def main() -> int:
    """Replay in a mount namespace of our own; 0 when all went well."""
    if INSIDE not in os.environ:
        words = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            sys.executable,
            "-m",
            "tests.deploy.replay",
        ]
        return subprocess.run(
            [*words, *sys.argv[1:]], env={**os.environ, INSIDE: "1"}, check=False
        ).returncode
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 35_000
    with tempfile.TemporaryDirectory() as named:
        # In memory and in this namespace: what is mounted is gone with the process.
        mount("-t", "tmpfs", "tmpfs", named)
        folder = Path(named)
        try:
            tried(
                built(RECIPE.read_text(encoding="utf-8"), folder, {"SOURCE_DATE_EPOCH": EPOCH}), folder, port
            )
        except Failed as fault:
            click.echo(str(fault), err=True)
            return 1
        finally:
            subprocess.run(["umount", "--recursive", "--lazy", named], check=False)  # noqa: S607 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
