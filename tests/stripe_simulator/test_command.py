"""`manage.py stripe_simulator` and `python -m stripe_simulator`: the same program, alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulators import SimulatorClient

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", [["manage.py", "stripe_simulator"], ["-m", "stripe_simulator"]])
def test_it_serves_and_ends_on_a_plain_kill(program, tmp_path):
    command = [sys.executable, *program, "--port", "0", "--path", str(tmp_path / "stripe.db")]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    try:
        simulator = SimulatorClient(process.stdout.readline().split()[-1])
        assert simulator.control("GET", "health")["status"] == "ok"
        assert simulator.limits()["mode"] == "on"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (tmp_path / "stripe.db").exists()


def test_it_ends_with_whoever_started_it():
    command = [sys.executable, "-m", "stripe_simulator", "--port", "0", "--end-with-input"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdin.close()  # as when that is killed
    assert process.wait(10) == 0
    process.stdout.close()
