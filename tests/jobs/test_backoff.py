from datetime import timedelta

import pytest

from jobs import backoff
from jobs.backoff import draw_backoff, find_ceiling


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (9, 2_560), (10, 3_600), (1_000, 3_600)]
)
def test_the_ceiling_doubles_from_ten_seconds_to_an_hour(attempt: int, seconds: int):
    assert find_ceiling(attempt) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 0), (0.25, 10), (0.999, 39.96)])
def test_the_wait_is_a_uniform_share_of_the_ceiling(monkeypatch: pytest.MonkeyPatch, draw: float, seconds: float):
    monkeypatch.setattr(backoff.random, "random", lambda: draw)

    assert draw_backoff(3) == timedelta(seconds=seconds)


def test_a_herd_is_spread_over_the_whole_range():
    waits = [draw_backoff(1) for _ in range(1_000)]

    assert all(timedelta(0) <= wait <= timedelta(seconds=10) for wait in waits)
    assert min(waits) < timedelta(seconds=1)
    assert max(waits) > timedelta(seconds=9)
