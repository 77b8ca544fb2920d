from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.aggregations import (
    AGGREGATIONS,
    CARRYING,
    Cell,
    build_cell,
    build_cells,
    find_percentile,
    fold,
    prorate_sum,
    prorate_unique,
    read_cells,
    round_quantity,
)

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def minutes(count):
    return timedelta(minutes=count)


def after(*rows):
    """(minutes after noon, value as text)."""
    return [(NOON + minutes(offset), Decimal(value)) for offset, value in rows]


def fold_hours(aggregation, samples, *, hours=2, **terms):
    return fold(aggregation, samples, start=NOON, end=NOON + hours * HOUR, **terms)


READINGS = after((-30, "8"), (0, "1.5"), (30, "-2"), (61, "4"), (90, "4"), (119, "0.5"), (120, "100"))


@pytest.mark.parametrize(
    ("aggregation", "quantity", "carried"),
    [
        ("count", "5", None),
        ("sum", "8", "16"),
        ("min", "-2", None),
        ("max", "4", None),
        ("avg", "1.6", None),
        ("latest", "0.5", "0.5"),
        ("unique", "4", "5"),
        # 1.5 × 120 - 2 × 90 + 4 × 59 + 4 × 30 + 0.5 × 1 minutes of 120
        ("weighted_sum", "2.970833333333", "10.970833333333"),
        ("percentile", "4", None),
    ],
)
def test_each_aggregation_over_a_window(aggregation, quantity, carried):
    assert fold_hours(aggregation, READINGS) == Decimal(quantity)
    assert fold_hours(aggregation, reversed(READINGS)) == Decimal(quantity)
    if carried is None:
        with pytest.raises(ValueError, match="carry over"):
            fold_hours(aggregation, READINGS, carries_over=True)
    else:
        assert fold_hours(aggregation, READINGS, carries_over=True) == Decimal(carried)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_nothing_reads_zero(aggregation):
    assert fold_hours(aggregation, []) == 0
    assert read_cells(aggregation, [], start=NOON, end=NOON + HOUR) == 0
    assert fold(aggregation, after((0, "5")), start=NOON, end=NOON) == 0
    assert read_cells(aggregation, [], start=NOON, end=NOON) == 0


@pytest.mark.parametrize("aggregation", sorted(CARRYING - {"weighted_sum"}))
def test_a_level_that_was_brought_in_reads_without_any_event(aggregation):
    assert fold_hours(aggregation, after((-9999, "1")), carries_over=True) == 1


def test_a_level_lasts_until_it_changes():
    assert fold_hours("weighted_sum", after((-60, "10"), (30, "-10")), carries_over=True) == Decimal("2.5")


def test_of_several_at_the_latest_time_the_greatest_counts():
    samples = after((5, "3"), (5, "7"), (5, "-1"))
    assert {
        fold_hours("latest", [samples[a], samples[b], samples[3 - a - b]]) for a, b in ((0, 1), (1, 2), (2, 0))
    } == {Decimal(7)}


def test_text_is_counted_once_each():
    samples = [(NOON, '"a"'), (NOON, '"b"'), (NOON + minutes(70), '"a"'), (NOON, "1"), (NOON, Decimal("1.0"))]
    assert fold_hours("unique", samples) == 3
    assert read_cells("unique", build_cells(samples), start=NOON, end=NOON + 2 * HOUR) == 3


@pytest.mark.parametrize(
    ("percentile", "value"),
    [(1, 15), (5, 15), (20, 15), (30, 20), (40, 20), (50, 35), (Decimal("60.001"), 40), (95, 50), (100, 50)],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(percentile, value):
    """The example that textbooks give: 15, 20, 35, 40, 50."""
    assert find_percentile({"15": 1, "20": 1, "35": 1, "40": 1, "50": 1}, percentile) == value


@pytest.mark.parametrize("percentile", [0, -1, Decimal("100.001")])
def test_a_percentile_beyond_its_range_is_refused(percentile):
    with pytest.raises(ValueError, match="at most 100"):
        find_percentile({"1": 1}, percentile)


def test_values_are_ranked_by_size_not_by_text():
    assert find_percentile({"9": 1, "10": 1, "-3": 1}, 100) == 10
    assert find_percentile({"9": 1, "10": 1, "-3": 1}, 1) == -3
    assert find_percentile({"0": 98, "7": 2}, 99) == 7


def test_an_average_is_rounded_once_half_away_from_zero():
    assert fold_hours("avg", after((0, "1"), (1, "0"), (2, "0"))) == Decimal("0.333333333333")
    assert fold_hours("avg", after((0, "0.000000000001"), (1, "0"))) == Decimal("0.000000000001")
    assert fold_hours("avg", after((0, "-0.000000000001"), (1, "0"))) == Decimal("-0.000000000001")


def test_a_weighted_sum_is_exact_to_the_microsecond():
    changes = [(NOON, Decimal(3)), (NOON + timedelta(microseconds=1), Decimal(-3))]
    assert fold("weighted_sum", changes, start=NOON, end=NOON + timedelta(seconds=3)) == Decimal("0.000001")


def test_no_digit_is_lost_at_either_end():
    samples = after((0, "9999999999999999999999999.999999999999"), (1, "0.000000000001"), (2, "-0.000000000002"))
    assert str(fold_hours("sum", samples)) == "9999999999999999999999999.999999999998"


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="no aggregation"):
        fold_hours("median", [])
    with pytest.raises(ValueError, match="before it starts"):
        fold("sum", [], start=NOON, end=NOON - HOUR)
    with pytest.raises(ValueError, match="before it starts"):
        read_cells("sum", [], start=NOON, end=NOON - HOUR)
    with pytest.raises(ValueError, match="carry over"):
        read_cells("max", [], carried=[Cell(hour=NOON)], start=NOON, end=NOON + HOUR)


VALUES = st.one_of(
    st.integers(-5, 5),
    st.decimals(-1000, 1000, places=3),
    st.decimals(-(10**25), 10**25, places=12),
)
TIMES = st.one_of(
    st.timedeltas(-3 * HOUR, 5 * HOUR),
    st.integers(-3, 5).map(lambda hours: hours * HOUR),
    st.integers(-3, 5).map(lambda hours: hours * HOUR - timedelta(microseconds=1)),
).map(lambda offset: NOON + offset)
SAMPLES = st.lists(st.tuples(TIMES, VALUES), max_size=20)
WINDOWS = st.tuples(st.integers(-3, 5), st.integers(-3, 5)).map(
    lambda hours: (NOON + min(hours) * HOUR, NOON + max(hours) * HOUR)
)
PERCENTILES = st.one_of(st.sampled_from([1, 50, 95, 100]), st.decimals("0.001", 100, places=3))


@given(samples=SAMPLES, window=WINDOWS, percentile=PERCENTILES, carries_over=st.booleans())
def test_cells_read_as_their_samples_do(samples, window, percentile, carries_over):
    start, end = window
    cells = build_cells(samples)
    inside = [cell for cell in cells if start <= cell.hour < end]
    before = [cell for cell in cells if cell.hour < start]
    for aggregation in AGGREGATIONS:
        carries = carries_over and aggregation in CARRYING
        terms = {"start": start, "end": end, "percentile": percentile}
        read = read_cells(aggregation, inside, carried=before if carries else [], **terms)
        assert (aggregation, read) == (aggregation, fold(aggregation, samples, carries_over=carries, **terms))


@given(samples=SAMPLES, cuts=st.tuples(TIMES, TIMES))
def test_a_window_within_hours_reads_from_the_cells_of_its_own_events(samples, cuts):
    start, end = min(cuts), max(cuts)
    cells = build_cells([(at, value) for at, value in samples if start <= at < end])
    for aggregation in AGGREGATIONS:
        read = read_cells(aggregation, cells, start=start, end=end)
        assert (aggregation, read) == (aggregation, fold(aggregation, samples, start=start, end=end))


@given(samples=SAMPLES, parts=st.integers(2, 4))
def test_cells_that_share_an_hour_read_as_one(samples, parts):
    """As the cells of several dimension values do."""
    start, end = NOON, NOON + 2 * HOUR
    inside = [(at, value) for at, value in samples if start <= at < end]
    cells = [cell for part in range(parts) for cell in build_cells(inside[part::parts])]
    for aggregation in AGGREGATIONS:
        read = read_cells(aggregation, cells, start=start, end=end)
        assert (aggregation, read) == (aggregation, fold(aggregation, inside, start=start, end=end))


@given(samples=SAMPLES)
def test_the_mean_level_lies_between_the_lowest_and_the_highest(samples):
    start, end = NOON, NOON + 2 * HOUR
    level = sum((Fraction(value) for at, value in samples if at < start), start=Fraction(0))
    levels = [level]
    for _, value in sorted((at, value) for at, value in samples if start <= at < end):
        level += Fraction(value)
        levels.append(level)
    half = Fraction(1, 2 * 10**12)
    mean = Fraction(fold("weighted_sum", samples, start=start, end=end, carries_over=True))
    assert min(levels) - half <= mean <= max(levels) + half


def test_a_cell_knows_what_each_aggregation_needs():
    cell = build_cell(NOON, after((0, "2"), (30, "5"), (45, "2.0")))
    assert cell == Cell(
        hour=NOON,
        event_count=3,
        total=Decimal(9),
        moment=Decimal(5 * 1800 + 2 * 2700),
        minimum=Decimal(2),
        maximum=Decimal(5),
        latest=Decimal(2),
        latest_at=NOON + minutes(45),
        values={"2": 2, "5": 1},
    )


@pytest.mark.parametrize(
    ("value", "function", "places", "rounded"),
    [
        ("123.456", "", 2, "123.456"),
        ("123.456", "round", 2, "123.46"),
        ("123.456", "ceil", 2, "123.46"),
        ("123.456", "floor", 2, "123.45"),
        ("123.456", "round", 0, "123"),
        ("123.456", "ceil", 0, "124"),
        ("123.456", "round", -2, "100"),
        ("123.456", "ceil", -2, "200"),
        ("123.456", "floor", -2, "100"),
        ("-123.5", "round", 0, "-124"),
        ("-123.5", "ceil", 0, "-123"),
        ("-123.5", "floor", 0, "-124"),
        ("150", "round", -2, "200"),
        ("-150", "round", -2, "-200"),
        ("0", "ceil", 3, "0"),
        ("99999999999999999999999999.5", "round", 0, "100000000000000000000000000"),
    ],
)
def test_a_quantity_is_rounded_as_its_meter_says(value, function, places, rounded):
    assert round_quantity(Decimal(value), function, places) == Decimal(rounded)
    assert round_quantity(Fraction(value), function, places) == Decimal(rounded)


def test_a_level_by_days():
    assert prorate_sum([(Decimal(12), 6), (Decimal(12), 6)], carried=Decimal(5), period_days=31) == 5 + Fraction(
        144, 31
    )
    assert prorate_sum([], carried=Decimal(5), period_days=31) == 5
    assert prorate_sum([(Decimal("-2.5"), 10)], carried=Decimal(5), period_days=30) == Fraction(25, 6)
    assert round_quantity(prorate_sum([(Decimal(1), 1)], carried=Decimal(0), period_days=30)) == Decimal(
        "0.033333333333"
    )


def test_distinct_values_by_days():
    assert prorate_unique([31, 21], period_days=31) == Fraction(52, 31)
    assert prorate_unique([], period_days=31) == 0
