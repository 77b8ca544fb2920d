"""The nine ways in which events become one quantity: pure, exact, the meaning that every reading has. No Django here.

A window is `[start, end)`. `fold` says it over raw samples, `read_cells` the same from hourly cells. Readings ask the
database (`spans`, `readings`, `progress`) with the arithmetic below; these two are what they are held against in tests. An
empty window reads 0.

| aggregation    | quantity |
| -------------- | --- |
| `count`        | how many events |
| `sum`          | the sum of their values |
| `min`, `max`   | the smallest, the greatest value |
| `avg`          | sum / count |
| `latest`       | the value with the latest time; of several at that time the greatest, so that order of arrival is nothing |
| `unique`       | how many distinct values |
| `weighted_sum` | values are changes of a level; its mean over the window, to the microsecond: (level brought in × length + Σ change × time left) / length |
| `percentile`   | nearest rank: of n sorted values the one at ⌈p / 100 × n⌉ |

Where a meter carries over, what came before the window counts too: in a sum, in the distinct values, as the latest
value, and as the level that a weighted sum begins with.
"""  # noqa: E501 (a table)

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.numbers import EXACT, PLACES, number_text, round_number

AGGREGATIONS = ("count", "sum", "min", "max", "avg", "latest", "unique", "weighted_sum", "percentile")
CARRYING = frozenset({"sum", "latest", "unique", "weighted_sum"})
DEFAULT_PERCENTILE = Decimal(95)

NOTHING = Decimal(0)
MICROSECOND = timedelta(microseconds=1)

Value = int | Decimal | str  # a text stands for a distinct value
Sample = tuple[datetime, Value]


@dataclass(frozen=True, slots=True)
class Cell:
    """What some events of one UTC hour come to; several cells may share an hour. Decimals are exact.

    `moment` is the sum of value × seconds since the hour began. `values` says how many events had each value, by its
    text. An aggregation needs only its own of these; what is not needed may be left out.
    """

    hour: datetime
    event_count: int = 0
    total: Decimal = NOTHING
    moment: Decimal = NOTHING
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    latest: Decimal | None = None
    latest_at: datetime | None = None
    values: Mapping[str, int] = field(default_factory=dict)


def fold(
    aggregation: str,
    samples: Iterable[Sample],
    *,
    start: datetime,
    end: datetime,
    carries_over: bool = False,
    percentile: Decimal | int = DEFAULT_PERCENTILE,
) -> Decimal:
    """The quantity of (time, value) samples over [start, end). Samples outside count only as far as they carry over.

    Raises ValueError for an unknown aggregation, one that cannot carry over, or a window that ends before it starts.
    """
    check_terms(aggregation, start=start, end=end, carries_over=carries_over)
    known = [(at, value) for at, value in samples if at < end and (carries_over or at >= start)]
    match aggregation:
        case "count":
            return Decimal(len(known))
        case "unique":
            return Decimal(len({value_text(value) for _, value in known}))
        case "weighted_sum":
            weighed = [multiply(value, find_seconds(end - max(at, start))) for at, value in known]
            return divide(add_up(weighed), find_seconds(end - start))
        case "percentile":
            return find_percentile(Counter(value_text(value) for _, value in known), percentile)
    numbers = [(at, Decimal(value)) for at, value in known]
    if not numbers:
        return NOTHING
    match aggregation:
        case "sum":
            return add_up(value for _, value in numbers)
        case "min":
            return min(value for _, value in numbers)
        case "max":
            return max(value for _, value in numbers)
        case "avg":
            return divide(add_up(value for _, value in numbers), Decimal(len(numbers)))
    return max(numbers)[1]  # the latest


def read_cells(
    aggregation: str,
    cells: Iterable[Cell],
    *,
    start: datetime,
    end: datetime,
    carried: Iterable[Cell] = (),
    percentile: Decimal | int = DEFAULT_PERCENTILE,
) -> Decimal:
    """The quantity of cells whose events all lie within [start, end): the same as `fold` over those events.

    `carried` are the cells of everything before `start`, of any length, for a meter that carries over; in a weighted
    sum the total of them is all that counts. Raises ValueError as `fold` does.
    """
    inside, before = list(cells), list(carried)
    check_terms(aggregation, start=start, end=end, carries_over=bool(before))
    every = [*before, *inside]
    match aggregation:
        case "count":
            return Decimal(sum(cell.event_count for cell in every))
        case "sum":
            return add_up(cell.total for cell in every)
        case "min":
            return min((cell.minimum for cell in every if cell.minimum is not None), default=NOTHING)
        case "max":
            return max((cell.maximum for cell in every if cell.maximum is not None), default=NOTHING)
        case "avg":
            return divide(add_up(cell.total for cell in every), Decimal(sum(cell.event_count for cell in every)))
        case "latest":
            return find_latest(every)
        case "unique":
            return Decimal(len({value for cell in every for value in cell.values}))
        case "weighted_sum":
            return weigh_cells(inside, level=add_up(cell.total for cell in before), start=start, end=end)
    counts: Counter[str] = Counter()
    for cell in every:
        counts.update(cell.values)
    return find_percentile(counts, percentile)


def check_terms(aggregation: str, *, start: datetime, end: datetime, carries_over: bool) -> None:
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"{aggregation!r} is no aggregation; known are {', '.join(AGGREGATIONS)}")
    if carries_over and aggregation not in CARRYING:
        raise ValueError(f"{aggregation} has no level that could carry over")
    if start > end:
        raise ValueError("a window cannot end before it starts")


def find_latest(cells: Iterable[Cell]) -> Decimal:
    readings = [
        (cell.latest_at, cell.latest) for cell in cells if cell.latest_at is not None and cell.latest is not None
    ]
    return max(readings)[1] if readings else NOTHING


def weigh_cells(cells: Iterable[Cell], *, level: Decimal, start: datetime, end: datetime) -> Decimal:
    """The mean over the window of a level that begins at `level` and changes as the cells say."""
    weighed = [multiply(level, find_seconds(end - start))]
    for cell in cells:
        weighed.append(multiply(cell.total, find_seconds(end - cell.hour)))
        weighed.append(cell.moment.copy_negate())
    return divide(add_up(weighed), find_seconds(end - start))


def find_percentile(counts: Mapping[str, int], percentile: Decimal | int) -> Decimal:
    """Nearest rank among values, given by their text with the number of times each occurs; 0 when there are none.

    Raises ValueError unless 0 < percentile <= 100.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"a percentile lies above 0 and is at most 100, not {percentile}")
    rank = int(round_number(Fraction(percentile) * sum(counts.values()) / 100, 0, "ceil"))
    for value, count in sorted((Decimal(text), count) for text, count in counts.items()):
        rank -= count
        if rank <= 0:
            return value
    return NOTHING


def build_cells(samples: Iterable[Sample]) -> list[Cell]:
    """One cell for each UTC hour in which there are samples, in order."""
    by_hour: dict[datetime, list[Sample]] = {}
    for at, value in samples:
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        by_hour.setdefault(hour, []).append((at, value))
    return [build_cell(hour, by_hour[hour]) for hour in sorted(by_hour)]


def build_cell(hour: datetime, samples: Sequence[Sample]) -> Cell:
    """All that any aggregation needs to know of these samples of one hour; of texts only how many there are."""
    values = Counter(value_text(value) for _, value in samples)
    numbers = [(at, Decimal(value)) for at, value in samples if not isinstance(value, str)]
    latest_at, latest = max(numbers, default=(None, None))
    return Cell(
        hour=hour,
        event_count=len(samples),
        total=add_up(value for _, value in numbers),
        moment=add_up(multiply(value, find_seconds(at - hour)) for at, value in numbers),
        minimum=min((value for _, value in numbers), default=None),
        maximum=max((value for _, value in numbers), default=None),
        latest=latest,
        latest_at=latest_at,
        values=values,
    )


def round_quantity(value: Decimal | Fraction, function: str = "", places: int = 0) -> Decimal:
    """The quantity of a reading as its meter rounds it: `round` (half away from zero), `ceil`, `floor`, or '' for not.

    Negative places round to tens, hundreds, …. Without a function only a fraction loses digits, beyond the twelfth.
    """
    if function:
        return round_number(value, places, function)
    return round_number(value, PLACES) if isinstance(value, Fraction) else value


def prorate_sum(additions: Iterable[tuple[Decimal, int]], *, carried: Decimal, period_days: int) -> Fraction:
    """A level by days: what was carried in counts whole, each addition for the days that are left of the period.

    An addition is (value, days left), the day of the change counted: 12 added on the 26th of a month of 31 days has 6
    days, and counts 12 × 6/31. Exact; `round_quantity` makes a quantity of it. This is how Lago prorates the sum of a
    recurring metric (getlago/lago-api, prorated_aggregations/sum_service); `weighted_sum` does it by the microsecond.
    """
    parts = (Fraction(value) * Fraction(days, period_days) for value, days in additions)
    return sum(parts, start=Fraction(carried))


def prorate_unique(active_days: Iterable[int], *, period_days: int) -> Fraction:
    """Distinct values by days: each counts for the days on which it was there, first and last counted, of the period.

    Exact; `round_quantity` makes a quantity of it. This is how Lago prorates the unique count of a recurring metric
    (getlago/lago-api, prorated_aggregations/unique_count_service).
    """
    return Fraction(sum(active_days), period_days)


def value_text(value: Value) -> str:
    return value if isinstance(value, str) else number_text(value)


def find_seconds(length: timedelta) -> Decimal:
    """Exact."""
    return Decimal(length // MICROSECOND).scaleb(-6, EXACT)


def add_up(values: Iterable[Decimal]) -> Decimal:
    total = NOTHING
    for value in values:
        total = EXACT.add(total, value)
    return total


def multiply(value: Value, factor: Decimal) -> Decimal:
    return EXACT.multiply(Decimal(value), factor)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """To twelve decimals, rounded once, half away from zero; 0 for what is divided among none."""
    return round_number(Fraction(dividend) / Fraction(divisor), PLACES) if divisor else NOTHING
