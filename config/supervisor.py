"""Keeps processes alive: starts them, starts them again when they die, and stops them in order, whatever happened."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from config.embedded import ServiceDidNotStart

QUICK_SECONDS = 10  # a life shorter than this counts as a quick death
QUICK_DEATHS = 5
FIRST_PAUSE = 0.25
POLL_SECONDS = 0.05


class StackFailed(RuntimeError):
    """The stack cannot go on; the message says which part and where its log is."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process to keep alive, the leader of its own process group. `start` returns it once it may be relied upon."""

    name: str
    log: Path
    start: "Callable[[], subprocess.Popen[bytes]]"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    is_server: bool = False  # others lean on it: it is stopped after them


@dataclass(slots=True)
class Kept:
    service: Service
    process: "subprocess.Popen[bytes]"
    started: float
    quick_deaths: int = 0
    restart_at: float | None = field(default=None)


class Supervisor:
    def __init__(self, report: TextIO) -> None:
        self.kept: list[Kept] = []
        self.report = report

    def start(self, service: Service) -> None:
        process = service.start()
        self.kept.append(Kept(service, process, time.monotonic()))

    def check(self) -> None:
        """Notice deaths and start again what died and has waited. Raises StackFailed after several quick deaths."""
        for kept in self.kept:
            if kept.restart_at is None:
                status = reap_group(kept.process)
                if status is not None:
                    self.note_death(kept, describe_end(status))
            elif time.monotonic() >= kept.restart_at:
                self.restart(kept)

    def note_death(self, kept: Kept, end: str) -> None:
        lived = time.monotonic() - kept.started
        kept.quick_deaths = kept.quick_deaths + 1 if lived < QUICK_SECONDS else 0
        name = kept.service.name
        if kept.quick_deaths >= QUICK_DEATHS:
            raise StackFailed(f"{name} died {QUICK_DEATHS} times in a row ({end}).\n{read_tail(kept.service.log)}")
        pause = FIRST_PAUSE * 2**kept.quick_deaths
        kept.restart_at = time.monotonic() + pause
        self.say(f"{name} ended ({end}); starting it again in {pause:.1f} s. Its log: {kept.service.log}")

    def restart(self, kept: Kept) -> None:
        kept.started, kept.restart_at = time.monotonic(), None
        try:
            kept.process = kept.service.start()
        except ServiceDidNotStart as error:
            return self.note_death(kept, str(error))
        kept.started = time.monotonic()
        return self.say(f"{kept.service.name} runs again (process {kept.process.pid}).")

    def wait_for(self, is_ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Keep everything alive until `is_ready`. Raises StackFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if time.monotonic() > deadline:
                raise StackFailed(f"{what} did not happen within {seconds:.0f} s")
            self.check()
            time.sleep(POLL_SECONDS)

    def run_step(self, command: Sequence[str], *, environ: Mapping[str, str], folder: Path) -> int:
        """Run one command to its end, its output passed through, and return its exit status."""
        step = subprocess.Popen(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            while (status := reap_group(step)) is None:
                self.check()
                time.sleep(POLL_SECONDS)
            return status
        finally:
            stop_group(step, how=signal.SIGTERM, seconds=10)

    def keep_alive(self) -> None:
        """Until a signal or StackFailed ends it."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop everything: first what leans on the servers, all at once, then the servers. Twice is quiet."""
        self.kept.sort(key=lambda kept: kept.service.is_server)
        for kept in self.kept:
            if not kept.service.is_server:
                ask_to_end(kept.process, kept.service.stop_signal)
        while self.kept:
            service, process = self.kept[0].service, self.kept[0].process
            stop_group(process, how=service.stop_signal, seconds=service.stop_seconds)
            del self.kept[0]

    def say(self, line: str) -> None:
        print(line, file=self.report, flush=True)


def reap_group(leader: "subprocess.Popen[bytes]") -> int | None:
    """The exit status of a group's leader, None while it lives. What it left running in its group is killed first.

    Looking before reaping (WNOWAIT) keeps the number of the group from being given to somebody else meanwhile.
    """
    if leader.returncode is not None:
        return leader.returncode
    if os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    os.killpg(leader.pid, signal.SIGKILL)
    return leader.wait()


def ask_to_end(leader: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if reap_group(leader) is None:
        leader.send_signal(how)


def stop_group(leader: "subprocess.Popen[bytes]", *, how: signal.Signals, seconds: float) -> None:
    """Ask the leader of a group to end, kill the group when it does not in time. Twice is quiet."""
    deadline = time.monotonic() + seconds
    ask_to_end(leader, how)
    while reap_group(leader) is None:
        if time.monotonic() > deadline:
            os.killpg(leader.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def describe_end(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def read_tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for a message that has to be understood without opening it."""
    if not log.exists():
        return ""
    tail = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([f"The end of {log}:", *(f"    {line}" for line in tail)])
