"""Finding and stopping the processes of one stack folder: those, and no others.

Nothing is written down about them, so nothing can be out of date. A process of ours is known by what it is: Python
ones carry the folder in their environment, the servers work in it.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "PALIER_STACK"  # in the environment of every process that a supervisor starts: the folder of its stack
PYTHON_SECONDS = 8
SERVER_SECONDS = 15


def find_marked(folder: Path) -> list[psutil.Process]:
    """Web, worker, beat and steps of the stack of `folder`, with all that they started; never ourselves."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and is_marked(process, folder)]


def is_marked(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(folder.resolve())
    except (psutil.Error, OSError):  # ended meanwhile, or not ours to read
        return False


def find_servers(folder: Path, name: str = "") -> list[psutil.Process]:
    """PostgreSQL (postmaster and backends) and Valkey whose data lie in `folder`; or only those called `name`."""
    homes = {"postgres": folder.resolve() / "postgres", "valkey-server": folder.resolve()}
    if name:
        homes = {name: homes[name]}
    return [process for process in psutil.process_iter() if is_server(process, homes)]


def is_server(process: psutil.Process, homes: dict[str, Path]) -> bool:
    try:
        name = process.name()
        return name in homes and Path(process.cwd()) == homes[name]
    except (psutil.Error, OSError):
        return False


def stop_leftovers(folder: Path) -> int:
    """Stop what a killed owner of `folder` left running; returns how many processes that were.

    The caller owns the folder.
    """
    marked = find_marked(folder)
    stop_all(marked, seconds=PYTHON_SECONDS)
    return len(marked) + stop_servers(folder)


def stop_servers(folder: Path) -> int:
    """Stop PostgreSQL and Valkey on `folder`, whoever started them; returns how many processes that were."""
    servers = find_servers(folder)
    postgres = [process for process in servers if read_name(process) == "postgres"]
    leaders = [process for process in postgres if process.ppid() not in {other.pid for other in postgres}]
    stop_all(leaders, seconds=SERVER_SECONDS, how=signal.SIGINT)  # fast shutdown; an orphaned backend ends by itself
    stop_all(find_servers(folder), seconds=PYTHON_SECONDS)
    return len(servers)


def read_name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def stop_all(processes: Iterable[psutil.Process], *, seconds: float, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask each to end, wait, then kill those that did not. A pid that was given to another process is left alone."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.send_signal(how)
    deaf = wait_for_end(asked, seconds=seconds)
    for process in deaf:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_for_end(deaf, seconds=seconds)


def wait_for_end(processes: Iterable[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Wait until all have ended; returns those that have not after `seconds`."""
    deadline = time.monotonic() + seconds
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [process for process in alive if is_alive(process)]
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Dead ones that nobody has reaped yet do not count: in a container it may never happen."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
