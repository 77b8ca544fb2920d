"""Limits: what an account may use of a meter within a window, handed over by billing and counted by ingestion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from types import MappingProxyType
from typing import LiteralString, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from metering.accounts import AccountRef, UnknownAccount
from metering.alerts import end_limits_alerts, record_crossings, set_first_crossings
from metering.locks import hold_accounts, hold_limits_for_change, hold_limits_for_opening
from metering.models import ChangeReason as ChangeReason
from metering.models import Forecast, Limit, LimitChange, Reservation, ReservationState
from metering.quantities import EXACT
from metering.statements import bigint_array, run_statement, time_array
from metering.usage import Window, read_windows

HUNDREDTH = Decimal("0.01")
CHANGED_FIELDS = [
    "is_hard", "plan", "time_zone", "quantity", "epoch", "used_at_change", "next_crossing", "needs_check",
    "needs_forecast", "forecast_at",
]  # fmt: skip
UTC_ALONE: Mapping[int, str] = MappingProxyType({})

FIND_LIMITS: LiteralString = """
    SELECT c.id, c.key, c.name, l.id, m.id, m.key, m.name, m.unit, l.used, l.held, l.quantity, l.is_hard, l.starts_at,
        l.ends_at, l.epoch
    FROM metering_alias a JOIN metering_account c ON c.id = a.account_id
    LEFT JOIN metering_limit l ON l.account_id = c.id AND l.starts_at <= %s AND l.ends_at > %s
    LEFT JOIN metering_meter m ON m.id = l.meter_id
    WHERE a.name = %s
    ORDER BY m.key
"""

FIND_OPEN_WINDOWS = """
    SELECT l.id FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
        AS w (account_id, meter_id, starts_at, ends_at)
    JOIN metering_limit l ON (l.account_id, l.meter_id, l.starts_at, l.ends_at)
        = (w.account_id, w.meter_id, w.starts_at, w.ends_at)
    WHERE l.closed_at IS NULL
"""


READ_USED: LiteralString = """
    SELECT l.account_id, l.meter_id, l.starts_at, l.used, l.used_at_close
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS w (account_id, meter_id, starts_at)
    JOIN metering_limit l ON (l.account_id, l.meter_id, l.starts_at) = (w.account_id, w.meter_id, w.starts_at)
"""


class WindowKey(NamedTuple):
    """What names a window: of an account and meter one begins at a moment."""

    account_id: int
    meter_id: int
    starts_at: datetime


class WindowUse(NamedTuple):
    """What a window counts now, and what it counted when its period became final; None while it is not."""

    used: Decimal
    used_at_close: Decimal | None


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """What a plan grants of one meter. A quantity of None is unlimited."""

    meter_id: int
    quantity: Decimal | None
    is_hard: bool


@dataclass(frozen=True, slots=True)
class LimitReading:
    """How far a limit is used. `percent` has two decimals, rounded down, so that 80 is never read before it is reached.

    A limit of zero reads 0 % until its first use and 100 % from then on. `remaining` is never below zero;
    `available` is what reservations leave of it.
    """

    limit_id: int
    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    used: Decimal
    held: Decimal
    quantity: Decimal | None
    remaining: Decimal | None
    percent: Decimal | None
    is_hard: bool
    start: datetime
    resets_at: datetime
    epoch: int

    @property
    def available(self) -> Decimal | None:
        """What a reservation may still take; None when it is unlimited."""
        return None if self.remaining is None else max(EXACT.subtract(self.remaining, self.held), Decimal(0))


@dataclass(frozen=True, slots=True)
class LimitChangeFact:
    """A limit's quantity became another at `at`; None is unlimited. `limit_id` is of the window that has it since.

    That is None where another plan neither limits nor charges the meter, or where its window was not open yet.
    """

    account_id: int
    meter_id: int
    meter_key: str
    limit_id: int | None
    epoch: int
    before: Decimal | None
    after: Decimal | None
    reason: ChangeReason
    at: datetime

    @property
    def is_raised(self) -> bool:
        return is_raised(self.before, self.after)


class LimitWindowConflict(Exception):
    """The window overlaps another one of the same account and meter, or begins with it and ends elsewhere."""


class LimitWindowClosed(Exception):
    """The window's period is final: its terms no longer change."""


@transaction.atomic
def hand_over_limits(
    *,
    account_ids: Collection[int],
    terms: Sequence[LimitTerms],
    start: datetime,
    end: datetime,
    at: datetime,
    plan: str = "",
    time_zones: Mapping[int, str] = UTC_ALONE,
    reason: ChangeReason = ChangeReason.OVERRIDE,
) -> None:
    """Make each account's window [start, end) of each meter, or bring its terms up to date. A second call changes none.

    A new window starts with what the account already used in it; opening one makes ingestion wait until the caller's
    transaction ends, so keep that short, and hand over before touching limits otherwise. A changed quantity grows the
    epoch, for the `reason` given; another `plan` (a slug) or time zone alone does not. `time_zones` is by account id,
    UTC where it says nothing. The number of statements does not grow with new windows.
    Raises LimitWindowConflict, LimitWindowClosed.
    """
    wanted = {(account_id, item.meter_id): item for account_id in account_ids for item in terms}
    meter_ids = {item.meter_id for item in terms}
    standing = Limit.objects.filter(account_id__in=account_ids, meter_id__in=meter_ids, starts_at=start)
    if standing.count() < len(wanted):
        hold_limits_for_opening()
    else:
        hold_limits_for_change()
        hold_accounts(account_ids)
    changed = []
    for limit in standing.select_for_update(of=("self",)).order_by("pk"):
        item = wanted.pop((limit.account_id, limit.meter_id))
        zone = time_zones.get(limit.account_id, "UTC")
        if change_terms(limit, item, plan=plan, time_zone=zone, end=end, at=at, reason=reason):
            changed.append(limit)
    set_first_crossings(changed)
    Limit.objects.bulk_update(changed, CHANGED_FIELDS)
    if wanted:
        open_windows(wanted, start=start, end=end, plan=plan, time_zones=time_zones)


def open_windows(
    terms: Mapping[tuple[int, int], LimitTerms],
    *,
    start: datetime,
    end: datetime,
    plan: str = "",
    time_zones: Mapping[int, str] = UTC_ALONE,
) -> None:
    """Create windows, by account and meter, that count from what is stored. Only under `hold_limits_for_opening`."""
    account_ids = {account_id for account_id, _meter_id in terms}
    used = read_windows({pair: Window(*pair, start, end) for pair in terms})
    limits = [
        Limit(
            account_id=account_id,
            meter_id=meter_id,
            starts_at=start,
            ends_at=end,
            quantity=item.quantity,
            plan=plan,
            time_zone=time_zones.get(account_id, "UTC"),
            is_hard=item.is_hard,
            used=used[account_id, meter_id],
            used_at_change=used[account_id, meter_id],
            needs_check=True,
        )
        for (account_id, meter_id), item in terms.items()
    ]
    set_first_crossings(limits)
    try:
        with transaction.atomic():
            Limit.objects.bulk_create(limits)
    except IntegrityError as error:
        if "limit_windows_do_not_overlap" not in str(error):
            raise
        accounts = ", ".join(map(str, sorted(account_ids)))
        raise LimitWindowConflict(
            f"a limit of accounts {accounts} has a window that overlaps {start} – {end}"
        ) from error


def change_terms(
    limit: Limit, terms: LimitTerms, *, plan: str, time_zone: str, end: datetime, at: datetime, reason: ChangeReason
) -> bool:
    """Set them on the limit, which the caller saves; False where they are those it has."""
    if limit.ends_at != end:
        raise LimitWindowConflict(f"the window of limit {limit.pk} ends {limit.ends_at}, not {end}")
    is_same_quantity = (limit.quantity, limit.is_hard) == (terms.quantity, terms.is_hard)
    if is_same_quantity and (limit.closed_at is not None or (limit.plan, limit.time_zone) == (plan, time_zone)):
        return False
    if limit.closed_at is not None:
        raise LimitWindowClosed(f"the window of limit {limit.pk} was closed {limit.closed_at}")
    limit.needs_check = limit.needs_check or limit.plan != plan  # which has rules of its own
    limit.is_hard, limit.plan, limit.time_zone = terms.is_hard, plan, time_zone
    if limit.quantity != terms.quantity:
        change_quantity(limit, terms.quantity, at=at, reason=reason)
    return True


def change_quantity(limit: Limit, quantity: Decimal | None, *, at: datetime, reason: ChangeReason) -> None:
    """Begin a new epoch. The next check alerts by the new quantity, also for what was used before."""
    before, limit.quantity = limit.quantity, quantity
    limit.epoch, limit.needs_check = limit.epoch + 1, True
    limit.needs_forecast, limit.forecast_at = True, None  # a new epoch need not wait for the next hour
    limit.used_at_change = limit.used
    LimitChange.objects.create(
        account_id=limit.account_id,
        meter_id=limit.meter_id,
        limit=limit,
        epoch=limit.epoch,
        before=before,
        after=quantity,
        reason=reason,
        at=at,
    )


@transaction.atomic
def record_new_terms(
    *, account_id: int, before: Sequence[LimitTerms], after: Sequence[LimitTerms], at: datetime, is_other_plan: bool
) -> None:
    """Another plan, or another version of it, took effect at `at`: record which quantities it changed.

    A meter of which one of them says nothing is unlimited there. With another plan the reason is an upgrade where more
    is allowed than before, else a downgrade. A second call records nothing.
    """
    old, new = ({item.meter_id: item.quantity for item in terms} for terms in (before, after))
    changed = sorted(meter_id for meter_id in old.keys() | new.keys() if old.get(meter_id) != new.get(meter_id))
    if not changed:
        return
    hold_limits_for_change()
    windows = dict(
        Limit.objects.filter(account_id=account_id, meter_id__in=changed, starts_at=at).values_list("meter_id", "pk")
    )
    changes = [
        LimitChange(
            account_id=account_id,
            meter_id=meter_id,
            limit_id=windows.get(meter_id),
            epoch=1,
            before=old.get(meter_id),
            after=new.get(meter_id),
            reason=name_reason(old.get(meter_id), new.get(meter_id), is_other_plan=is_other_plan),
            at=at,
        )
        for meter_id in changed
    ]
    LimitChange.objects.bulk_create(changes, ignore_conflicts=True)


def name_reason(before: Decimal | None, after: Decimal | None, *, is_other_plan: bool) -> ChangeReason:
    if not is_other_plan:
        return ChangeReason.RENEWAL
    return ChangeReason.UPGRADE if is_raised(before, after) else ChangeReason.DOWNGRADE


def is_raised(before: Decimal | None, after: Decimal | None) -> bool:
    """Whether more is allowed than before; None is unlimited."""
    return before is not None and (after is None or after > before)


def list_changes(
    account_ids: Collection[int], *, since: datetime, until: datetime | None = None
) -> list[LimitChangeFact]:
    """What became of these accounts' limits at or after `since`, and before `until`; the first comes first."""
    changes = LimitChange.objects.filter(account_id__in=account_ids, at__gte=since)
    if until is not None:
        changes = changes.filter(at__lt=until)
    return [
        LimitChangeFact(
            account_id=each.account_id,
            meter_id=each.meter_id,
            meter_key=each.meter.key,
            limit_id=each.limit_id,
            epoch=each.epoch,
            before=each.before,
            after=each.after,
            reason=ChangeReason(each.reason),
            at=each.at,
        )
        for each in changes.select_related("meter").order_by("at", "pk")
    ]


@transaction.atomic
def move_time_zone(*, account_id: int, time_zone: str) -> int:
    """The account's clock is another: its windows that are not final say so. Returns how many; their epochs stay."""
    moved = Limit.objects.filter(account_id=account_id, closed_at=None).exclude(time_zone=time_zone)
    if not moved.exists():
        return 0
    hold_limits_for_change()
    hold_accounts([account_id])
    return moved.update(time_zone=time_zone)


def read_limits(*, account_id: int, at: datetime) -> list[LimitReading]:
    """The limits whose window contains `at`, by meter key."""
    limits = Limit.objects.filter(account_id=account_id, starts_at__lte=at, ends_at__gt=at).select_related("meter")
    return [state_limit(limit) for limit in limits.order_by("meter__key")]


def find_limits(account_key: str, *, at: datetime) -> tuple[AccountRef, list[LimitReading]]:
    """The same with the account, by its key or an alias, in one statement. Raises UnknownAccount."""
    rows = run_statement(FIND_LIMITS, [at, at, account_key]) if "\0" not in account_key else []
    if not rows:
        raise UnknownAccount(f"No account is called {account_key!r}.")
    account = AccountRef(*rows[0][:3])
    return account, [state_columns(*row[3:]) for row in rows if row[3] is not None]


def read_used_of(windows: Collection[WindowKey]) -> dict[WindowKey, WindowUse]:
    """The running totals of those windows that there are, not rounded: one row of an index each, in one statement.

    Cheap enough to ask every few minutes which of many windows moved.
    """
    if not windows:
        return {}
    accounts, meters, starts = zip(*windows, strict=True)
    rows = run_statement(READ_USED, [bigint_array(accounts), bigint_array(meters), time_array(starts)])
    return {WindowKey(*row[:3]): WindowUse(*row[3:]) for row in rows}


def state_limit(limit: Limit) -> LimitReading:
    meter = limit.meter
    return state_columns(
        limit.pk, meter.pk, meter.key, meter.name, meter.unit, limit.used, limit.held, limit.quantity, limit.is_hard,
        limit.starts_at, limit.ends_at, limit.epoch,
    )  # fmt: skip


def state_columns(
    limit_id: int, meter_id: int, meter_key: str, meter_name: str, unit: str, used: Decimal, held: Decimal,
    quantity: Decimal | None, is_hard: bool, start: datetime, end: datetime, epoch: int,
) -> LimitReading:  # fmt: skip
    return LimitReading(
        limit_id=limit_id,
        meter_id=meter_id,
        meter_key=meter_key,
        meter_name=meter_name,
        unit=unit,
        used=used,
        held=held,
        quantity=quantity,
        remaining=None if quantity is None else max(EXACT.subtract(quantity, used), Decimal(0)),
        percent=None if quantity is None else find_percent(used, quantity),
        is_hard=is_hard,
        start=start,
        resets_at=end,
        epoch=epoch,
    )


def find_percent(used: Decimal, quantity: Decimal) -> Decimal:
    if quantity == 0:
        return Decimal(100) if used > 0 else Decimal(0)
    exact = EXACT.divide(EXACT.multiply(used, Decimal(100)), quantity)
    return exact.quantize(HUNDREDTH, rounding=ROUND_DOWN, context=EXACT)


@transaction.atomic
def end_windows(*, account_id: int, meter_ids: Collection[int], at: datetime) -> None:
    """End the account's windows of these meters at `at`: those that hold it are cut there, later ones taken back.

    What they count is counted anew, up to `at`. What is held of them is given back; it can be settled all the same.
    Alerts keep the window of which they spoke. Ingestion waits until the caller's transaction ends. A second call
    changes nothing. Raises LimitWindowClosed.
    """
    hold_limits_for_opening()
    found = Limit.objects.filter(account_id=account_id, meter_id__in=meter_ids, ends_at__gt=at)
    windows = {limit.pk: limit for limit in found.order_by("pk").select_for_update(of=("self",))}
    for limit in windows.values():
        if limit.closed_at is not None:
            raise LimitWindowClosed(f"the window of limit {limit.pk} was closed {limit.closed_at}")
    held = {pk: EXACT.subtract(limit.held, give_back_holds(pk, at=at)) for pk, limit in windows.items()}
    later = [pk for pk, limit in windows.items() if limit.starts_at >= at]
    Reservation.objects.filter(limit__in=later).delete()
    Forecast.objects.filter(limit__in=later).delete()
    Limit.objects.filter(pk__in=later).delete()
    cut = {pk: limit for pk, limit in windows.items() if limit.starts_at < at}
    end_limits_alerts(list(cut), at=at)
    used = read_windows({pk: Window(account_id, limit.meter_id, limit.starts_at, at) for pk, limit in cut.items()})
    for pk, limit in cut.items():
        limit.was_to_end_at = limit.was_to_end_at or limit.ends_at
        limit.ends_at, limit.used, limit.held, limit.needs_check = at, used[pk], held[pk], True
        limit.needs_forecast = limit.needs_rating = True
        moved = ["needs_check", "needs_forecast", "needs_rating"]
        limit.save(update_fields=["ends_at", "was_to_end_at", "used", "held", *moved])


def give_back_holds(limit_id: int, *, at: datetime) -> Decimal:
    """Expire what is held of a limit; returns how much. What another caller is ending, who waits for us, is left."""
    held = Reservation.objects.filter(limit_id=limit_id, state=ReservationState.HELD).select_for_update(
        of=("self",), skip_locked=True
    )
    quantities = dict(held.order_by("pk").values_list("pk", "quantity"))
    Reservation.objects.filter(pk__in=quantities).update(state=ReservationState.EXPIRED, ended_at=at)
    return sum(quantities.values(), start=Decimal(0))


@transaction.atomic
def close_window(
    *, account_id: int, start: datetime, end: datetime, at: datetime, meter_ids: Collection[int] | None = None
) -> None:
    """The period is final: what arrives from now on is late, and alerts nobody. A second call is quiet.

    What a changed limit still had to say is recorded first. `meter_ids`, when given, are the only ones it is about.
    """
    hold_limits_for_change()
    windows = Limit.objects.filter(account_id=account_id, starts_at=start, ends_at=end)
    if meter_ids is not None:
        windows = windows.filter(meter_id__in=meter_ids)
    close_windows([Window(account_id, meter_id, start, end) for (meter_id,) in windows.values_list("meter_id")], at=at)


@transaction.atomic
def close_windows(windows: Collection[Window], *, at: datetime) -> None:
    """The same for many windows, those that there are, in a fixed number of statements."""
    if not windows:
        return
    hold_limits_for_change()
    hold_accounts({window.account_id for window in windows})
    columns = [list(column) for column in zip(*windows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(FIND_OPEN_WINDOWS, columns)
        open_ids = [limit_id for (limit_id,) in cursor.fetchall()]
    record_crossings(open_ids, at=at)
    Limit.objects.filter(pk__in=open_ids).update(
        closed_at=at, needs_check=False, needs_forecast=False, needs_rating=False, used_at_close=F("used")
    )
