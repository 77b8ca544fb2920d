"""Which function does which kind of job, and what that function is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.utils.module_loading import autodiscover_modules

DEFAULT_LEASE = timedelta(minutes=5)


class UnknownJobKind(LookupError):
    """No handler is registered for this kind: a misspelt kind, or a `tasks.py` that this process did not import."""


class HandlerAlreadyRegistered(ValueError):
    """Two functions claim the same kind of job."""


def ignore_progress(done: int, total: int | None) -> None:
    """What a context made by hand does with progress, so that a handler can be called without a runner."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is told about the job it does. `at` is the moment its attempt began, aware UTC."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempt: int
    at: datetime
    reporter: Callable[[int, int | None], None] = field(default=ignore_progress, repr=False, compare=False)

    def report_progress(self, *, done: int, total: int | None = None) -> None:
        """Show how far the work is, at once and outside the handler's transaction, and renew the lease.

        Cheap to call often: at most one write per second, and always the one that says all is done.
        Raises jobs.progress.LeaseLost when another worker has taken the job over: let it pass, nothing is committed.
        """
        self.reporter(done, total)


HandlerFunction = Callable[[JobContext], None]


@dataclass(frozen=True, slots=True)
class Handler:
    kind: str
    lease: timedelta
    max_attempts: int
    run: HandlerFunction


HANDLERS: dict[str, Handler] = {}


def handler(
    kind: str, *, lease: timedelta = DEFAULT_LEASE, max_attempts: int = 10
) -> Callable[[HandlerFunction], HandlerFunction]:
    """Register the decorated function as the one that does jobs of this kind.

    Put it in a `tasks.py`, which every process imports. `lease` must be longer than the work between two progress
    reports: after it another worker takes over. The function runs inside one transaction together with the mark
    "done", so it must not commit, wait for people or talk to other services.
    """
    if lease <= timedelta(0) or max_attempts < 1:
        raise ValueError(f"{kind}: a handler needs a lease above zero and at least one attempt")

    def register(function: HandlerFunction) -> HandlerFunction:
        known = HANDLERS.get(kind)
        if known and name_function(known.run) != name_function(function):
            raise HandlerAlreadyRegistered(f"{kind} is already done by {name_function(known.run)}")
        HANDLERS[kind] = Handler(kind, lease, max_attempts, function)
        return function

    return register


def name_function(function: HandlerFunction) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def find_handler(kind: str) -> Handler:
    """Raises UnknownJobKind."""
    if kind not in HANDLERS:
        import_handlers()
    try:
        return HANDLERS[kind]
    except KeyError:
        raise UnknownJobKind(f"no handler is registered for jobs of kind {kind!r}") from None


def find_lease(kind: str) -> timedelta:
    """How long an attempt may go on in silence; the default for a kind that this process does not know."""
    try:
        return find_handler(kind).lease
    except UnknownJobKind:
        return DEFAULT_LEASE


def list_kinds() -> list[str]:
    import_handlers()
    return sorted(HANDLERS)


@cache
def import_handlers() -> None:
    """Import every app's `tasks.py`. Celery does it in workers; web processes and shells need the handlers too.

    Done at first use and not when Django starts, so that the apps stay free to import `jobs.queue` at their top.
    """
    autodiscover_modules("tasks")
