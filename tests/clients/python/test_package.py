"""The package as others get it: built, alone, and with nothing but Python beside it."""

import ast
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import palier_client
from palier_client.sender import VERSION
from tests.clients.python.servers import CLIENT_SOURCE

PACKAGE = CLIENT_SOURCE / "palier_client"
MODULES = sorted(PACKAGE.glob("*.py"))
USE = """
import importlib.metadata, sys
import palier_client
with palier_client.Client("http://127.0.0.1:9", "key", source="test", spool=sys.argv[1]) as client:
    pass
print(importlib.metadata.version("palier-client"), *palier_client.__path__, client.stats().waiting, sep="\\n")
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """What the package's own build makes of its files and of what is said of it, as one file that pip installs.

    The build's last step, which packs them, is not in the setuptools that comes with Python, and is done here.
    """
    copy, built = tmp_path / "copy", tmp_path / "built"
    shutil.copytree(CLIENT_SOURCE.parent, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    if find_spec("setuptools") is None:
        shutil.copytree(copy / "src", built)
        about = f"Metadata-Version: 2.1\nName: palier-client\nVersion: {VERSION}\n"
    else:
        command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "--quiet", "build", "-b", str(built)]
        run([*command, "--build-lib", str(built), "egg_info"], cwd=copy)
        about = next(copy.glob("src/*.egg-info/PKG-INFO")).read_text()
    return pack_wheel(built, about, tmp_path)


def pack_wheel(folder: Path, about: str, target: Path) -> Path:
    """By PyPA's specification of the binary distribution format. pip computes no digest of a RECORD without one."""
    info = f"palier_client-{VERSION}.dist-info"
    texts = {
        f"{info}/METADATA": about,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    texts[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, *texts, f"{info}/RECORD"])
    wheel = target / f"palier_client-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, path in files.items():
            archive.write(path, name)
        for name, text in texts.items():
            archive.writestr(name, text)
    return wheel


def run(command: list[str], **options: Any) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_pip_installs_it_into_an_environment_of_its_own_where_it_works(wheel: Path, tmp_path: Path):
    place = tmp_path / "environment"
    venv.create(place, symlinks=True)
    python = str(place / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python]
    run([*pip, "install", "--no-index", str(wheel)])
    run([*pip, "check"])
    ran = subprocess.run(
        [python, "-I", "-c", USE, str(tmp_path / "spool")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    version, folder, waiting = ran.stdout.splitlines()
    assert (version, waiting) == (VERSION, "0")
    assert Path(folder).is_relative_to(place)
    names = {path.name for path in Path(folder).iterdir() if path.is_file()}
    assert names == {path.name for path in MODULES} | {"py.typed"}


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
