"""Limits: what an account may use of a meter within a window, handed over by billing and counted by ingestion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import LiteralString, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from metering.accounts import AccountRef, UnknownAccount
from metering.alerts import find_next_crossing, keep_raised_limit_quiet, record_crossings
from metering.locks import hold_accounts, hold_limits_for_change, hold_limits_for_opening
from metering.models import Forecast, Limit, Reservation, ReservationState
from metering.quantities import EXACT
from metering.statements import bigint_array, run_statement, time_array
from metering.usage import Window, read_windows

HUNDREDTH = Decimal("0.01")

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


class LimitWindowConflict(Exception):
    """The window overlaps another one of the same account and meter, or begins with it and ends elsewhere."""


class LimitWindowClosed(Exception):
    """The window's period is final: its terms no longer change."""


@transaction.atomic
def hand_over_limits(
    *, account_ids: Collection[int], terms: Sequence[LimitTerms], start: datetime, end: datetime, at: datetime
) -> None:
    """Make each account's window [start, end) of each meter, or bring its terms up to date. A second call changes none.

    A new window starts with what the account already used in it; opening one makes ingestion wait until the caller's
    transaction ends, so keep that short, and hand over before touching limits otherwise. A changed quantity grows the
    epoch. The number of statements does not grow with new windows. Raises LimitWindowConflict, LimitWindowClosed.
    """
    wanted = {(account_id, item.meter_id): item for account_id in account_ids for item in terms}
    meter_ids = {item.meter_id for item in terms}
    standing = Limit.objects.filter(account_id__in=account_ids, meter_id__in=meter_ids, starts_at=start)
    if standing.count() < len(wanted):
        hold_limits_for_opening()
    else:
        hold_limits_for_change()
        hold_accounts(account_ids)
    for limit in standing.select_for_update(of=("self",)).order_by("pk"):
        change_terms(limit, wanted.pop((limit.account_id, limit.meter_id)), end=end, at=at)
    if wanted:
        open_windows(wanted, start=start, end=end)


def open_windows(terms: Mapping[tuple[int, int], LimitTerms], *, start: datetime, end: datetime) -> None:
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
            is_hard=item.is_hard,
            used=used[account_id, meter_id],
            next_crossing=find_next_crossing(item.quantity),
            needs_check=True,
        )
        for (account_id, meter_id), item in terms.items()
    ]
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


def change_terms(limit: Limit, terms: LimitTerms, *, end: datetime, at: datetime) -> None:
    if limit.ends_at != end:
        raise LimitWindowConflict(f"the window of limit {limit.pk} ends {limit.ends_at}, not {end}")
    if (limit.quantity, limit.is_hard) == (terms.quantity, terms.is_hard):
        return
    if limit.closed_at is not None:
        raise LimitWindowClosed(f"the window of limit {limit.pk} was closed {limit.closed_at}")
    limit.is_hard = terms.is_hard
    if limit.quantity != terms.quantity:
        change_quantity(limit, terms.quantity, at=at)
    limit.save(
        update_fields=["is_hard", "quantity", "epoch", "next_crossing", "needs_check", "needs_forecast", "forecast_at"]
    )


def change_quantity(limit: Limit, quantity: Decimal | None, *, at: datetime) -> None:
    """Begin a new epoch. The next check alerts by the new quantity, also for what was used before."""
    was_raised = limit.quantity is not None and quantity is not None and quantity > limit.quantity
    limit.quantity, limit.epoch, limit.needs_check = quantity, limit.epoch + 1, True
    limit.needs_forecast, limit.forecast_at = True, None  # a new epoch need not wait for the next hour
    limit.next_crossing = find_next_crossing(quantity)
    if was_raised:
        keep_raised_limit_quiet(limit, at=at)


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
    used = read_windows({pk: Window(account_id, limit.meter_id, limit.starts_at, at) for pk, limit in cut.items()})
    for pk, limit in cut.items():
        limit.ends_at, limit.used, limit.held, limit.needs_check = at, used[pk], held[pk], True
        limit.needs_forecast = True
        limit.save(update_fields=["ends_at", "used", "held", "needs_check", "needs_forecast"])


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
        closed_at=at, needs_check=False, needs_forecast=False, used_at_close=F("used")
    )
