"""What went wrong, as the host program may want to hear of it."""

import logging
import time as clock
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger("palier_client")

LOG_EVERY = 60.0  # seconds between two lines of the log about the same kind

Kind = Literal[
    "rejected",  # the server cannot count the event
    "conflict",  # the server knows another event by this id
    "refused",  # the server refused the whole request, even with this event alone in it
    "invalid",  # track() was given what can be no event
    "dropped",  # no room left, the disk refused it, or the client was closed
    "delayed",  # no answer, or none that settles it: the request will be sent again
    "corrupt",  # a row of the spool that cannot be read
    "callback",  # a callable of the host's raised
    "internal",  # a fault of this package, or of the disk below the spool
]
REJECTIONS: frozenset[Kind] = frozenset({"rejected", "conflict", "refused"})


@dataclass(frozen=True, slots=True)
class Problem:
    """`count` events are concerned; `id` names the one, where it is one and has a name."""

    kind: Kind
    message: str
    count: int = 1
    id: str = ""


OnProblem = Callable[[Problem], object]


class Reporter:
    """Tells `on_rejected` of each event that the server will never count, `on_error` of every other problem, and the
    log of both, once a minute for each kind. The host's callables may do anything but stop us.
    """

    def __init__(self, *, on_rejected: OnProblem | None, on_error: OnProblem | None) -> None:
        self.on_rejected, self.on_error = on_rejected, on_error
        self.silent_until: dict[Kind, float] = {}
        self.unlogged: Counter[Kind] = Counter()

    def report(self, problem: Problem) -> None:
        with suppress(Exception):
            self.log(problem, now=clock.monotonic())
        listener = self.on_rejected if problem.kind in REJECTIONS else self.on_error
        if listener is not None:
            with suppress(Exception):
                listener(problem)

    def log(self, problem: Problem, *, now: float) -> None:
        """`now` in seconds of the clock that never goes back."""
        if now < self.silent_until.get(problem.kind, now):
            self.unlogged[problem.kind] += problem.count
            return
        self.silent_until[problem.kind] = now + LOG_EVERY
        more = self.unlogged.pop(problem.kind, 0)
        logger.warning(
            "%s: %s%s%s",
            problem.kind,
            f"{problem.id}: " if problem.id else "",
            problem.message,
            f" (and {more} more since the last line of this kind)" if more else "",
        )
