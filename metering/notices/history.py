"""What an account is in alarm for now, and what it was told: for the screens of its members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metering.alerts import list_standing
from metering.alerts.facts import AlertFact, state_alert
from metering.models import Alert, AlertKind, AlertState, Audience, Notice, NoticeState, Occasion, Severity, Silence
from metering.notices.words import MONEY_KINDS, AlertWords, word_alert

GRAVITY = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
ON_PACE = 100  # percent: a commitment alerts below it when it is behind, above when it is ahead
KEPT_BACK = (Silence.SNOOZED, Silence.LATE)  # from the banner


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """One alert as the account's members see it. `told_at` is when they were, `due_at` when they will be."""

    fact: AlertFact
    words: AlertWords
    told_at: datetime | None = None
    due_at: datetime | None = None


def read_banner(
    account_id: int, *, at: datetime, can_upgrade: bool | None = None, with_money: bool = True
) -> list[AlertEntry]:
    """What is in alarm now, in the active language: of each meter the highest, the gravest first.

    Without what tells of money, if so asked.

    Only windows that hold `at`, and what goes on; what is snoozed is left out. One query.
    """
    highest: dict[object, AlertFact] = {}
    for fact in list_standing([account_id], at=at):
        if not fact.start <= at < fact.end or fact.silence in KEPT_BACK:
            continue
        if fact.kind in MONEY_KINDS and not with_money:
            continue
        place = (fact.meter_id, fact.subject) if fact.meter_id is not None else (fact.kind, fact.subject)
        highest[place] = max(fact, highest.get(place, fact), key=rank)
    shown = sorted(highest.values(), key=rank, reverse=True)
    return [AlertEntry(fact, word_alert(fact, can_upgrade=can_upgrade)) for fact in shown]


def rank(fact: AlertFact) -> tuple[object, ...]:
    """The gravest, usage before what is expected of it, the latest terms, the furthest level, the latest."""
    is_falling = fact.kind == AlertKind.CREDIT or (fact.kind == AlertKind.COMMITMENT and fact.level < ON_PACE)
    furthest = -fact.level if is_falling else fact.level
    return GRAVITY[Severity(fact.severity)], fact.kind != AlertKind.FORECAST, fact.epoch, furthest, fact.id


def list_account_alerts(
    account_id: int, *, before: int | None = None, limit: int, with_money: bool = True
) -> list[AlertEntry]:
    """What the account was in alarm for, told or kept silent, the latest first; `before` is the id to go on from.

    What a higher level took the place of is left out, and what tells of money, if so asked. In the active language.
    Two queries.
    """
    alerts = Alert.objects.filter(account_id=account_id).exclude(state=AlertState.SUPERSEDED)
    if not with_money:
        alerts = alerts.exclude(kind__in=MONEY_KINDS)
    if before is not None:
        alerts = alerts.filter(pk__lt=before)
    facts = [state_alert(alert) for alert in alerts.select_related("meter").order_by("-pk")[:limit]]
    notices = read_member_notices(facts)
    return [state_entry(fact, notices.get(fact.id)) for fact in facts]


def read_member_notices(facts: Sequence[AlertFact]) -> dict[int | None, Notice]:
    """By alert, the notice by which the members first hear of it."""
    found = Notice.objects.filter(
        alert__in=[fact.id for fact in facts],
        audience=Audience.MEMBERS,
        occasion__in=[Occasion.RAISED, Occasion.REMINDED],
    )
    return {notice.alert_id: notice for notice in found.order_by("-pk")}


def state_entry(fact: AlertFact, notice: Notice | None) -> AlertEntry:
    return AlertEntry(
        fact=fact,
        words=word_alert(fact),
        told_at=notice.decided_at if notice and notice.state == NoticeState.TOLD else None,
        due_at=notice.due_at if notice and notice.state == NoticeState.WAITING else None,
    )
