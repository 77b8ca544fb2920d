"""Snoozes: nobody wants to hear of an account, or of one meter, until a moment or a level. One runs of each."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from metering import notices
from metering.alerts.levels import is_further
from metering.locks import hold_accounts, hold_limits_for_change
from metering.models import Alert, AlertState, Direction, Silence, Snooze

PAGE = 200


class SnoozeWithoutEnd(ValueError):
    """A snooze names a moment that lies ahead, or a level above zero, or both."""


@dataclass(frozen=True, slots=True)
class SnoozeFact:
    """A snooze of an account (`meter_id` None: of all it has); `ended_at` None while it runs."""

    id: int
    account_id: int
    meter_id: int | None
    until: datetime | None
    until_level: Decimal | None
    reason: str
    made_by: str
    made_at: datetime
    ended_at: datetime | None


@transaction.atomic
def snooze(
    *,
    account_id: int,
    made_by: str,
    at: datetime,
    meter_id: int | None = None,
    until: datetime | None = None,
    until_level: Decimal | None = None,
    reason: str = "",
) -> SnoozeFact:
    """Keep alerts silent until a moment, or until a level in percent of the limit is reached, whichever is first.

    It covers up to the level that stands now; a further one speaks all the same, unless the snooze names a level. It
    takes the place of the one that runs. Raises SnoozeWithoutEnd.
    """
    if (until is None and until_level is None) or (until is not None and until <= at):
        raise SnoozeWithoutEnd("A snooze ends at a moment that lies ahead, or at a level.")
    if until_level is not None and until_level <= 0:
        raise SnoozeWithoutEnd("A snooze ends at a level above zero.")
    hold_account(account_id)
    Snooze.objects.filter(account=account_id, meter=meter_id, ended_at=None).update(ended_at=at)
    made = Snooze.objects.create(
        account_id=account_id,
        meter_id=meter_id,
        until=until,
        until_level=until_level,
        reason=reason,
        made_by=made_by,
        made_at=at,
    )
    return state_snooze(made)


@transaction.atomic
def end_snooze(snooze_id: int, *, at: datetime) -> bool:
    """End one before its time, with a reminder of what is still in alarm. False where it was over already."""
    found = Snooze.objects.filter(pk=snooze_id).first()
    if found is None:
        return False
    hold_account(found.account_id)
    if not Snooze.objects.filter(pk=snooze_id, ended_at=None).update(ended_at=at):
        return False
    remind([found], at=at)
    return True


def end_due_snoozes(*, at: datetime) -> int:
    """End those whose time is up, each with a reminder of what is still in alarm; returns how many."""
    count = 0
    while True:
        due = list(Snooze.objects.filter(ended_at=None, until__lte=at).order_by("pk")[:PAGE])
        if not due:
            return count
        with transaction.atomic():
            hold_limits_for_change()
            hold_accounts({each.account_id for each in due})
            ended = [
                each for each in due if Snooze.objects.filter(pk=each.pk, ended_at=None).update(ended_at=each.until)
            ]
            remind(ended, at=at)
        count += len(ended)


def hold_account(account_id: int) -> None:
    hold_limits_for_change()
    hold_accounts([account_id])


def remind(ended: Collection[Snooze], *, at: datetime) -> None:
    """Of each thing that was kept silent, or was in alarm when that began, the furthest level that still stands, once.

    What was told meanwhile needs no reminder.
    """
    reminded: set[int] = set()
    for each in ended:
        standing = Alert.objects.filter(account=each.account_id, resolved_at=None, ends_at__gt=at)
        if each.meter_id is not None:
            standing = standing.filter(meter=each.meter_id)
        reminded |= {
            alert.pk
            for alert in find_furthest_of_each(list(standing.select_related("rule").order_by("pk")))
            if needs_reminder(alert, each)
        }
    if reminded:
        Alert.objects.filter(pk__in=reminded, reminded_at=None).update(reminded_at=at)
        notices.announce(sorted(reminded), occasion="reminded", at=at)


def find_furthest_of_each(alerts: Collection[Alert]) -> list[Alert]:
    """Of each thing that is watched the alert of the furthest level; of one level the one somebody heard of."""
    furthest: dict[tuple[object, ...], Alert] = {}
    for alert in alerts:
        key = alert.kind, alert.unit, alert.meter_id, alert.subject, alert.starts_at
        if key not in furthest or outdoes(alert, furthest[key]):
            furthest[key] = alert
    return list(furthest.values())


def outdoes(alert: Alert, other: Alert) -> bool:
    if alert.level == other.level:
        return alert.state != AlertState.SUPERSEDED
    is_falling = alert.rule is not None and alert.rule.direction == Direction.FALLING
    return is_further(alert.level, other.level, is_falling=is_falling)


def needs_reminder(alert: Alert, ended: Snooze) -> bool:
    if alert.reminded_at is not None or alert.silence == Silence.LATE:
        return False
    return alert.silence == Silence.SNOOZED or alert.detected_at <= ended.made_at


def list_snoozes(account_ids: Collection[int], *, at: datetime) -> list[SnoozeFact]:
    """Those of these accounts that run, the latest first."""
    running = Snooze.objects.filter(account__in=account_ids, ended_at=None).exclude(until__lte=at)
    return [state_snooze(each) for each in running.order_by("-made_at", "-pk")]


def state_snooze(each: Snooze) -> SnoozeFact:
    return SnoozeFact(
        id=each.pk,
        account_id=each.account_id,
        meter_id=each.meter_id,
        until=each.until,
        until_level=each.until_level,
        reason=each.reason,
        made_by=each.made_by,
        made_at=each.made_at,
        ended_at=each.ended_at,
    )
