"""The simulator's own time."""

import time

from stripe_simulator.clock import MAIN, Clock
from stripe_simulator.simulator import Simulator


def test_a_frozen_clock_stands_until_it_is_set():
    clock = Clock(1000)
    assert clock.read() == 1000
    clock.set(2000)
    assert clock.read() == 2000


def test_a_real_clock_that_is_moved_goes_on_from_there():
    clock = Clock()
    clock.set(int(time.time()) + 86400)
    assert 86399 <= clock.read() - time.time() <= 86401
    assert clock.frozen is None


def test_a_restart_keeps_the_time(tmp_path):
    sim = Simulator(str(tmp_path / "stripe.db"), frozen=1000)
    with sim.work():
        sim.set_clock(MAIN, 5000)
    assert Simulator(str(tmp_path / "stripe.db"), frozen=9000).now() == 5000


def test_a_unit_that_fails_puts_the_time_back():
    sim = Simulator(frozen=1000)
    try:
        with sim.work():
            sim.set_clock(MAIN, 5000)
            raise RuntimeError
    except RuntimeError:
        assert sim.now() == 1000
