"""The real stack, in a folder with a space in its name: killed in every way, it heals; ended, it leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from config import embedded
from config.processes import find_marked, find_servers, is_alive, stop_leftovers, wait_for_end
from config.stack import BASE_DIR

HEAL_SECONDS = 20


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningStack:
    """`python -m config.stack run` on a folder of its own."""

    process: "subprocess.Popen[bytes]"

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.output = folder, find_free_port(), folder.with_name("output.txt")

    def is_running(self) -> bool:
        return hasattr(self, "process") and self.process.poll() is None

    def start(self) -> None:
        self.output.touch()
        before = len(self.read_output())
        self.launch()
        wait_until(lambda: not self.is_running() or self.is_complete(before), self.read_output, seconds=90)
        assert self.is_running(), self.read_output()

    def launch(self) -> None:
        with self.output.open("ab") as output:
            command = [sys.executable, "-m", "config.stack", "run", "--port", str(self.port)]
            self.process = subprocess.Popen(
                command, cwd=BASE_DIR, env=make_environ(self.folder), stdout=output, stderr=output
            )

    def is_complete(self, before: int) -> bool:
        """Whether everything runs, by what was said since `before` (an orphan of an earlier run answers too)."""
        return "Ctrl-C stops everything" in self.read_output()[before:]

    def read_output(self) -> str:
        return self.output.read_text()

    def serves(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def find_leader(self, word: str) -> psutil.Process | None:
        """The child of the supervisor whose command line holds `word`."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if any(word in argument for argument in child.cmdline()):
                    return child
            except psutil.Error:
                continue
        return None

    def has_new(self, word: str, old: list[psutil.Process]) -> bool:
        return self.find_leader(word) not in (None, *old) and self.serves("/readyz")

    def find_all(self) -> list[psutil.Process]:
        return [*find_marked(self.folder), *find_servers(self.folder)]


def wait_until(is_so: Callable[[], bool], describe: Callable[[], str], *, seconds: float = HEAL_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.05)


def make_environ(folder: Path) -> dict[str, str]:
    """What a shell would hand on: nothing of the suite's own servers and settings."""
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return environ | {"PALIER_VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings.development"}


def run_python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    environ = make_environ(folder)
    return subprocess.run(command, cwd=BASE_DIR, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def only_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("pa lier") / "var")
    yield stack
    if stack.is_running():
        stack.process.kill()
        stack.process.wait()
    stop_leftovers(stack.folder)
    embedded.remove_socket_dir(stack.folder)


@pytest.fixture
def stack(only_stack: RunningStack) -> RunningStack:
    """One stack for the whole module, started again where a test has ended it."""
    if not only_stack.is_running():
        only_stack.start()
    return only_stack


@pytest.fixture
def foreigner() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that looks much like ours, but is not."""
    command = [sys.executable, "-c", "import time; time.sleep(600)", "config.stack", "celery", "gunicorn"]
    process = subprocess.Popen(command, cwd=BASE_DIR)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("word", ["postgres", "valkey-server", "gunicorn", "worker", "beat"])
def test_a_killed_process_is_started_again(stack: RunningStack, word: str):
    leader = stack.find_leader(word)
    assert leader is not None
    old = [leader, *leader.children(recursive=True)]
    leader.kill()
    wait_until(partial(stack.has_new, word, old), stack.read_output)
    assert wait_for_end(old, seconds=HEAL_SECONDS) == []


def test_a_committed_row_survives_the_kill_of_the_database(stack: RunningStack):
    with embedded.connect(stack.folder) as conn:
        conn.execute("CREATE TABLE kept (id int)")
        conn.execute("INSERT INTO kept VALUES (7)")
    leader = stack.find_leader("postgres")
    assert leader is not None
    leader.kill()
    leader.wait(10)
    wait_until(lambda: embedded.postgres_answers(stack.folder), stack.read_output)
    with embedded.connect(stack.folder) as conn:
        assert conn.execute("SELECT id FROM kept").fetchall() == [(7,)]
        conn.execute("DROP TABLE kept")


def test_a_second_stack_in_the_same_folder_is_refused(stack: RunningStack):
    second = run_python(stack.folder, "-m", "config.stack", "reset")
    assert second.returncode == 1
    assert f"a stack already runs in {stack.folder} (process {stack.process.pid})" in second.stderr
    assert stack.serves("/readyz")


def test_a_command_from_another_shell_uses_the_servers_of_the_stack(stack: RunningStack):
    other = run_python(stack.folder, "manage.py", "migrate", "--check")
    assert (other.returncode, other.stderr) == (0, "")
    assert stack.serves("/readyz")


@pytest.mark.ends_module
def test_killed_itself_it_clears_up_at_the_next_start_and_then_ends_all_of_its_processes_and_no_other(
    stack: RunningStack, foreigner: "subprocess.Popen[bytes]"
):
    left = stack.find_all()
    stack.process.kill()
    stack.process.wait()
    assert [process for process in left if is_alive(process)], "nothing was left: the test proves nothing"
    stack.start()
    assert not [process for process in left if is_alive(process)]
    assert "that an earlier run left behind" in stack.read_output()

    assert len(stack.find_all()) > 8
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(30) == 0
    assert stack.find_all() == []
    assert foreigner.poll() is None


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("delay", [0.1, 0.5, 1, 2, 3, 4, 6])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(
    tmp_path: Path, foreigner: "subprocess.Popen[bytes]", number: signal.Signals, delay: float
):
    stack = RunningStack(tmp_path / "pa lier" / "var")
    stack.folder.parent.mkdir()
    try:
        stack.launch()
        time.sleep(delay)
        stack.process.send_signal(number)
        assert stack.process.wait(40) in (0, 128 + number, -number), stack.read_output()
        assert stack.find_all() == []
        assert foreigner.poll() is None
    finally:
        stop_leftovers(stack.folder)
        embedded.remove_socket_dir(stack.folder)


@pytest.mark.soak
def test_killed_again_and_again_each_process_comes_back(stack: RunningStack):
    for word in ["postgres", "valkey-server", "gunicorn", "worker", "beat"] * 4:
        leader = stack.find_leader(word)
        assert leader is not None
        leader.kill()
        wait_until(partial(stack.has_new, word, [leader]), stack.read_output)
        time.sleep(3)
