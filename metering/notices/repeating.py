"""Sending again what could not be sent: a new round of attempts, of the same message under the same Message-ID."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from jobs import queue
from metering.models import Delivery, DeliveryState
from metering.notices.telling import DELIVER, name_job, promise_sending


@transaction.atomic
def send_again(delivery_ids: Collection[int], *, at: datetime) -> int:
    """Promise anew those that failed, and those whose job died before it could say so. How many.

    What is sent, or still being tried, is left alone: a second call finds none.
    """
    unsent = Delivery.objects.filter(pk__in=delivery_ids).exclude(state=DeliveryState.SENT)
    deliveries = list(unsent.select_for_update(of=("self",)).order_by("pk"))
    dead = queue.read_dead(DELIVER, [name_job(each) for each in deliveries])
    again = [each for each in deliveries if each.state == DeliveryState.FAILED or name_job(each) in dead]
    for delivery in again:
        delivery.state, delivery.rounds = DeliveryState.QUEUED, delivery.rounds + 1
        delivery.save(update_fields=["state", "rounds"])
        promise_sending(delivery, at=at)
    return len(again)
