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
Ending = Callable[[], object]
ErrandFunction = Callable[[JobContext], Ending | None]


class Postponed(Exception):
    """Raised by a job that cannot be done yet: it is put back until then, and the attempt does not count.

    What its transaction did is undone. `why` is shown where a failure would be.
    """

    def __init__(self, until: datetime, why: str = "") -> None:
        super().__init__(why or f"postponed until {until}")
        self.until, self.why = until, why


@dataclass(frozen=True, slots=True)
class Handler:
    """`run` does the job in one transaction with its mark, or, as an errand, before the transaction of the mark.

    What is urgent is short and awaited: its messages have a queue of their own, which is asked in turn with the other.
    """

    kind: str
    lease: timedelta
    max_attempts: int
    run: HandlerFunction | ErrandFunction
    is_errand: bool = False
    is_urgent: bool = False


HANDLERS: dict[str, Handler] = {}


def handler(
    kind: str, *, lease: timedelta = DEFAULT_LEASE, max_attempts: int = 10
) -> Callable[[HandlerFunction], HandlerFunction]:
    """Register the decorated function as the one that does jobs of this kind.

    Put it in a `tasks.py`, which every process imports. `lease` must be longer than the work between two progress
    reports: after it another worker takes over. The function runs inside one transaction together with the mark
    "done", so it must not commit, wait for people or talk to other services.
    """
    require_terms(kind, lease, max_attempts)

    def register(function: HandlerFunction) -> HandlerFunction:
        register_handler(Handler(kind, lease, max_attempts, function))
        return function

    return register


def errand(
    kind: str, *, lease: timedelta = DEFAULT_LEASE, max_attempts: int = 10, is_urgent: bool = False
) -> Callable[[ErrandFunction], ErrandFunction]:
    """Register the decorated function as the one that does jobs of this kind outside of a transaction.

    It may talk to other services and commit transactions of its own, so each of its steps must bear being done again:
    a worker may die after any of them. What is to be committed together with the mark "done", exactly once, it returns
    as a function without arguments. One that is urgent does not wait behind what is not: it must be short. Everything
    else is as for `handler`.
    """
    require_terms(kind, lease, max_attempts)

    def register(function: ErrandFunction) -> ErrandFunction:
        register_handler(Handler(kind, lease, max_attempts, function, is_errand=True, is_urgent=is_urgent))
        return function

    return register


def require_terms(kind: str, lease: timedelta, max_attempts: int) -> None:
    if lease <= timedelta(0) or max_attempts < 1:
        raise ValueError(f"{kind}: a handler needs a lease above zero and at least one attempt")


def register_handler(new: Handler) -> None:
    known = HANDLERS.get(new.kind)
    if known and name_function(known.run) != name_function(new.run):
        raise HandlerAlreadyRegistered(f"{new.kind} is already done by {name_function(known.run)}")
    HANDLERS[new.kind] = new


def name_function(function: HandlerFunction | ErrandFunction) -> str:
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
