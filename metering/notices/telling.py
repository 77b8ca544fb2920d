"""From a notice to the messages that tell it: who is behind the audience, what they read, one job for each message."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from jobs import queue
from metering import accounts
from metering.alerts.facts import AlertFact, read_alerts
from metering.models import Audience, Channel, Delivery, Notice, NoticeState, Occasion, Severity
from metering.notices.announcing import TELL
from metering.notices.mails import Draft, write_mail
from metering.notices.outdated import find_outdated
from metering.notices.payloads import write_payload
from metering.notices.recipients import Recipient, find_recipients
from metering.notices.words import MONEY_KINDS

DELIVER = "metering.deliver"
WAIT_FOR_SALES = timedelta(minutes=10)
LOOK_AGAIN = timedelta(seconds=15)
GRAVITY = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}

__all__ = ["DELIVER", "TELL", "tell_notices"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be written: to whom, of which notices, the oldest first."""

    recipient: Recipient
    notices: tuple[Notice, ...]
    draft: Draft


@transaction.atomic
def tell_notices(notice_ids: Collection[int], *, at: datetime) -> int:
    """Write the messages of these notices, and of what is due in the same digest; promise to send each. How many.

    A notice is told once: a second call finds none that waits. What is not worth telling any more is said to be so.
    Raises queue.Postponed while sales has not taken an alert up, for ten minutes at most: until then nobody knows whose
    it is.
    """
    notices = lock_waiting(notice_ids, at=at)
    if not notices:
        return 0
    facts = read_alerts({notice.alert_id for notice in notices if notice.alert_id is not None})
    wait_for_sales(notices, at=at)
    outdated = find_outdated(notices, facts, at=at)
    close_notices(outdated, NoticeState.SUPERSEDED, at=at)
    current = [notice for notice in notices if notice.pk not in outdated]
    messages = list(write_messages(current, facts, at=at))
    told = {notice.pk for message in messages for notice in message.notices}
    close_notices(told, NoticeState.TOLD, at=at)
    close_notices({notice.pk for notice in current} - told, NoticeState.NOBODY, at=at)
    promise_messages(messages, at=at)
    return len(messages)


def lock_waiting(notice_ids: Collection[int], *, at: datetime) -> list[Notice]:
    """Those that wait and are due, with those that belong to the same digests, locked in the order of their keys."""
    wanted = Q(pk__in=notice_ids)
    for notice in Notice.objects.filter(pk__in=notice_ids, state=NoticeState.WAITING).exclude(digest="none"):
        wanted |= Q(
            account_id=notice.account_id,
            audience=notice.audience,
            digest=notice.digest,
            due_at=notice.due_at,
        )
    waiting = Notice.objects.filter(wanted, state=NoticeState.WAITING, due_at__lte=at)
    return list(waiting.select_for_update(no_key=True).order_by("pk"))


def wait_for_sales(notices: Sequence[Notice], *, at: datetime) -> None:
    """Raises queue.Postponed."""
    fresh = [
        notice.alert_id
        for notice in notices
        if notice.audience == Audience.REP
        and notice.occasion == Occasion.RAISED
        and at < notice.made_at + WAIT_FOR_SALES
    ]
    if fresh and Notice.objects.filter(alert__in=fresh, alert__claimed_at=None).exists():
        raise queue.Postponed(at + LOOK_AGAIN, "sales has not taken it up yet")


def close_notices(notice_ids: Collection[int], state: NoticeState, *, at: datetime) -> None:
    if notice_ids:
        Notice.objects.filter(pk__in=notice_ids, state=NoticeState.WAITING).update(state=state, decided_at=at)


def write_messages(notices: Sequence[Notice], facts: dict[int, AlertFact], *, at: datetime) -> Iterable[Message]:
    """To each person one mail of what they hear of at once; to each system one request for each alert."""
    by_audience: defaultdict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_audience[notice.audience].append(notice)
    known = accounts.read_accounts({fact.account_id for fact in facts.values()})
    for audience, some in by_audience.items():
        found = find_recipients(audience, {each.account_id for each in some if each.account_id is not None}, at=at)
        for group in gather(some):
            account = known[facts[group[0].alert_id or 0].account_id]
            told = [(facts[notice.alert_id], notice.occasion) for notice in group if notice.alert_id is not None]
            told.sort(key=lambda pair: rank(pair[0]), reverse=True)
            for recipient in found.get(account.id, []):
                if recipient.occasions and group[0].occasion not in recipient.occasions:
                    continue
                shown = [pair for pair in told if recipient.sees_money or pair[0].kind not in MONEY_KINDS]
                if not shown:
                    continue
                if recipient.channel == Channel.MAIL:
                    draft = write_mail(shown, recipient, account_name=account.name or account.key)
                else:
                    draft = write_payload(shown[0][0], shown[0][1], account=account, at=at)
                seen = {fact.id for fact, _occasion in shown}
                yield Message(recipient, tuple(each for each in group if each.alert_id in seen), draft)


def gather(notices: Sequence[Notice]) -> list[list[Notice]]:
    """What is told together: of people all of one account that is due in one digest, or on one occasion at once."""
    groups: defaultdict[tuple[object, ...], list[Notice]] = defaultdict(list)
    for notice in notices:
        together: tuple[object, ...] = (notice.account_id, notice.digest, notice.due_at)
        if notice.audience == Audience.WEBHOOK:
            together = (notice.pk,)
        elif notice.digest == "none":
            together = (notice.account_id, notice.occasion)
        groups[together].append(notice)
    return list(groups.values())


def rank(fact: AlertFact) -> tuple[int, int]:
    """The gravest first, of equal ones the latest."""
    return GRAVITY[Severity(fact.severity)], fact.id


def promise_messages(messages: Sequence[Message], *, at: datetime) -> None:
    """Freeze each message and promise to send it. The oldest notice that it covers makes it unique."""
    deliveries = Delivery.objects.bulk_create(
        Delivery(
            first_notice=message.notices[0],
            channel=message.recipient.channel,
            recipient=message.recipient.address,
            endpoint_id=message.recipient.endpoint_id,
            language=message.recipient.language,
            subject=message.draft.subject,
            text=message.draft.text,
            html=message.draft.html,
            headers=message.draft.headers,
            made_at=at,
        )
        for message in messages
    )
    covers = Delivery.notices.through
    covers.objects.bulk_create(
        covers(delivery_id=delivery.pk, notice_id=notice.pk)
        for delivery, message in zip(deliveries, messages, strict=True)
        for notice in message.notices
    )
    for delivery in deliveries:
        promise_sending(delivery, at=at)


def promise_sending(delivery: Delivery, *, at: datetime) -> None:
    queue.enqueue(DELIVER, name_job(delivery), {"delivery": delivery.pk}, at=at)


def name_job(delivery: Delivery) -> str:
    """Each round has a job of its own."""
    return f"{delivery.pk}:{delivery.rounds}"
