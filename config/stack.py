"""Runs everything on one machine: `python -m config.stack demo | demo-check | run [--port 8000] | reset`.

Owns one folder (`var/`, or `var/demo-check`): the embedded servers' data, logs, the development key, static files.
Whatever ends it (Ctrl-C, SIGTERM, a step that fails, an error), every process it started is stopped, and only those.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config import embedded
from config.local_stripe import LocalStripe, draw_local_stripe, is_wanted, read_local_stripe
from config.ownership import OWNER, FolderIsOwned, is_used, own_folder
from config.processes import MARK, stop_leftovers
from config.supervisor import Service, StackFailed, Supervisor, describe_end

BASE_DIR = Path(__file__).resolve().parents[1]
VAR_DIR = Path(os.environ.get("PALIER_VAR_DIR") or BASE_DIR / "var")
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEMO_PORTS = 20  # how many ports the demo tries when its first one is taken
STRIPE_PORT = 12111


class Interrupted(BaseException):
    """A signal asks us to end."""

    def __init__(self, number: int) -> None:
        self.number = number


class StepFailed(RuntimeError):
    """A command between the starts ended with an exit status other than 0."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs in one folder, and how its processes are told about it."""

    folder: Path
    port: int
    stripe: LocalStripe | None  # None: somebody gave a key of Stripe's
    environ: Mapping[str, str]
    supervisor: Supervisor

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_servers(self) -> None:
        """PostgreSQL and Valkey, as far as no URL names others."""
        if not os.environ.get("DATABASE_URL"):
            start = partial(embedded.start_postgres, self.folder)
            log = self.find_log("postgres")
            self.supervisor.start(Service("postgres", log, start, signal.SIGINT, stop_seconds=20, is_server=True))
            embedded.create_database(self.folder)
        if not os.environ.get("REDIS_URL"):
            start = partial(embedded.start_valkey, self.folder)
            self.supervisor.start(Service("valkey", self.find_log("valkey"), start, is_server=True))

    def start_workers(self) -> None:
        celery = ["-m", "celery", "-A", "config"]
        quiet = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        self.start("worker", [*celery, "worker", "--concurrency", "2", *quiet])
        self.start("beat", [*celery, "beat", "--pidfile="])

    def start_web(self) -> None:
        address = ["--bind", f"127.0.0.1:{self.port}", "--no-control-socket"]
        threads = ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--graceful-timeout", "8"]
        self.start("web", ["-m", "gunicorn", "config.wsgi", "--preload", *address, *threads])

    def start_stripe(self) -> None:
        if self.stripe is None:
            return
        stripe = self.stripe
        self.start("stripe", stripe.list_arguments(self.folder))
        self.supervisor.wait_for(lambda: answers(f"{stripe.url}/_sim/health"), seconds=30, what="the local Stripe")
        hook = {"url": f"{self.url}/stripe/webhook/", "secret": stripe.webhook_secret, "is_only": True}
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{stripe.url}/_sim/endpoint", json.dumps(hook).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - our own address

    def wait_for_web(self) -> None:
        self.supervisor.wait_for(lambda: answers(f"{self.url}/readyz"), seconds=60, what="an answer of the web server")

    def start(self, name: str, arguments: list[str]) -> None:
        self.supervisor.start(Service(name, self.find_log(name), partial(self.spawn, name, arguments)))

    def find_log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    def spawn(self, name: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        with embedded.open_log(self.folder, name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=BASE_DIR, env=self.environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def run_step(self, *command: str) -> None:
        """Run one Python command. Raises StepFailed when its exit status is not 0."""
        started = time.monotonic()
        status = self.supervisor.run_step([sys.executable, *command], environ=self.environ, folder=BASE_DIR)
        if status != 0:
            raise StepFailed(f"{command[1]} failed ({describe_end(status)})")
        self.supervisor.say(f"· {command[1].removeprefix('config.')} {time.monotonic() - started:.1f} s")


def run_stack(stack: Stack, *, tells_story: bool, serves: bool) -> None:
    """Start everything in order, tell the story while the web server warms up, and serve until a signal comes."""
    stack.start_servers()
    stack.run_step("-m", "config.prepare")
    stack.start_stripe()
    stack.start_workers()
    stack.start_web()
    if tells_story:
        stack.run_step("manage.py", "run_demo")
    if serves:
        stack.wait_for_web()
        stack.supervisor.say(describe_addresses(stack))
        try:
            stack.supervisor.keep_alive()
        except Interrupted:
            stack.supervisor.say("Stopping.")


def describe_addresses(stack: Stack) -> str:
    stripe = f"{stack.stripe.url}/ (a local simulator: no key is set)" if stack.stripe else "as your key says"
    return f"""
  portal   {stack.url}/
  admin    {stack.url}/admin/
  api      {stack.url}/api/v1/
  stripe   {stripe}
  logs     {stack.folder / "log"}

Ctrl-C stops everything."""


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[Supervisor]:
    """Own `folder`, clear what a killed predecessor left, and stop everything at the end of the block."""
    with own_folder(folder, patience=5):
        supervisor = Supervisor(sys.stdout)
        wait_for_users(folder, supervisor)
        stopped = stop_leftovers(folder)
        if stopped:
            supervisor.say(f"Stopped {stopped} processes that an earlier run left behind.")
        try:
            yield supervisor
        finally:
            ignore_signals()
            supervisor.stop()
            stop_leftovers(folder)


def wait_for_users(folder: Path, supervisor: Supervisor) -> None:
    if is_used(folder):
        supervisor.say(f"A manage.py command uses the servers in {folder}; waiting until it ends.")
        while is_used(folder):
            time.sleep(0.2)


def make_environ(folder: Path, port: int, stripe: LocalStripe | None) -> dict[str, str]:
    """What each process of the stack is told: where the servers are, and whose it is."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
        **os.environ,
        "DATABASE_URL": os.environ.get("DATABASE_URL") or embedded.database_url(folder),
        "REDIS_URL": os.environ.get("REDIS_URL") or embedded.redis_url(folder),
        "PALIER_VAR_DIR": str(folder),
        "PYTHONUNBUFFERED": "1",
        MARK: str(folder.resolve()),
        "PALIER_URL": f"http://127.0.0.1:{port}",
        **(stripe.environ if stripe else {}),
    }


def prepare_stripe(folder: Path) -> LocalStripe | None:
    """The local Stripe of this folder, where nobody gave a key: that of the last time while its port is free."""
    if not is_wanted():
        return None
    known = read_local_stripe(folder)
    if known and is_free(known.port):
        return known
    drawn = draw_local_stripe(choose_port(STRIPE_PORT, tries=DEMO_PORTS))
    drawn.write(folder)
    return drawn


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def choose_port(wanted: int, *, tries: int) -> int:
    """The first free port from `wanted` on. Raises StackFailed when there is none among `tries`."""
    for port in range(wanted, wanted + tries):
        if is_free(port):
            if port != wanted:
                print(f"Port {wanted} is taken: using {port}.", flush=True)
            return port
    raise StackFailed(f"port {wanted} is taken by another program; choose one, for example PORT={wanted + 1}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reset(folder: Path) -> None:
    """Throw away everything below `folder`. Raises FolderIsOwned while a stack runs there."""
    check = folder / "demo-check"
    with own_folder(folder), own_folder(check):
        if is_used(folder):
            raise StackFailed(f"a manage.py command uses the servers in {folder}; let it end first")
        for place in (check, folder):
            stop_leftovers(place)
            embedded.remove_socket_dir(place)
        wipe(folder)
    print(f"{folder} is empty.")


def wipe(folder: Path) -> None:
    """Remove what lies in `folder`, but for the lock that makes it ours."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != OWNER:
            path.unlink()


def catch_signals() -> None:
    for number in ENDING_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, raise_interrupted)


def raise_interrupted(number: int, _frame: object) -> None:
    ignore_signals()
    raise Interrupted(number)


def ignore_signals() -> None:
    """A second Ctrl-C must not leave half of the processes running; every stop has its deadline."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def carry_out(action: str, port: int) -> None:
    folder = VAR_DIR / "demo-check" if action == "demo-check" else VAR_DIR
    with hold_folder(folder) as supervisor:
        if action == "demo-check":
            wipe(folder)
        free_port = choose_port(port, tries=1 if action == "run" else DEMO_PORTS)
        stripe = prepare_stripe(folder)
        stack = Stack(folder, free_port, stripe, make_environ(folder, free_port, stripe), supervisor)
        run_stack(stack, tells_story=action != "run", serves=action != "demo-check")


def main() -> int:
    """The exit status: 0 when all went well or serving was ended by a signal, 1 when something failed, 128 + signal."""
    parser = argparse.ArgumentParser(prog="python -m config.stack")
    parser.add_argument("action", choices=["demo", "demo-check", "run", "reset"])
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    catch_signals()
    try:
        if options.action == "reset":
            reset(VAR_DIR)
        else:
            carry_out(options.action, options.port)
    except Interrupted as interrupted:
        print("Stopped before the end.", file=sys.stderr)
        return 128 + interrupted.number
    except (FolderIsOwned, StackFailed, StepFailed, embedded.ServiceDidNotStart) as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
