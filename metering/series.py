"""Usage as a client asks for it: accounts and meters over a window, cut by the calendar, broken down by dimensions."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

from metering.accounts import AccountRef
from metering.breakdowns import Breakdown, UnknownDimension, VersionDimensions, plan_breakdown, read_dimensions
from metering.calendars import split_window
from metering.catalogue import UnknownMeter
from metering.fragments import find_split_hours
from metering.models import Limit, Meter
from metering.readings import Measured, list_groups, round_reading
from metering.spans import FoundSpan, Span, Terms, read_every, read_spans

MAX_POINTS = 10_000
MAX_SPLIT_HOURS = 400  # a year of days where midnight is within an hour of ours

Window = Literal["hour", "day", "month", "period", ""]


class QuestionTooWide(ValueError):
    """The answer would have too many points; the message says what to ask for instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """Of each account (in order) and each meter (empty: all) over [start, end), cut by `window` on the zone's clocks.

    With `period` it is every window of the accounts' limits that [start, end) touches, whole. `filters` holds for each
    dimension the values that count.
    """

    accounts: Sequence[AccountRef]
    meter_keys: Sequence[str]
    start: datetime
    end: datetime
    window: Window
    zone: ZoneInfo
    group_by: Sequence[str]
    filters: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    start: datetime
    end: datetime
    quantity: Decimal
    event_count: int


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """One account, one meter, one group of dimension values."""

    account_key: str
    meter_key: str
    unit: str
    aggregation: str
    group: dict[str, Any]
    points: tuple[SeriesPoint, ...]


def answer_question(question: Question) -> list[UsageSeries]:
    """By account, meter and group; a fixed number of statements whatever is asked.

    Groups that have nothing in the window are left out; without `group_by` every series is there, zero-filled; by
    period those with a limit. Raises UnknownMeter, UnknownDimension, QuestionTooWide, HistoryPruned.
    """
    meter_keys, breakdown = plan_question(question)
    if question.window == "period":
        return answer_by_period(question, meter_keys, breakdown)
    starts = [question.start]
    if question.window:
        starts = list(split_window(question.window, question.start, question.end, question.zone))
    bounds = [*starts, question.end]
    require_narrow(len(question.accounts) * len(starts) * max(len(question.meter_keys), 1))
    require_few_split(bounds)
    account_ids = [account.id for account in question.accounts]
    spans = read_every(account_ids, meter_keys=meter_keys, bounds=bounds, breakdown=breakdown)
    require_meters(question, {span.terms.key for span in spans})
    require_narrow(len(spans) * len(starts))
    windows = list(pairwise(bounds))
    return list_series(question, ((span, bounds, windows) for span in spans))


def plan_question(question: Question) -> tuple[Collection[str] | None, Breakdown | None]:
    """The keys of the meters that can answer (None: all), and how they are broken down."""
    if not (question.group_by or question.filters):
        return question.meter_keys or None, None
    versions = read_dimensions(question.meter_keys or None)
    if question.meter_keys:
        require_meters(question, {version.meter_key for version in versions})
    else:
        versions = keep_able(versions, {*question.group_by, *question.filters})
    breakdown = plan_breakdown(versions, group_by=question.group_by, filters=question.filters)
    return {version.meter_key for version in versions}, breakdown


def keep_able(versions: Sequence[VersionDimensions], names: Collection[str]) -> list[VersionDimensions]:
    """Those of the meters that have all of these dimensions."""
    known: dict[int, set[str]] = {}
    for version in versions:
        known.setdefault(version.meter_id, set()).update(version.dimensions)
    able = [version for version in versions if known[version.meter_id].issuperset(names)]
    if not able:
        raise UnknownDimension(f"No meter has the dimensions {', '.join(sorted(names))}.")
    return able


def answer_by_period(
    question: Question, meter_keys: Collection[str] | None, breakdown: Breakdown | None
) -> list[UsageSeries]:
    limits = find_limits(question, meter_keys)
    if question.meter_keys and not limits:
        require_meters(question, set(Meter.objects.filter(key__in=question.meter_keys).values_list("key", flat=True)))
    windows: dict[tuple[int, int], list[tuple[datetime, datetime]]] = {}
    for account_id, meter_id, starts_at, ends_at in limits:
        windows.setdefault((account_id, meter_id), []).append((starts_at, ends_at))
    spans = [Span(*pair, sorted({moment for each in found for moment in each})) for pair, found in windows.items()]
    require_few_split([bound for span in spans for bound in span.bounds])
    found = read_spans(spans, breakdown=breakdown)
    asked = [(span, spans[span.position - 1]) for span in found]
    return list_series(question, ((span, each.bounds, windows[each.account_id, each.meter_id]) for span, each in asked))


def find_limits(
    question: Question, meter_keys: Collection[str] | None
) -> Sequence[tuple[int, int, datetime, datetime]]:
    """Account, meter and window of each limit that [start, end) touches, by meter and time."""
    limits = Limit.objects.filter(
        account_id__in=[account.id for account in question.accounts],
        starts_at__lt=question.end,
        ends_at__gt=question.start,
    )
    if meter_keys is not None:
        limits = limits.filter(meter__key__in=meter_keys)
    rows = limits.order_by("meter__key", "starts_at").values_list("account_id", "meter_id", "starts_at", "ends_at")
    found = list(rows[: MAX_POINTS + 1])
    require_narrow(len(found))
    return found


def list_series(
    question: Question,
    spans: Iterable[tuple[FoundSpan, Sequence[datetime], Collection[tuple[datetime, datetime]]]],
) -> list[UsageSeries]:
    """By account in the order of the question; a point for each bucket that is one of the span's windows."""
    found: dict[int, list[UsageSeries]] = {account.id: [] for account in question.accounts}
    keys = {account.id: account.key for account in question.accounts}
    count = 0
    for span, bounds, windows in spans:
        for group, measured in list_groups(span, bounds):
            if question.group_by and not group:
                continue  # nothing was found
            points = tuple(list_points(span.terms, bounds, measured, set(windows)))
            count += len(points)
            require_narrow(count)
            found[span.account_id].append(state_series(question, keys[span.account_id], span.terms, group, points))
    return [series for each in found.values() for series in each]


def list_points(
    terms: Terms, bounds: Sequence[datetime], measured: Sequence[Measured], windows: Collection[object]
) -> Iterator[SeriesPoint]:
    for (start, end), (quantity, event_count) in zip(pairwise(bounds), measured, strict=True):
        if (start, end) in windows:
            yield SeriesPoint(start, end, round_reading(terms, quantity), event_count)


def state_series(
    question: Question, account_key: str, terms: Terms, group: str, points: tuple[SeriesPoint, ...]
) -> UsageSeries:
    values = json.loads(group, parse_float=Decimal) if question.group_by else []
    return UsageSeries(
        account_key=account_key,
        meter_key=terms.key,
        unit=terms.unit,
        aggregation=terms.aggregation,
        group=dict(zip(question.group_by, values, strict=True)),
        points=points,
    )


def require_meters(question: Question, known: Collection[str]) -> None:
    for key in question.meter_keys:
        if key not in known:
            raise UnknownMeter(f"No meter is called {key!r}.")


def require_narrow(points: int) -> None:
    if points > MAX_POINTS:
        raise QuestionTooWide(
            f"The answer would have {points:,} points or more, and may have {MAX_POINTS:,}: ask for a shorter time, a "
            f"longer window, or fewer accounts, meters or dimensions."
        )


def require_few_split(bounds: Sequence[datetime]) -> None:
    split = len(find_split_hours(bounds))
    if split > MAX_SPLIT_HOURS:
        raise QuestionTooWide(
            f"{split:,} of the windows begin within an hour of UTC, and at most {MAX_SPLIT_HOURS} may: ask for a "
            f"shorter time, a longer window, or another time zone."
        )
