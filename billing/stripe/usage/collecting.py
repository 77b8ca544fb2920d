"""From what metering counted to meter events: which windows moved, which slices they moved in, and by how much.

A window that moved is told by its running total, which differs from what was queued. Of it the hours since the last
look are read, and what came after them; where all of that does not add up to the running total, something changed in an
hour that was looked at, and the whole period is read, slice by slice. Nothing is read of windows that stand still.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Sum

from billing.models import Period, StripeCustomer, StripeMeterEvent, StripeMode, StripeTally
from billing.rating import trim
from billing.rating.readings import add_quantities
from billing.rows import insert_rows
from billing.stripe.drifts import open_drift
from billing.stripe.modes import read_prices
from billing.stripe.usage.slices import (
    HOUR,
    NotForStripe,
    Slice,
    cut_slices,
    find_last_slice,
    find_sealed,
    find_timestamp,
    floor_hour,
    is_too_old,
    make_identifier,
    split_value,
)
from billing.stripe.usage.tallies import begin_tallies, read_tallies
from metering import limits, usage
from metering.limits import WindowKey, WindowUse
from metering.usage import HourSpan

CHUNK = 1_000  # periods at once
ZERO = Decimal(0)
LAST = "last"

Row = dict[str, Any]

ADVANCE_TALLIES = """
    UPDATE billing_stripetally t SET queued = w.queued, collected_until = w.collected_until
    FROM unnest(%s::bigint[], %s::numeric[], %s::timestamptz[]) AS w (id, queued, collected_until) WHERE t.id = w.id
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A meter of a period that Stripe's meters charge, and what its window counts: all that Stripe is to be told."""

    period: Period
    tally: StripeTally
    meter_key: str
    used: Decimal
    is_final: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.period.pk, self.tally.meter_id


@dataclass(slots=True)
class Plan:
    """What is to be queued of a target: by how much each slice changed, up to where, and what it all comes to then."""

    target: Target
    until: datetime
    changes: list[tuple[Slice, Decimal]] = field(default_factory=list)
    queued: Decimal = ZERO


def collect_usage(at: datetime) -> int:
    """Queue what was counted since the last look, of every period that goes on. How many events were queued.

    Safe to call twice and at once: a tally is locked, and left alone where somebody was there since it was read.
    """
    return sum(collect_chunk(chunk, at=at) for chunk in list_chunks(at))


def list_chunks(at: datetime) -> Iterator[list[Period]]:
    """Open periods of customers that Stripe charges and of whom nobody has to decide anything."""
    ready = StripeCustomer.objects.filter(stripe_id__isnull=False, problem="").values("account_id")
    periods = Period.objects.filter(closed_at__isnull=True, is_free=False, starts_at__lte=at)
    periods = periods.filter(subscription__account_id__in=ready).select_related("subscription").order_by("pk")
    reached = 0
    while chunk := list(periods.filter(pk__gt=reached)[:CHUNK]):
        yield chunk
        reached = chunk[-1].pk


def collect_chunk(periods: Sequence[Period], *, at: datetime) -> int:
    targets = find_targets(periods, at=at)
    return queue_plans(make_plans(targets, at=at), at=at)


def find_targets(periods: Sequence[Period], *, at: datetime, is_final: bool = False) -> list[Target]:
    """The meters of these periods that moved since, with their tallies.

    How a period's prices are charged is decided here, once something moved and its subscription is in Stripe.
    """
    prices = read_prices({period.version_id for period in periods})
    tallies = read_tallies(periods)
    by_lines = find_by_lines(periods)
    candidates = {
        (period.pk, fact.meter_id): WindowKey(period.subscription.account_id, fact.meter_id, period.starts_at)
        for period in periods
        for fact in prices[period.version_id]
        if fact.meter_id is not None and fact.reason is None and (period.pk, fact.price_id) not in by_lines
    }
    uses = limits.read_used_of(list(candidates.values()))
    moved = {
        key: used for key, window in candidates.items() if is_moved(tallies.get(key), used := find_used(uses, window))
    }
    new: dict[int, set[int]] = {}
    for period_id, meter_id in moved.keys() - tallies.keys():
        new.setdefault(period_id, set()).add(meter_id)
    tallies |= begin_tallies([period for period in periods if period.pk in new], new, prices, at=at) if new else {}
    by_id = {period.pk: period for period in periods}
    keys = {fact.meter_id: fact.meter_key for facts in prices.values() for fact in facts}
    return [
        Target(by_id[period_id], tallies[period_id, meter_id], keys[meter_id], used, is_final)
        for (period_id, meter_id), used in moved.items()
        if (period_id, meter_id) in tallies
    ]


def find_by_lines(periods: Sequence[Period]) -> set[tuple[int, int]]:
    """(period, price) that are known to be charged by lines; of a period that was cut since, all."""
    ends = {period.pk: period.ends_at for period in periods}
    return {
        (row.period_id, row.price_id)
        for row in StripeMode.objects.filter(period__in=periods)
        if row.mode == "lines" or row.ends_at != ends[row.period_id]
    }


def find_used(uses: Mapping[WindowKey, WindowUse], window: WindowKey) -> Decimal:
    """What came after the period was final is no part of it: it is an invoice item."""
    use = uses.get(window)
    if use is None:
        return ZERO
    return use.used if use.used_at_close is None else use.used_at_close


def is_moved(tally: StripeTally | None, used: Decimal) -> bool:
    return used != (ZERO if tally is None else tally.queued)


def make_plans(targets: Sequence[Target], *, at: datetime) -> list[Plan]:
    """What changed of each target: read since the last look, and from the period's start where that is not all."""
    plans, unread = [], []
    for target, values in read_slices(targets, since={each.key: each.tally.collected_until for each in targets}, at=at):
        plan = extend_plan(target, values, at=at)
        if plan is None:
            unread.append(target)
        else:
            plans.append(plan)
    known = read_known(unread)
    for target, values in read_slices(unread, since={each.key: each.period.starts_at for each in unread}, at=at):
        plans.append(revise_plan(target, values, known.get(target.key, {}), at=at))
    return plans


Values = list[tuple[Slice, Decimal | None]]  # by slice what it counted, None where nothing was; the tail comes last


def read_slices(
    targets: Sequence[Target], *, since: Mapping[tuple[int, int], datetime], at: datetime
) -> Iterator[tuple[Target, Values]]:
    """Of each target its sealed slices since then, and in the end what came after them.

    Where only whole hours are added up, those that counted nothing are left out.
    """
    plain = {each.key: each for each in targets if is_plain(each, since[each.key])}
    hours = usage.read_hours(
        {
            key: HourSpan(each.tally.account_id, each.tally.meter_id, since[key], each.period.ends_at)
            for key, each in plain.items()
        }
    )
    for key, each in plain.items():
        yield each, split_hours(each, hours[key], since[key], at=at)
    by_meter: dict[str, list[Target]] = {}
    for target in targets:
        if target.key not in plain:
            by_meter.setdefault(target.meter_key, []).append(target)
    for meter_key, group in by_meter.items():
        cuts = {each.key: cut_target(each, since[each.key], at=at) for each in group}
        asked = {each.key: (each.tally.account_id, list_bounds(cuts[each.key])) for each in group}
        readings = usage.read_totals_between(asked, meter_keys=[meter_key])
        for target in group:
            found = [reading.quantity if reading.event_count else None for [reading] in readings[target.key]]
            yield target, list(zip(cuts[target.key], found, strict=True))


def is_plain(target: Target, since: datetime) -> bool:
    bounds = (since, target.period.ends_at)
    return target.tally.formula != LAST and all(floor_hour(bound) == bound for bound in bounds)


def split_hours(target: Target, hours: Sequence[tuple[datetime, Decimal]], since: datetime, *, at: datetime) -> Values:
    sealed = max(find_sealed(target.period.starts_at, target.period.ends_at, at=at), since)
    values: Values = [(Slice(hour, hour + HOUR), total) for hour, total in hours if hour < sealed]
    tail = add_quantities(total for hour, total in hours if hour >= sealed)
    return [*values, (Slice(sealed, target.period.ends_at), tail or None)]


def cut_target(target: Target, since: datetime, *, at: datetime) -> list[Slice]:
    sealed = find_sealed(target.period.starts_at, target.period.ends_at, at=at)
    return [*cut_slices(since, sealed), Slice(max(sealed, since), target.period.ends_at)]


def list_bounds(slices: Sequence[Slice]) -> list[datetime]:
    return [*(each.start for each in slices), slices[-1].end]


def extend_plan(target: Target, values: Values, *, at: datetime) -> Plan | None:
    """What is new since the last look; None where that and what was queued is not all that the window counts."""
    *sealed, (tail, after) = values
    found = [(part, value) for part, value in sealed if value is not None]
    if target.is_final or any(is_too_old(part, at=at) for part, _ in found):
        return None
    plan = Plan(target, tail.start, found, target.tally.queued)
    if target.tally.formula == LAST:
        plan.queued = found[-1][1] if found else plan.queued
        return plan if target.used == (plan.queued if after is None else after) else None
    plan.queued = add_quantities([plan.queued, *(value for _, value in found)])
    plan.changes = [(part, value) for part, value in found if value]
    return plan if target.used == add_quantities([plan.queued, after or ZERO]) else None


def revise_plan(target: Target, values: Values, known: Mapping[datetime, Decimal], *, at: datetime) -> Plan:
    """By how much each slice of the period differs from what was queued of it.

    Where that is not all that a final period counts, or is more, what is left of that goes with its last slice: some of
    it is too old for its own slice, or was counted since.
    """
    *sealed, (tail, after) = values
    plan = Plan(target, tail.start, [], target.tally.queued)
    if target.tally.formula == LAST:
        return revise_last(plan, sealed, after)
    now = {part: value or ZERO for part, value in sealed}
    starts = {part.start for part in now}
    gone = [start for start in known if start not in starts and start < tail.start]
    now |= {Slice(start, min(floor_hour(start) + HOUR, target.period.ends_at)): ZERO for start in gone}
    for part, value in sorted(now.items(), key=lambda each: each[0].start):
        change = add_quantities([value, -known.get(part.start, ZERO)])
        if change and not is_too_old(part, at=at):
            plan.changes.append((part, change))
    plan.queued = add_quantities([plan.queued, *(change for _, change in plan.changes)])
    if target.is_final and plan.queued != target.used:
        rest = add_quantities([target.used, -target.tally.queued])
        plan.changes = [(find_last_slice(target.period.starts_at, target.period.ends_at), rest)]
        plan.queued = target.used
    return plan


def revise_last(plan: Plan, sealed: Values, after: Decimal | None) -> Plan:
    """The last value as it is now, told with the last slice there is: a later time outdoes what was told before."""
    now = plan.target.used if after is None or plan.target.is_final else plan.queued
    period = plan.target.period
    if now != plan.queued and sealed:
        part = find_last_slice(period.starts_at, period.ends_at) if plan.target.is_final else sealed[-1][0]
        plan.changes, plan.queued = [(part, now)], now
    return plan


def read_known(targets: Collection[Target]) -> dict[tuple[int, int], dict[datetime, Decimal]]:
    """(period, meter) → by the start of each slice what was queued of it in all."""
    rows = StripeMeterEvent.objects.filter(period__in={each.period.pk for each in targets}, replaces__isnull=True)
    known: dict[tuple[int, int], dict[datetime, Decimal]] = {}
    for period_id, meter_id, start, total in rows.values_list("period_id", "meter_id", "starts_at").annotate(
        total=Sum("value")
    ):
        known.setdefault((period_id, meter_id), {})[start] = total
    return known


@transaction.atomic
def queue_plans(plans: Sequence[Plan], *, at: datetime) -> int:
    """Write the events of all plans whose tallies are still as they were read. How many."""
    moving = {plan.target.tally.pk: plan for plan in plans if is_news(plan)}
    if not moving:
        return 0
    locked = StripeTally.objects.filter(pk__in=moving).order_by("pk").select_for_update(of=("self",))
    current = [(row, moving[row.pk]) for row in locked if is_unmoved(row, moving[row.pk].target.tally)]
    revisions = read_revisions([plan for _, plan in current])
    events: list[Row] = []
    for row, plan in current:
        try:
            events += list_events(plan, revisions.get(plan.target.key, {}), at=at)
        except NotForStripe as error:
            tell_unsent(plan, str(error), at=at)
        else:
            row.queued, row.collected_until = plan.queued, max(plan.until, row.collected_until)
    insert_rows(StripeMeterEvent, events)
    advance_tallies([row for row, _ in current])
    return len(events)


def advance_tallies(rows: Sequence[StripeTally]) -> None:
    columns = ([row.pk for row in rows], [row.queued for row in rows], [row.collected_until for row in rows])
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE_TALLIES, columns)


def is_news(plan: Plan) -> bool:
    return bool(plan.changes) or plan.until > plan.target.tally.collected_until


def is_unmoved(row: StripeTally, read: StripeTally) -> bool:
    return (row.queued, row.collected_until) == (read.queued, read.collected_until)


def read_revisions(plans: Collection[Plan]) -> dict[tuple[int, int], dict[datetime, int]]:
    """(period, meter) → by the start of each slice its last revision, of the slices that are about to have one."""
    periods = {plan.target.period.pk for plan in plans if plan.changes}
    starts = {part.start for plan in plans for part, _ in plan.changes}
    rows = StripeMeterEvent.objects.filter(period__in=periods, starts_at__in=starts)
    found: dict[tuple[int, int], dict[datetime, int]] = {}
    for period_id, meter_id, start, last in rows.values_list("period_id", "meter_id", "starts_at").annotate(
        last=Max("revision")
    ):
        found.setdefault((period_id, meter_id), {})[start] = last
    return found


def list_events(plan: Plan, revisions: Mapping[datetime, int], *, at: datetime) -> list[Row]:
    """Raises NotForStripe, also for the last slice of a period that ended longer ago than Stripe looks back."""
    events: list[Row] = []
    counts = dict(revisions)
    for part, value in plan.changes:
        if is_too_old(part, at=at):
            raise NotForStripe(f"the period ended on {part.end:%Y-%m-%d}, longer ago than Stripe looks back")
        counts[part.start] = revision = counts.get(part.start, 0) + 1
        events += make_events(plan.target.tally, part, value, revision=revision, at=at)
    return events


def make_events(
    tally: StripeTally,
    part: Slice,
    value: Decimal,
    *,
    revision: int,
    at: datetime,
    replaces_id: int | None = None,
) -> list[Row]:
    """One revision of a slice, in as many parts as its digits ask for, as rows to insert. Raises NotForStripe."""
    values = split_value(value)
    if len(values) > 1 and tally.formula == LAST:
        raise NotForStripe(f"{value:f} has more digits than Stripe takes, and a last value is no sum")
    return [
        {
            "period_id": tally.period_id,
            "meter_id": tally.meter_id,
            "account_id": tally.account_id,
            "starts_at": part.start,
            "ends_at": part.end,
            "revision": revision,
            "part": number,
            "value": addend,
            "timestamp": find_timestamp(part, revision),
            "identifier": make_identifier(
                customer_id=tally.customer_id,
                event_name=tally.event_name,
                start=part.start,
                revision=revision,
                part=number,
            ),
            "event_name": tally.event_name,
            "customer_id": tally.customer_id,
            "formula": tally.formula,
            "replaces_id": replaces_id,
            "due_at": at,
            "created_at": at,
        }
        for number, addend in enumerate(values, start=1)
    ]


def tell_unsent(plan: Plan, cause: str, *, at: datetime) -> None:
    tally = plan.target.tally
    open_drift(
        "usage_unsent",
        f"{tally.period_id} {tally.meter_id}",
        account_id=tally.account_id,
        ours=f"{trim(plan.target.used):f}",
        theirs=f"{trim(tally.queued):f}",
        cause=cause,
        at=at,
    )
