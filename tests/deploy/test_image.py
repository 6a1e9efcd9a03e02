"""The image's lines: well made by a linter's word, of what is there, and nothing in them runs as root."""

from __future__ import annotations

import json
import re

from giftcard_gateway.cli import COMMANDS
from tests.conftest import ROOT
from tests.deploy.replay import RECIPE, lines
from tests.deploy.tools import DEPLOY, ran, tool

LINES = lines(RECIPE.read_text(encoding="utf-8"))


def test_the_linter_has_nothing_to_say() -> None:
    """Hadolint finds nothing in the Dockerfile, at any level."""
    done = ran(tool("hadolint"), "--failure-threshold", "style", str(RECIPE))
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_in() -> None:
    """Each file that COPY names is in the checkout; .dockerignore lets in those, and no others."""
    copied = {
        name.rstrip("/")
        for word, rest in LINES
        if word == "COPY" and "--from" not in rest
        for name in rest.split()[:-1]
    }
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


def test_what_runs_is_not_root_and_tells_its_health() -> None:
    """The last stage runs a command of ours by a numeric user, and its health is a command of ours too."""
    last = max(place for place, (word, _) in enumerate(LINES) if word == "FROM")
    assert LINES[last][1] == "base AS gateway"
    told = {word: rest for word, rest in LINES[: last + 1] if word in {"USER", "ENTRYPOINT"}}
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", told["USER"])
    assert json.loads(told["ENTRYPOINT"]) == ["giftcard-gateway"]
    healths = [rest for word, rest in LINES if word == "HEALTHCHECK"]
    assert [json.loads(one.partition(" CMD ")[2])[1] for one in healths if one != "NONE"] == ["health"]
    commands = {json.loads(rest)[0] for word, rest in LINES if word == "CMD"}
    assert commands | {"health"} <= set(COMMANDS)


def test_bases_are_pinned_and_nothing_is_fetched_unseen() -> None:
    """Bases have a tag that is not `latest`; what is installed has hashes or is our own."""
    (base,) = (rest.partition("=")[2] for word, rest in LINES if word == "ARG" and rest.startswith("PYTHON="))
    assert re.fullmatch(r"[a-z/-]+:(?!latest)[\w.-]+(@sha256:[0-9a-f]{64})?", base)
    assert {rest.split()[0] for word, rest in LINES if word == "FROM"} == {"${PYTHON}", "build", "base"}
    assert not {word for word, _ in LINES} & {"ADD", "ONBUILD"}
    installs = re.findall(r"install (.*?)(?:&&|$)", " ".join(rest for word, rest in LINES if word == "RUN"))
    assert installs
    assert all(
        ("--require-hashes" in one and "--only-binary :all:" in one) or "--no-index" in one
        for one in installs
    )


def test_wheels_are_built_by_what_was_tested() -> None:
    """What builds the wheels in the image has the versions that build them here."""
    pins = re.compile(r"^([\w.-]+==\S+)", re.MULTILINE)
    build, dev = (
        set(pins.findall((DEPLOY / f"requirements/{name}.txt").read_text(encoding="utf-8")))
        for name in ("build", "dev")
    )
    assert build
    assert build <= dev
