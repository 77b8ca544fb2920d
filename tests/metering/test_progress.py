from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from metering.aggregations import CARRYING, build_cell, build_cells, fold, value_text
from metering.progress import HourPart, Progress, find_moment, find_part

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
END = NOON + timedelta(hours=4)
PERCENTILE = Decimal("62.5")

KINDS = [
    *[
        (aggregation, False)
        for aggregation in ("sum", "min", "max", "avg", "latest", "unique", "weighted_sum", "percentile")
    ],
    *[(aggregation, True) for aggregation in sorted(CARRYING)],
]
# Few times and few values: what is at one time, and what is there again, comes often.
SAMPLES = st.lists(
    st.tuples(st.integers(-4, 15).map(lambda quarter: NOON + timedelta(minutes=15 * quarter)), st.integers(-3, 9)),
    min_size=1,
    max_size=20,
).map(lambda rows: [(at, Decimal(value)) for at, value in rows])


def read(kind, samples):
    aggregation, carries_over = kind
    return fold(aggregation, samples, start=NOON, end=END, carries_over=carries_over, percentile=PERCENTILE)


def list_parts(kind, samples, quantity):
    """What the database tells of each hour, made from the samples."""
    _, carries_over = kind
    inside = [(at, value) for at, value in samples if at >= NOON]
    carried = build_cell(NOON, [(at, value) for at, value in samples if at < NOON])
    cells = [(None, carried)] if carries_over and carried.event_count else []
    cells += [(cell.hour, cell) for cell in build_cells(inside)]
    seen, parts = set(), []
    for hour, cell in cells:
        fresh = set(cell.values) - seen
        seen |= fresh
        below = sum(count for value, count in cell.values.items() if Decimal(value) < quantity)
        parts.append(
            HourPart(
                hour,
                event_count=cell.event_count,
                total=cell.total,
                moment=cell.moment,
                minimum=cell.minimum,
                maximum=cell.maximum,
                latest=cell.latest,
                fresh=len(fresh),
                below=below,
                names=tuple(fresh),
            )
        )
    return parts


@given(st.sampled_from(KINDS), SAMPLES, st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(2), Decimal(4)]))
def test_the_hour_and_the_moment_are_those_that_folding_every_prefix_finds(kind, samples, quantity):
    times = sorted({at for at, _ in samples if at >= NOON})
    ends = [NOON, *sorted({at.replace(minute=0) + timedelta(hours=1) for at in times})]
    reached = [end for end in ends if read(kind, [(at, v) for at, v in samples if at < end]) >= quantity]

    progress = Progress(kind[0], quantity, NOON, END, PERCENTILE)
    found = find_part(progress, list_parts(kind, samples, quantity))
    if not reached:
        assert found is None
        return
    assert found is not None
    before, part = found
    if reached[0] == NOON:
        assert part.hour is None
        return
    assert part.hour == reached[0] - timedelta(hours=1)
    within = [(at, value) for at, value in samples if part.hour <= at < reached[0]]
    if kind[0] == "unique":
        within = [(at, value_text(value)) for at, value in within]
    moment = next(
        at
        for at in times
        if at >= part.hour and read(kind, [(when, value) for when, value in samples if when <= at]) >= quantity
    )
    assert find_moment(before, within, names=part.names) == moment


def test_what_comes_at_one_time_counts_together():
    """2 and 6 at half past: the mean of the three is never 5, in whatever order the two are told."""
    half = NOON + timedelta(minutes=30)
    for at_once in ([(half, Decimal(6)), (half, Decimal(2))], [(half, Decimal(2)), (half, Decimal(6))]):
        progress = Progress("avg", Decimal(5), NOON, END)
        assert find_moment(progress, [(NOON, Decimal(4)), *at_once]) is None


def test_a_peak_that_is_gone_when_its_hour_ends_is_passed_over():
    progress = Progress("latest", Decimal(5), NOON, END)
    calm = HourPart(NOON, event_count=2, latest=Decimal(1))
    high = HourPart(NOON + timedelta(hours=1), event_count=1, latest=Decimal(7))
    found = find_part(progress, [calm, high])
    assert found is not None
    assert found[1] is high
    assert found[0].latest == 1
