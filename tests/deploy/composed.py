"""Plays deploy/compose.yaml without an engine: each service's own command, variables and files, as processes.

Ports are moved to free ones, in commands, variables and files alike; paths in a container become paths in a
folder. PostgreSQL's image makes a cluster from its variables before it runs the command, and so does this.
Jaeger and Grafana do not take part: where Jaeger takes spans, a second collector writes them down.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.compose.__main__ import furnish
from tests.deploy.tools import DEPLOY, tool
from tests.e2e.envoys import envoy_program
from tests.e2e.processes import Running, end, environment, free_port, started
from tests.postgres import as_server_user, program, server_user

RECIPE = DEPLOY / "compose.yaml"
SANDBOX = 50051
"""From here up are the gateways and the simulators, whose places are told by their distance from it."""
OTHERS = (8080, 8443, 9901, 9464, 9465, 5432, 9090, 24317, 4317, 16686, 3000)
_NUMBER = re.compile(r"(?<![\d.])\d{4,5}(?![\d.])")


def services() -> dict[str, Any]:
    """Return the services by name."""
    made: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["services"]
    return made


def mounts(service: Mapping[str, Any]) -> dict[str, str]:
    """Return where each file or folder of ours is, by its place in the container; named volumes too."""
    split = (one.split(":") for one in service.get("volumes", ()))
    return {inside: outside for outside, inside, *_ in split}


@dataclass
class Composed:
    """What a test needs of the services: a folder, and ports of its own."""

    folder: Path
    ports: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Take ports, and make what `make compose` makes."""
        first, second = free_port(), free_port()
        self.ports = {SANDBOX + number: first + number for number in range(30)}
        self.ports |= {port: second + place for place, port in enumerate(OTHERS)}
        furnish(self.folder / "build")

    def moved(self, text: str) -> str:
        """Return a text with the ports of this test."""
        return _NUMBER.sub(lambda one: str(self.ports.get(int(one[0]), one[0])), text)

    def outside(self, name: str, inside: str, source: str) -> Path:
        """Return a copy of what a service has mounted, with the ports of this test."""
        place = self.folder / name / inside.lstrip("/")
        if not source.startswith("."):
            place.mkdir(parents=True, exist_ok=True)
            return place
        made = "../build/compose"
        here = self.folder / "build" / source[len(made) :].lstrip("/") if source.startswith(made) else None
        here = here or (DEPLOY / source)
        if here.is_dir():
            shutil.copytree(here, place, dirs_exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, place)
        for one in (place, *place.glob("*.yaml")):
            if one.suffix in {".yaml", ".yml", ".toml"}:
                one.write_text(self.moved(one.read_text(encoding="utf-8")), encoding="utf-8")
        return place

    def environ(self, name: str) -> dict[str, str]:
        """Return a service's variables."""
        service = services()[name]
        made: dict[str, str] = {}
        for file in service.get("env_file", ()):
            text = (self.folder / "build" / Path(file).name).read_text(encoding="utf-8")
            made |= dict(line.split("=", 1) for line in text.splitlines())
        made |= service.get("environment", {})
        return {key: value if _is_secret(key) else self.moved(str(value)) for key, value in made.items()}

    def words(self, name: str) -> list[str]:
        """Return a service's command, with paths of this machine."""
        service = services()[name]
        places = {
            inside: str(self.outside(name, inside, source)) for inside, source in mounts(service).items()
        }
        longest_first = sorted(places, key=len, reverse=True)
        pattern = re.compile("|".join(rf"(?:^|(?<==)){re.escape(one)}" for one in longest_first) or "(?!)")
        return [pattern.sub(lambda one: places[one[0]], self.moved(word)) for word in service["command"]]

    @contextmanager
    def process(self, name: str, *words: str | Path, folder: Path | None = None) -> Iterator[Running]:
        """Run a program as a service."""
        at = self.folder / f"{name}-said"
        at.mkdir()
        with (at / "stdout").open("wb") as out, (at / "stderr").open("wb") as err:
            environ = environment(self.environ(name))
            process = subprocess.Popen(words, cwd=folder or at, env=environ, stdout=out, stderr=err)
        try:
            yield Running(process, at)
        finally:
            end(process)

    @contextmanager
    def ours(self, name: str) -> Iterator[Running]:
        """Run a service of our own image."""
        at = self.folder / f"{name}-said"
        at.mkdir()
        words, environ = self.words(name), self.environ(name)
        config = self.folder / name / "etc/giftcard-gateway/gateway.toml"
        with started(
            *words, folder=at, environ=environ | {"GIFTCARD_GATEWAY_CONFIG": str(config)}
        ) as running:
            yield running

    @contextmanager
    def postgres(self) -> Iterator[Running]:
        """Run PostgreSQL as its image does: a cluster of the variables' user, password and database."""
        told = self.environ("postgres")
        home = Path(tempfile.mkdtemp(prefix="giftcard-pg-"))
        try:
            (home / "password").write_text(told["POSTGRES_PASSWORD"], encoding="utf-8")
            if (user := server_user()) is not None:
                for one in (home, home / "password"):
                    shutil.chown(one, user)
            makes: list[str | Path] = [
                "-D",
                home / "data",
                "-U",
                told["POSTGRES_USER"],
                "-A",
                "scram-sha-256",
            ]
            makes += ["--pwfile", home / "password", "-N", "-E", "UTF8", "--no-locale"]
            subprocess.run(
                [*as_server_user(), program("initdb"), *makes], check=True, capture_output=True, cwd=home
            )
            _, *words = self.words("postgres")
            command: list[str | Path] = [
                *as_server_user(),
                program("postgres"),
                *words,
                "-D",
                home / "data",
                "-k",
                home,
            ]
            with self.process("postgres", *command, folder=home) as running:
                _, *asks = (self.moved(word) for word in services()["postgres"]["healthcheck"]["test"])
                running.wait_until(
                    lambda: subprocess.run([program(asks[0]), "-q", *asks[1:]], check=False).returncode == 0
                )
                where = ["-h", "127.0.0.1", "-p", str(self.ports[5432]), "-U", told["POSTGRES_USER"]]
                environ = {**os.environ, "PGPASSWORD": told["POSTGRES_PASSWORD"]}
                subprocess.run([program("createdb"), *where, told["POSTGRES_DB"]], check=True, env=environ)
                yield running
        finally:
            shutil.rmtree(home)

    @contextmanager
    def all(self) -> Iterator[dict[str, Running]]:
        """Run PostgreSQL, simulators, both gateways, Envoy and Prometheus, each as its service says."""
        envoy, prometheus = envoy_program(), tool("prometheus")
        with ExitStack() as stack:
            running = {"postgres": stack.enter_context(self.postgres())}
            running["sandbox"] = stack.enter_context(self.ours("sandbox"))
            with self.ours("migrate") as migrated:
                assert migrated.ended() == 0, migrated.complained
            for name in ("gateway-1", "gateway-2"):
                running[name] = stack.enter_context(self.ours(name))
            _, *words = self.words("envoy")
            at = self.folder / "envoy" / services()["envoy"]["working_dir"].lstrip("/")
            command = [envoy, *words, "--use-dynamic-base-id", "--concurrency", "1"]
            running["envoy"] = stack.enter_context(self.process("envoy", *command, folder=at))
            command = [prometheus, *self.words("prometheus")]
            running["prometheus"] = stack.enter_context(self.process("prometheus", *command))
            for name in ("gateway-1", "gateway-2"):
                one = running[name]
                one.wait_until(lambda one=one: "serves on" in one.complained)  # type: ignore[misc]  # mypy: a default in a lambda
            try:
                yield running
            finally:
                # Told twice, as they are when the block ends, they wait for nobody.
                for name in ("gateway-1", "gateway-2"):
                    running[name].send(signal.SIGTERM)


def _is_secret(name: str) -> bool:
    return name in {"POSTGRES_PASSWORD", "HASH_KEY", "SEAL_KEY"}
