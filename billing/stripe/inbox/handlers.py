"""Which function handles which type of event, and what it may answer."""

import pkgutil
from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib import import_module

from billing import stripe as room
from billing.models import StripeEvent

HOOKS = "hooks"  # the modules below billing.stripe that are imported for their handlers

Commit = Callable[[], None]
EventHandler = Callable[[StripeEvent, datetime], Commit | None]


class NotYet(LookupError):
    """The row that the event is about is not committed yet: it is handled again later, a few times."""


class NotOurs(LookupError):
    """The event is about something that Palier has nothing to do with; the message says what, for people."""


class TypeAlreadyHandled(ValueError):
    """Two functions claim the same type of event."""


HANDLERS: dict[str, EventHandler] = {}


def handles(*types: str) -> Callable[[EventHandler], EventHandler]:
    """Register the decorated function for events of these types; in a module named `hooks.py` below billing.stripe.

    It is called with the event's row and the moment, outside of a transaction, by a worker, after Stripe was answered.
    It reads the object again (`event.object_id`), as the event tells what was, maybe out of order; it is safe to call
    twice. What it returns, if anything, is called in the transaction that marks the event handled.
    It may raise NotYet (tried again), NotOurs (the event is ignored), and anything else: tried again with a backoff,
    and the event failed after the last attempt.
    """

    def register(function: EventHandler) -> EventHandler:
        for kind in types:
            known = HANDLERS.get(kind)
            if known and (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
                raise TypeAlreadyHandled(f"{kind} is already handled by {known.__module__}.{known.__qualname__}")
            HANDLERS[kind] = function
        return function

    return register


def find_handler(kind: str) -> EventHandler | None:
    import_hooks()
    return HANDLERS.get(kind)


def list_types() -> list[str]:
    """What a webhook endpoint has to be told."""
    import_hooks()
    return sorted(HANDLERS)


@cache
def import_hooks() -> None:
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        if module.name.rpartition(".")[2] == HOOKS:
            import_module(module.name)
