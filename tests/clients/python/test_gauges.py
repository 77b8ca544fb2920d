from decimal import Decimal

import pytest

from palier_client import Gauge
from tests.clients.python.recorder import Recorder
from tests.clients.python.servers import wait_until

SECOND = 1_000_000_000


def make_gauge(recorder: Recorder, levels: list[int | Exception]) -> Gauge:
    """It reads one level after the other; never by itself."""

    def read() -> int:
        level = levels.pop(0)
        if isinstance(level, Exception):
            raise level
        return level

    return Gauge(recorder, "storage", "acme", read=read, every=60, data={"region": "eu"})


def test_a_sample_says_the_level_and_since_when_the_last_one_stood():
    recorder = Recorder()
    gauge = make_gauge(recorder, [5, 7])
    gauge.take_sample(100 * SECOND)
    gauge.take_sample(160 * SECOND + SECOND // 4)
    assert recorder.events == [
        ("storage", "acme", {"region": "eu", "level": 5, "seconds": Decimal("0.000")}),
        ("storage", "acme", {"region": "eu", "level": 7, "seconds": Decimal("60.250")}),
    ]


def test_a_reading_that_fails_is_told_and_its_time_is_not_lost():
    recorder = Recorder()
    gauge = make_gauge(recorder, [5, OSError("gone"), 7])
    for moment in (0, 60, 120):
        gauge.take_sample(moment * SECOND)
    assert [data["seconds"] for _, _, data in recorder.events] == [0, 120]
    assert [each.kind for each in recorder.problems] == ["callback"]


def test_a_schedule_samples_by_itself_and_once_more_at_the_end():
    recorder = Recorder()
    recorder.sample("storage", "acme", read=lambda: 5, every=0.02)
    wait_until(lambda: len(recorder.events) >= 3)
    recorder.close()
    count = len(recorder.events)
    assert count >= 4
    assert not recorder.gauges[0].thread.is_alive()
    assert {data["level"] for _, _, data in recorder.events} == {5}


@pytest.mark.parametrize("every", [0, -1])
def test_a_schedule_goes_forward(every: float):
    with pytest.raises(ValueError, match="every"):
        Recorder().sample("storage", "acme", read=lambda: 5, every=every)
