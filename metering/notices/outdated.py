"""Which notices are not worth telling any more: what they are about has passed, or something graver took its place."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from metering.alerts.facts import AlertFact
from metering.models import Alert, AlertState, Audience, Notice, NoticeState, Occasion

Track = tuple[object, ...]


def find_outdated(notices: Sequence[Notice], facts: Mapping[int, AlertFact], *, at: datetime) -> set[int]:
    """The ids of those that people need not hear of. Systems hear of everything, in whatever order.

    An alert that is over by now, or its window, or that a later one of the same meter and window took the place of, was
    seen by nobody and need not be. That one is over interests who heard of it.
    """
    told = [notice for notice in notices if notice.audience != Audience.WEBHOOK and notice.alert_id is not None]
    mine = [facts[notice.alert_id] for notice in told if notice.alert_id is not None]
    latest, heard = read_latest(mine), read_heard(told)
    outdated = set()
    for notice, fact in zip(told, mine, strict=True):
        if notice.occasion == Occasion.RECOVERED:
            is_current = (notice.alert_id, notice.audience) in heard
        else:
            is_last = latest.get(find_track(fact), fact.id) <= fact.id
            is_current = fact.resolved_at is None and at < fact.end and is_last
        if not is_current:
            outdated.add(notice.pk)
    return outdated


def find_track(fact: AlertFact) -> Track:
    """Of alerts about the same thing in the same window one speaks at a time."""
    return fact.account_id, fact.kind, fact.level_unit, fact.meter_id, fact.subject, fact.start


def read_latest(facts: Sequence[AlertFact]) -> dict[Track, int]:
    """Of each track the latest alert that spoke and goes on."""
    rows = Alert.objects.filter(
        account__in={fact.account_id for fact in facts},
        starts_at__in={fact.start for fact in facts},
        state=AlertState.TOLD,
        resolved_at=None,
    ).order_by("pk")
    tracks = rows.values_list("account_id", "kind", "unit", "meter_id", "subject", "starts_at", "pk")
    return {row[:-1]: row[-1] for row in tracks}


def read_heard(notices: Sequence[Notice]) -> set[tuple[int | None, str]]:
    """Alert and audience of those alerts, among what is over, that the audience has been told of."""
    earlier = Notice.objects.filter(
        alert__in=[notice.alert_id for notice in notices if notice.occasion == Occasion.RECOVERED],
        occasion__in=[Occasion.RAISED, Occasion.REMINDED],
        state=NoticeState.TOLD,
    )
    return set(earlier.values_list("alert_id", "audience"))
