"""`python -m bench [NAME]`: run every benchmark, or the one module of this name; exit 1 when a target does not hold."""

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

from bench.figures import Figure
from bench.peers import PEER
from bench.stack import run_stack

GROUND = {"figures", "floors", "load", "peers", "stack", "__main__"}

Run = Callable[[], Iterator[Figure]]


def list_benches() -> list[str]:
    """A benchmark is a module beside this one with `run()`, which yields its figures."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in modules if module.name not in GROUND)


def main() -> int:
    names = list_benches()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names)
    parser.add_argument("--peer", action="store_true", help="measure others beside it as well, fetched from PyPI")
    asked = parser.parse_args()
    if asked.peer:
        os.environ[PEER] = "yes"  # also for those that are run in a process of their own
    return run_bench(asked.name) if asked.name else run_each(names)


def run_each(names: Iterable[str]) -> int:
    """Each in a process of its own: Django is pointed at one database for as long as its process lives."""
    commands = [[sys.executable, "-m", "bench", name] for name in names]
    return max([subprocess.run(command, check=False).returncode for command in commands], default=0)


def run_bench(name: str) -> int:
    holds = True
    with run_stack():
        run = cast(Run, importlib.import_module(f"bench.{name}").run)
        for figure in run():
            print(figure.as_json(), flush=True)
            holds &= figure.holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
