"""What one HTTP request is worth, as the event that both middlewares track."""

import time as clock
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, TypeVar

from palier_client.problems import Problem

if TYPE_CHECKING:
    from palier_client.client import Client

EVENT_TYPE = "http.request"  # what `import_usage` makes of a line of an access log, by the same names
PATH_MAX = 2_048

Place = TypeVar("Place")  # WSGI's environ or ASGI's scope


class RequestMeter(Generic[Place]):
    """Counts the requests of those whom `subject` names. It is asked when the request is over, so that it sees what
    the application found out; None counts nothing.
    """

    def __init__(self, client: "Client", *, subject: Callable[[Place], str | None], type: str = EVENT_TYPE) -> None:
        self.client, self.subject, self.type = client, subject, type

    def track(self, place: Place, exchange: "Exchange") -> None:
        try:
            subject = self.subject(place)
        except Exception as error:
            self.client.reporter.report(Problem("callback", f"the subject of a request is not known: {error!r}"))
            return
        if subject is not None:
            self.client.track(
                self.type,
                subject,
                bytes=exchange.bytes_out,
                bytes_in=exchange.bytes_in,
                milliseconds=exchange.milliseconds(),
                status=exchange.status,
                method=exchange.method,
                path=exchange.path[:PATH_MAX],
            )


class Exchange:
    """One request while it lasts. Bytes are those of the bodies."""

    def __init__(self, method: str, path: str) -> None:
        self.method, self.path = method, path
        self.began = clock.perf_counter_ns()
        self.status = 500  # until the application answers
        self.bytes_in = self.bytes_out = 0

    def milliseconds(self) -> Decimal:
        """Since it began, with three decimals."""
        return Decimal((clock.perf_counter_ns() - self.began) // 1_000).scaleb(-3)
