"""Makes `.venv` from the lock files: `python3.11 config/environment.py requirements.txt`. Needs nothing but Python.

A stamp in `.venv` says which locks it holds, so that a second run costs a tenth of a second; it is written last, so
that an interrupted installation is begun anew by the next run.
"""

from __future__ import annotations  # an older Python must get as far as our message

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP, UNFINISHED = VENV / "palier.json", VENV / "palier.unfinished"
PYTHON = VENV / "bin" / "python"
BASE, DEV, UV = "requirements.txt", "requirements-dev.txt", "requirements-uv.txt"
INCLUDES = {BASE: [BASE], DEV: [BASE, DEV], UV: [UV]}  # the development lock holds all of the other


def main(lock: str) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"Palier needs Python 3.11 or later, this is {sys.version.split()[0]}: make PYTHON=/path/to/python")
    wanted = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in INCLUDES[lock]}
    held = read_stamp()
    if wanted.items() <= held.items() and is_usable(held):
        return
    if not is_usable(held):
        make_venv()
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    install(lock)
    STAMP.write_text(json.dumps({**(held if lock == UV else {}), **wanted, "place": str(VENV)}))
    UNFINISHED.unlink()


def read_stamp() -> dict[str, str]:
    """Which locks the environment holds, and where it was made; nothing when nobody says."""
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def is_usable(stamp: dict[str, str]) -> bool:
    """Whether what is there can be built on: not cut short, not moved, its Python not removed since."""
    return not UNFINISHED.exists() and stamp.get("place", str(VENV)) == str(VENV) and os.access(PYTHON, os.X_OK)


def make_venv() -> None:
    print(f"Making {VENV} with Python {sys.version.split()[0]}.", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    UNFINISHED.touch()
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    if made.returncode != 0:
        sys.exit("Python's venv module is missing or broken. On Debian and Ubuntu: apt-get install python3-venv")


def install(lock: str) -> None:
    """With uv, which takes seconds; with pip where uv cannot be had or does not know the index that pip was told."""
    arguments = ["--require-hashes", "-r", str(ROOT / lock)]
    print(f"Installing {lock}.", flush=True)
    if lock != UV and install_with_uv(arguments):
        return
    run = subprocess.run([*PIP, *arguments], check=False)
    if run.returncode != 0:
        sys.exit(f"Installing {lock} failed; the next run starts again from here.")


def install_with_uv(arguments: list[str]) -> bool:
    got = subprocess.run([*PIP, "--require-hashes", "-r", str(ROOT / UV)], check=False, capture_output=True)
    if got.returncode != 0:
        return False
    command = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--system-certs"]
    run = subprocess.run([*command, "--python", str(PYTHON), *arguments], check=False, capture_output=True)
    return run.returncode == 0


PIP = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]

if __name__ == "__main__":
    main(*sys.argv[1:])
