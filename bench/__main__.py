"""`python -m bench [NAME]`: run every benchmark, or the one module of this name; exit 1 when a target does not hold."""

import argparse
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

from bench.figures import Figure
from bench.stack import run_stack

GROUND = {"figures", "load", "stack", "__main__"}

Run = Callable[[], Iterator[Figure]]


def list_benches() -> list[str]:
    """A benchmark is a module beside this one with `run()`, which yields its figures."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in modules if module.name not in GROUND)


def main() -> int:
    names = list_benches()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names)
    wanted = parser.parse_args().name
    return run_bench(wanted) if wanted else run_each(names)


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
