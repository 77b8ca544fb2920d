from datetime import UTC, datetime
from decimal import Decimal

from metering.forecast.band import BandPoint, draw_band


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


def band(*, quantity: int | None, low=(0, None), mid=(0, None), high=(0, None), used: int = 40):
    goals = {name: (Decimal(total), hit) for name, (total, hit) in {"low": low, "mid": mid, "high": high}.items()}
    quantity = None if quantity is None else Decimal(quantity)
    return draw_band(start=day(10), end=day(30), used=Decimal(used), quantity=quantity, **goals)


def test_without_a_limit_the_edges_are_straight():
    assert band(quantity=None, low=(60, None), mid=(80, None), high=(120, None)) == (
        BandPoint(day(10), Decimal(40), Decimal(40), Decimal(40)),
        BandPoint(day(30), Decimal(60), Decimal(80), Decimal(120)),
    )


def test_each_edge_meets_the_limit_on_its_own_date():
    assert band(quantity=100, low=(90, day(29)), mid=(110, day(25)), high=(140, day(20))) == (
        BandPoint(day(10), Decimal(40), Decimal(40), Decimal(40)),
        BandPoint(day(20), Decimal(65), Decimal(80), Decimal(100)),
        BandPoint(day(25), Decimal("77.5"), Decimal(100), Decimal(120)),
        BandPoint(day(30), Decimal(90), Decimal(110), Decimal(140)),
    )


def test_edges_never_cross():
    points = band(quantity=100, low=(105, day(12)), mid=(105, day(28)), high=(200, day(29)))
    assert all(point.low <= point.mid <= point.high for point in points)


def test_a_reached_limit_bends_nothing():
    assert len(band(quantity=100, used=101, low=(120, day(11)), mid=(130, day(11)), high=(140, day(11)))) == 2


def test_a_window_that_is_over_has_no_band():
    nothing = (Decimal(1), None)
    assert draw_band(
        start=day(30), end=day(30), used=Decimal(1), quantity=None, low=nothing, mid=nothing, high=nothing
    ) == ()  # fmt: skip
