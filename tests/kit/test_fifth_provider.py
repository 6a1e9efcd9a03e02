"""A fifth provider in a copy of this repository: found everywhere, and no shared file is edited for it."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from giftcard import Client, is_approved, is_confirmed, new_transaction_id
from giftcard_conformance.skeleton import draw, write
from giftcard_simulators.catalogue import SANDBOXES
from tests.conftest import ROOT
from tests.e2e.processes import free_port, run, started
from tests.kit.packages import EXAMPLE, NAME, python, run_tests

COPIED = ("adapters", "gateway", "tests", "docs", "protos", "README.md", "pyproject.toml")
WRITTEN_BY_MAKE_TABLES = {Path("README.md"), Path("docs/sandbox.md")}
PORT = SANDBOXES[-1].port + 1
SANDBOX = f"""
from giftcard_simulators.sandbox import Sandbox

SANDBOX = Sandbox(
    provider_id="acme-cards-sandbox",
    port={PORT},
    adapter="giftcard_adapters.acme_cards:AcmeCards",
    make=AcmeCardsSimulator,
    settings=sandbox_settings,
    currency="EUR",
    prefixes=("98700",),
)
"""
PACKAGE, ADAPTER = EXAMPLE / "giftcard_acme_cards", "giftcard_adapters.acme_cards"
PAGE = {
    "### Demo cards": (
        "| `9870000000000001` | – | EUR 1,000.00 | everything |\n"
        "| `9870000000000002` | – | EUR 1.00 | a decline: too little on it |\n"
        "| `9870000000000003` | – | EUR 1,000.00 | a decline: locked |\n"
    ),
    "### Credentials": "| `key_id` | `sandbox-shop` |\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the repository, draw a skeleton into it, and fill that in as the example's author did."""
    root = copied(tmp_path_factory.mktemp("fifth"))
    skeleton = draw(NAME, in_checkout=True)
    write(skeleton, root)
    fill_adapter(root)
    fill_proof(root)
    page = root / skeleton.page
    text = page.read_text(encoding="utf-8")
    for heading, rows in PAGE.items():
        text = re.sub(rf"({heading}\n\n\|.*\n\|.*\n)", rf"\1{rows}", text)
    page.write_text(text, encoding="utf-8")
    return root


def copied(root: Path) -> Path:
    """Copy what is needed of the repository."""
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=junk)
        else:
            shutil.copy(ROOT / name, root / name)
    return root


def fill_adapter(root: Path) -> None:
    """Write the adapter and the simulator into the skeleton, and let the sandbox know."""
    simulator = root / "adapters/giftcard_simulators/acme_cards"
    adapter = root / "adapters/giftcard_adapters/acme_cards"
    for module in PACKAGE.glob("*.py"):
        if module.name not in {"__init__.py", "descriptor.py", "simulator.py"}:
            shutil.copy(module, adapter / module.name)
    shutil.copy(PACKAGE / "simulator.py", simulator / "simulator.py")
    init = simulator / "__init__.py"
    init.write_text(init.read_text(encoding="utf-8") + SANDBOX, encoding="utf-8")


def fill_proof(root: Path) -> None:
    """Write the descriptor and the golden exchanges."""
    descriptor = (PACKAGE / "descriptor.py").read_text(encoding="utf-8")
    descriptor = descriptor.replace("from .simulator", "from giftcard_simulators.acme_cards.simulator")
    descriptor = descriptor.replace("from .adapter", f"from {ADAPTER}.adapter")
    (root / "tests/conformance/providers/acme_cards.py").write_text(descriptor, encoding="utf-8")
    goldens = root / "tests/adapters/golden/acme_cards"
    shutil.copytree(EXAMPLE / "tests/golden/acme_cards", goldens, dirs_exist_ok=True)
    stanza = (goldens / "provider.json").read_text(encoding="utf-8").replace("giftcard_acme_cards", ADAPTER)
    (goldens / "provider.json").write_text(stanza, encoding="utf-8")


@pytest.fixture(scope="module")
def environ(tree: Path) -> dict[str, str]:
    """Have Python find the copy before the repository."""
    return {"PYTHONPATH": f"{tree / 'adapters'}:{tree / 'gateway'}:{tree}"}


def digests(root: Path) -> dict[Path, str]:
    """Return a digest of every file below a folder, generated ones aside."""
    files = (path for name in COPIED for path in [root / name, *(root / name).rglob("*")] if path.is_file())
    return {
        path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "__pycache__" not in path.parts
    }


def test_nothing_shared_is_edited(tree: Path, environ: dict[str, str]) -> None:
    """Every file that was there is as it was, but for the two pages whose tables `make tables` writes."""
    python("-m", "tests.house.tables", folder=tree, environ=environ)
    before, after = digests(ROOT), digests(tree)
    changed = {path for path, digest in after.items() if path in before and before[path] != digest}
    assert changed == WRITTEN_BY_MAKE_TABLES
    added = {path for path in after.keys() - before.keys() if "acme_cards" not in str(path)}
    assert added == set()
    assert f"| `acme-cards-sandbox` | {PORT} |" in (tree / "docs/sandbox.md").read_text(encoding="utf-8")


def test_the_capability_table_has_its_column(tree: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """`providers --sandbox --markdown` has a column for it, after the others."""
    assert tree.is_dir()
    told = run("providers", "--sandbox", "--markdown", folder=tmp_path, environ=environ)
    assert told.returncode == 0, told.stderr
    head, _, *rows = told.stdout.splitlines()
    assert head.endswith("| AcmeCards |")
    assert next(row for row in rows if row.startswith("| Redeem ")).endswith("| N |")


def test_the_sandbox_serves_it(environ: dict[str, str], tmp_path: Path) -> None:
    """`serve --sandbox` plays it beside the others, routes by its prefix and moves its port with the rest."""
    first = free_port()
    words = ("serve", "--sandbox", "--port", str(first), "--data", "data")
    with started(*words, folder=tmp_path, environ=environ) as running:
        running.wait_until(lambda: "Ctrl-C stops" in running.said)
        assert re.search(rf"acme-cards-sandbox +http://127\.0\.0\.1:{first + PORT - 50051}", running.said)
        with Client(f"127.0.0.1:{first}", plaintext=True) as client:
            done = client.redeem(
                transaction_id=new_transaction_id(), card="9870000000000001", amount="5.00", currency="EUR"
            )
            assert is_approved(done)
            assert done.provider == "acme-cards-sandbox"
            assert is_confirmed(client.confirm_redeem(transaction_id=done.transaction_id))


FINDERS = (
    "tests/conformance/test_conformance.py",
    "tests/adapters/test_golden.py",
    "tests/providers/test_providers.py",
    "tests/providers/test_unsupported.py",
    "tests/e2e/test_pages.py",
    "tests/house/test_tables.py",
    "tests/simulators/test_serve.py",
)
OF_ALL = "every_adapter_has or are_listed or no_blank or table_is or sandboxes"
"""What else is about every provider at once."""


def test_the_tests_find_it(tree: Path, environ: dict[str, str]) -> None:
    """The repository's own tests take it up by themselves, and pass."""
    python("-m", "tests.house.tables", folder=tree, environ=environ)
    ended = run_tests(tree, environ, "-p", "no:xdist", "-v", *FINDERS, "-k", f"acme or {OF_ALL}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    passed = re.findall(r"(?m)^(tests/[a-z0-9_/]+\.py)::.* PASSED", ended.stdout)
    assert set(passed) == set(FINDERS)
    assert len(passed) > 100
