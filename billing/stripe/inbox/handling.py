"""What becomes of an event that is kept: handled once, ignored with a reason, failed and maybe replayed."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import StripeEvent, StripeEventState
from billing.stripe.inbox.handlers import NotOurs, find_handler
from billing.stripe.inbox.storing import HANDLE_EVENT, promise
from jobs import queue

OPEN = [StripeEventState.RECEIVED, StripeEventState.FAILED]  # a failed one's job may be given another set of attempts


class NothingToReplay(ValueError):
    """The event waits to be handled as it is."""


def handle_event(event_id: int, *, at: datetime) -> Callable[[], None] | None:
    """Let the event's handler act, outside of a transaction; what it answers is to be done with the job's mark.

    An event that was handled already is left alone. Raises whatever the handler raises, but NotOurs.
    """
    event = StripeEvent.objects.get(pk=event_id)
    if event.state not in OPEN:
        return None
    handler = find_handler(event.type)
    if handler is None:
        return partial(ignore, event, "Nothing is to be done about events of this type.")
    try:
        ending = handler(event, at)
    except NotOurs as error:
        return partial(ignore, event, str(error) or "Not about anything of ours.")
    return partial(finish, event, ending, at=at)


def finish(event: StripeEvent, ending: Callable[[], None] | None, *, at: datetime) -> None:
    """In the transaction of the job's mark."""
    if ending:
        ending()
    StripeEvent.objects.filter(pk=event.pk, state__in=OPEN).update(
        state=StripeEventState.HANDLED, reason="", handled_at=at
    )


def ignore(event: StripeEvent, reason: str) -> None:
    StripeEvent.objects.filter(pk=event.pk, state__in=OPEN).update(state=StripeEventState.IGNORED, reason=reason)


@transaction.atomic
def replay_event(event_id: int, *, at: datetime) -> StripeEvent:
    """Handle it anew, whatever became of it, by a job of its own. Raises NothingToReplay while it waits."""
    event = StripeEvent.objects.select_for_update().get(pk=event_id)
    if event.state == StripeEventState.RECEIVED:
        raise NothingToReplay(_("%(event)s waits to be handled as it is.") % {"event": event.stripe_id})
    event.state, event.reason, event.handled_at = StripeEventState.RECEIVED, "", None
    event.replays += 1
    event.save(update_fields=["state", "reason", "handled_at", "replays"])
    promise(event, at=at)
    return event


def mark_failed() -> int:
    """Mark events whose job has no attempt left, with the last line of why; how many. Retrying the job is a replay."""
    waiting = {event.job_key: event for event in StripeEvent.objects.filter(state=StripeEventState.RECEIVED)}
    dead = queue.read_dead(HANDLE_EVENT, waiting)
    for key, error in dead.items():
        StripeEvent.objects.filter(pk=waiting[key].pk, state=StripeEventState.RECEIVED).update(
            state=StripeEventState.FAILED, reason=error.strip().rpartition("\n")[2] or "It could not be handled."
        )
    return len(dead)
