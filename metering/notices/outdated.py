"""Which notices are not worth telling any more: what they are about has passed, or something graver took its place."""

from collections.abc import Mapping, Sequence

from metering.alerts.facts import AlertFact
from metering.models import Alert, AlertState, Audience, Notice, NoticeState, Occasion

Track = tuple[object, ...]


def find_outdated(notices: Sequence[Notice], facts: Mapping[int, AlertFact]) -> set[int]:
    """The ids of those that people need not hear of. Systems hear of everything, in whatever order.

    An alert that is over by now, or that a later one of the same meter and window took the place of, was seen by nobody
    and need not be. That it is over interests who heard that it began; of several that ended at once, the latest.
    """
    outdated: set[int] = set()
    told = [notice for notice in notices if notice.audience != Audience.WEBHOOK and notice.alert_id is not None]
    mine = [facts[notice.alert_id] for notice in told if notice.alert_id is not None]
    later = read_latest_of(mine)
    heard = read_heard(told)
    for notice, fact in zip(told, mine, strict=True):
        if notice.occasion == Occasion.RECOVERED:
            ended = later.get((*find_track(fact), fact.resolved_at), fact.id)
            if ended > fact.id or (notice.alert_id, notice.audience) not in heard:
                outdated.add(notice.pk)
        elif fact.resolved_at is not None or later.get((*find_track(fact), None), fact.id) > fact.id:
            outdated.add(notice.pk)
    return outdated


def find_track(fact: AlertFact) -> Track:
    """Of alerts about the same thing in the same window one speaks at a time."""
    return fact.account_id, fact.kind, fact.level_unit, fact.meter_id, fact.subject, fact.start


def read_latest_of(facts: Sequence[AlertFact]) -> dict[Track, int]:
    """The latest alert that spoke, of each track and moment at which it ended (None: it goes on)."""
    rows = Alert.objects.filter(
        account__in={fact.account_id for fact in facts},
        starts_at__in={fact.start for fact in facts},
        state=AlertState.TOLD,
    ).order_by("pk")
    return {
        row[1:]: row[0]
        for row in rows.values_list(
            "pk", "account_id", "kind", "unit", "meter_id", "subject", "starts_at", "resolved_at"
        )
    }


def read_heard(notices: Sequence[Notice]) -> set[tuple[int | None, str]]:
    """Alert and audience of those alerts that the audience has been told of."""
    raised = Notice.objects.filter(
        alert__in=[notice.alert_id for notice in notices if notice.occasion == Occasion.RECOVERED],
        occasion=Occasion.RAISED,
        state=NoticeState.TOLD,
    )
    return set(raised.values_list("alert_id", "audience"))
