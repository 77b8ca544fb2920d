"""Sending one message: outside of a transaction, told again under the same Message-ID until it is taken.

Marked before it is handed over and after: who dies before has it sent once; who dies after the hand-over and before the
mark has it sent again, under the same Message-ID (of a webhook: `webhook-id`), by which the other side can tell.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F

from jobs.webhooks import Answer, UnsafeAddress, WebhookFailed, send_webhook
from metering.models import Channel, Delivery, DeliveryState, WebhookEndpoint

ATTEMPTS = 30  # with the queue's backoff about eleven hours
ERROR_LENGTH = 1000
GONE = 410

Ending = Callable[[], object]


class NobodyListens(Exception):
    """The endpoint is switched off or gone: to try again is of no use."""


def send_delivery(delivery_id: int, *, is_last: bool, at: datetime) -> Ending | None:
    """Send it, unless it is sent. What it returns marks it so, in the transaction that ends the job.

    Raises what went wrong, put down in the log of deliveries; after the last attempt as failed. What cannot be sent at
    all is put down as failed at once.
    """
    delivery = Delivery.objects.filter(pk=delivery_id).select_related("endpoint").first()
    if delivery is None or delivery.state in (DeliveryState.SENT, DeliveryState.FAILED):
        return None
    waiting = Delivery.objects.filter(pk=delivery_id, sent_at=None)
    waiting.update(state=DeliveryState.SENDING, attempts=F("attempts") + 1)
    try:
        answer = hand_over(delivery, at=at)
    except (NobodyListens, UnsafeAddress) as error:
        return partial(mark_failed, delivery_id, describe(error))
    except WebhookFailed as failure:
        note_answer(delivery_id, failure)
        if failure.status == GONE:
            return partial(mark_failed, delivery_id, describe(failure))
        note_failure(delivery_id, failure, is_last=is_last)
        raise
    except Exception as error:
        note_failure(delivery_id, error, is_last=is_last)
        raise
    return partial(mark_sent, delivery_id, answer, at=at)


def hand_over(delivery: Delivery, *, at: datetime) -> Answer | None:
    if delivery.channel == Channel.WEBHOOK:
        return post(delivery, at=at)
    build_mail(delivery).send()
    return None


def build_mail(delivery: Delivery) -> EmailMultiAlternatives:
    """Text, and the same as HTML."""
    mail = EmailMultiAlternatives(
        subject=delivery.subject,
        body=delivery.text,
        to=[delivery.recipient],
        headers={**delivery.headers, "Message-ID": delivery.message_id},
    )
    mail.attach_alternative(delivery.html, "text/html")
    return mail


def post(delivery: Delivery, *, at: datetime) -> Answer:
    """Raises NobodyListens, UnsafeAddress, WebhookFailed."""
    endpoint = delivery.endpoint
    if endpoint is None or not endpoint.is_enabled:
        raise NobodyListens(f"{delivery.recipient} is switched off")
    return send_webhook(
        endpoint.url, delivery.text, message_id=f"msg_{delivery.token.hex}", keys=list_keys(endpoint, at=at), at=at
    )


def list_keys(endpoint: WebhookEndpoint, *, at: datetime) -> list[str]:
    """The secrets that are good, the present one first."""
    keys = [endpoint.secret]
    if endpoint.previous_until is not None and at < endpoint.previous_until:
        keys.append(endpoint.previous_secret)
    return keys


def mark_sent(delivery_id: int, answer: Answer | None, *, at: datetime) -> None:
    Delivery.objects.filter(pk=delivery_id, sent_at=None).update(
        state=DeliveryState.SENT,
        sent_at=at,
        error="",
        answer_status=answer.status if answer else None,
        answer_text=answer.text if answer else "",
    )


def mark_failed(delivery_id: int, why: str) -> None:
    Delivery.objects.filter(pk=delivery_id, sent_at=None).update(state=DeliveryState.FAILED, error=why)


@transaction.atomic
def note_failure(delivery_id: int, error: Exception, *, is_last: bool) -> None:
    state = DeliveryState.FAILED if is_last else DeliveryState.QUEUED
    Delivery.objects.filter(pk=delivery_id, sent_at=None).update(state=state, error=describe(error))


def note_answer(delivery_id: int, failure: WebhookFailed) -> None:
    waiting = Delivery.objects.filter(pk=delivery_id, sent_at=None)
    waiting.update(answer_status=failure.status, answer_text=failure.text)


def describe(error: Exception) -> str:
    """What PostgreSQL can keep, never empty."""
    text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
