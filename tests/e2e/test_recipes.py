"""Every recipe of docs/grpcurl.md, run as it stands with the real programs against a sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT
from tests.e2e.sandboxes import Sandbox, grpcurl_program, sandbox
from tests.e2e.test_grpcurl import SERVICES, methods
from tests.e2e.test_secure import KEYS, created, listening
from tests.patience import PATIENCE_S
from tests.world.certificates import Authority

PAGE = (ROOT / "docs" / "grpcurl.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r'"([A-Z]+(?:_[A-Z]+)+)"')
_TOOLS = ROOT / ".tools" / "bin"


class Recipe(NamedTuple):
    """A block to paste, what it needs, and lines that its output holds; none means that it succeeds."""

    kind: str
    text: str
    says: tuple[str, ...]


RECIPES = tuple(
    Recipe(kind, text, tuple(line.strip() for line in says.splitlines()))
    for kind, text, says in _BLOCK.findall(PAGE)
)
PLAIN = tuple(recipe for recipe in RECIPES if not recipe.kind)


def paste(recipe: Recipe, running: Sandbox, answers: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a block in a shell, on the ports of this sandbox and with what earlier ones answered."""
    ports = {f"127.0.0.1:{50051 + above}": f"127.0.0.1:{running.port + above}" for above in (0, 10, 11, 12)}
    text = filled_in(recipe.text, answers)
    for written, here in ports.items():
        text = text.replace(written, here)
    programs = (Path(grpcurl_program()).parent, _TOOLS, ROOT / ".venv" / "bin")
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return subprocess.run(
        ["/bin/bash", "-e", "-c", text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PATH": path, **environ},
    )


def filled_in(text: str, answers: str) -> str:
    """Put what earlier answers gave in the place of the words in capitals."""
    return _PLACEHOLDER.sub(lambda found: f'"{answered(found[1], answers)}"', text)


def answered(placeholder: str, answers: str) -> str:
    """Return what the last answer gave under the name of a placeholder; what is no placeholder stays."""
    name = "".join(part.title() for part in placeholder.split("_"))
    name = name[0].lower() + name[1:]
    found = re.findall(rf'"(?:{name}|{placeholder.lower()})": "([^"]+)"', answers)
    return found[-1] if found else placeholder


def missing(recipe: Recipe) -> str | None:
    """Name the program of a recipe that this machine lacks."""
    places = os.pathsep.join([str(_TOOLS), str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    words = ("grpc-health-probe", "ghz", "buf", "curl")
    lines = recipe.text.splitlines()
    used = [word for word in words if any(line.startswith(f"{word} ") for line in lines)]
    return next((word for word in used if shutil.which(word, path=places) is None), None)


def does_what_it_says(recipe: Recipe, done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether a block that was pasted did what the page says of it."""
    lacks = [line for line in recipe.says if line not in done.stdout + done.stderr]
    return not lacks and (done.returncode == 0) is not bool(recipe.says)


def test_every_recipe_works(tmp_path: Path) -> None:
    """Pasted one after another, every block does what the page says, and no block prints a card number."""
    answers, wrong, skipped = "", [], set()
    with sandbox(tmp_path) as running:
        for recipe in PLAIN:
            if lacking := missing(recipe):
                skipped.add(lacking)
                continue
            done = paste(recipe, running, answers)
            for longer_s in (10, 30, 100):
                if does_what_it_says(recipe, done) or "-max-time" not in recipe.text:
                    break
                # On a slow machine a reader gives a stream more time.
                text = re.sub(r"-max-time \d+", f"-max-time {longer_s}", recipe.text)
                done = paste(recipe._replace(text=text), running, answers)
            said = done.stdout + done.stderr
            answers += done.stdout
            if not does_what_it_says(recipe, done):
                lacks = [line for line in recipe.says if line not in said]
                wrong.append(f"{recipe.text}\n-> {done.returncode}, lacks {lacks}\n{said}")
            assert "6045000000000061" not in said
    assert not wrong, "\n\n".join(wrong)
    if skipped:
        pytest.skip(f"{', '.join(sorted(skipped))}: not on this machine; all other recipes work")


def test_every_call_has_a_recipe() -> None:
    """The page calls each RPC of the contract."""
    called = set(re.findall(r"giftcard\.v1\.\w+Service/\w+", "".join(recipe.text for recipe in PLAIN)))
    assert called == {f"{service}/{method}" for service in SERVICES for method in methods(service)}


def test_the_recipe_with_tls_and_a_token_works(tmp_path: Path) -> None:
    """The page's key signs in over TLS, from a file and from a variable."""
    authority = Authority(tmp_path)
    environ = listening(authority.issue("server", "127.0.0.1")) | KEYS
    (recipe,) = (one for one in RECIPES if one.kind == "tls")
    with sandbox(tmp_path, environ=environ) as running:
        key = created(running, environ, "--scope", "read", "--days", "1")
        token = tmp_path / "token"
        token.write_text(key, encoding="ascii")
        text = recipe.text.replace("ca.pem", str(authority.file)).replace("cat token", f"cat {token}")
        signed_in = Recipe("tls", text, ())
        running.running.wait_until(lambda: paste(signed_in, running, "", TOKEN=key).returncode == 0)
        done = paste(signed_in, running, "", TOKEN=key)
        stranger = paste(signed_in, running, "", TOKEN="gck_none")
    assert '"electrum-sandbox"' in done.stdout
    assert '"units": "500"' in done.stdout
    assert "Unauthenticated" in stranger.stderr
    assert key not in done.stdout + done.stderr + stranger.stderr


def test_the_recipe_for_a_key_works(tmp_path: Path) -> None:
    """The page's command makes a key that reads for a day."""
    (recipe,) = (one for one in RECIPES if one.kind == "keys")
    with sandbox(tmp_path) as running:
        environ = dict(KEYS)
        words = recipe.text.split()[3:]
        assert recipe.text.startswith("giftcard-gateway keys create engineer --sandbox")
        assert created(running, environ, *words[2:])
