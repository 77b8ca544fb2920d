"""The package as others get it: built, alone, and with nothing but Python beside it."""

import ast
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import palier_client
from palier_client.sender import VERSION
from tests.clients.python.servers import CLIENT_SOURCE

PACKAGE = CLIENT_SOURCE / "palier_client"
MODULES = sorted(PACKAGE.glob("*.py"))
USE = """
import sys
sys.path.insert(0, sys.argv[1])
import palier_client
from palier_client.spool import Spool
assert palier_client.__file__.startswith(sys.argv[1])
with palier_client.Client("http://127.0.0.1:9", "key", source="test", spool=sys.argv[2]) as client:
    pass
print(client.stats().waiting)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder with what the package's own build puts there; without setuptools, a copy of its source."""
    copy, target = tmp_path / "copy", tmp_path / "target"
    shutil.copytree(CLIENT_SOURCE.parent, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    if find_spec("setuptools") is None:
        return copy / "src"
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "--quiet", "build", "-b", str(target)]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return target / "lib"


def test_what_is_built_is_whole_and_works_alone(target: Path, tmp_path: Path):
    names = {path.name for path in (target / "palier_client").iterdir() if path.is_file()}
    assert names == {path.name for path in MODULES} | {"py.typed"}
    command = [sys.executable, "-I", "-S", "-c", USE, str(target), str(tmp_path / "spool")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "0\n", "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_needs_nothing_but_python(path: Path):
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module or "")
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "palier_client"}


def test_all_that_is_promised_is_there():
    assert all(hasattr(palier_client, name) for name in palier_client.__all__)
    assert palier_client.__all__ == sorted(palier_client.__all__)


def test_the_version_is_plain_text_for_the_build_to_read():
    tree = ast.parse((PACKAGE / "sender.py").read_text())
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(values["VERSION"]) == VERSION
