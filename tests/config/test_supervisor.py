import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from config import supervisor as supervising
from config.processes import wait_for_end
from config.supervisor import Service, StackFailed, Supervisor, stop_group


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervising, "FIRST_PAUSE", 0.001)


def make_service(folder: Path, code: str, name: str = "web") -> Service:
    def start() -> "subprocess.Popen[bytes]":
        with (folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log, start_new_session=True)

    return Service(name, folder / f"{name}.log", start)


def check_until(supervisor: Supervisor, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        supervisor.check()
        time.sleep(0.01)


def test_a_process_that_cannot_live_is_given_up_after_five_quick_deaths(tmp_path: Path):
    report = io.StringIO()
    supervisor = Supervisor(report)
    supervisor.start(make_service(tmp_path, "print('no such plan', flush=True); raise SystemExit(3)"))
    with pytest.raises(StackFailed) as failure:
        check_until(supervisor, lambda: False)
    assert str(failure.value).startswith("web died 5 times in a row (exit status 3).")
    assert str(failure.value).endswith("    no such plan")
    assert report.getvalue().count("web ended (exit status 3)") == 4


def test_a_killed_process_is_replaced_and_the_report_says_so(tmp_path: Path):
    report = io.StringIO()
    supervisor = Supervisor(report)
    supervisor.start(make_service(tmp_path, "import time; time.sleep(600)"))
    first = supervisor.kept[0].process
    first.kill()
    check_until(supervisor, lambda: supervisor.kept[0].process is not first)
    supervisor.stop()
    assert "web ended (killed by SIGKILL)" in report.getvalue()
    assert "web runs again" in report.getvalue()


def test_what_a_dead_leader_left_in_its_group_is_killed_before_it_is_started_again(tmp_path: Path):
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    supervisor = Supervisor(io.StringIO())
    supervisor.start(make_service(tmp_path, code))
    first = psutil.Process(supervisor.kept[0].process.pid)
    check_until(supervisor, lambda: bool(first.children()))
    [child] = first.children()
    first.kill()
    check_until(supervisor, lambda: supervisor.kept[0].process.pid != first.pid)
    supervisor.stop()
    assert wait_for_end([child], seconds=10) == []


def test_a_process_deaf_to_its_stop_signal_is_killed_after_its_deadline(tmp_path: Path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    process = make_service(tmp_path, code).start()
    while "deaf" not in (tmp_path / "web.log").read_text():
        time.sleep(0.01)
    stop_group(process, how=signal.SIGTERM, seconds=0.2)
    assert process.returncode == -signal.SIGKILL
    stop_group(process, how=signal.SIGTERM, seconds=0.2)


def test_a_step_hands_its_exit_status_on_while_the_rest_is_kept_alive(tmp_path: Path):
    supervisor = Supervisor(io.StringIO())
    supervisor.start(make_service(tmp_path, "import time; time.sleep(600)"))
    first = supervisor.kept[0].process
    first.kill()
    step = [sys.executable, "-c", "import time; time.sleep(0.5); raise SystemExit(7)"]
    status = supervisor.run_step(step, environ=os.environ, folder=tmp_path)
    assert status == 7
    assert supervisor.kept[0].process is not first
    supervisor.stop()


def test_what_leans_on_the_servers_ends_before_them(tmp_path: Path):
    code = "import signal, time; signal.signal(15, lambda *_: (print(time.time(), flush=True), exit(0)));"
    code += "print('up', flush=True); time.sleep(600)"
    supervisor = Supervisor(io.StringIO())
    server = make_service(tmp_path, code, "server")
    supervisor.start(Service(server.name, server.log, server.start, is_server=True))
    supervisor.start(make_service(tmp_path, code, "worker"))
    logs = [tmp_path / "worker.log", tmp_path / "server.log"]
    check_until(supervisor, lambda: all("up" in log.read_text() for log in logs))
    supervisor.stop()
    worker_end, server_end = (float(log.read_text().split()[-1]) for log in logs)
    assert worker_end < server_end
