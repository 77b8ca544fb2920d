"""What may come of a call: refused for good, to be tried later, or not known."""

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from jobs.queue import Postponed, draw_backoff

if TYPE_CHECKING:
    from stripe import StripeError

PASSING = {401, 408, 409, 425, 429}  # nothing was done: a key to be put right, somebody else at it, too many calls


class Refused(Exception):
    """Stripe answered, and did nothing. The same call will be refused until something changes on either side."""

    def __init__(self, message: str, *, code: str = "", param: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.param, self.status = message, code, param, status


class TryLater(Postponed):
    """Stripe is busy, down or silent, or somebody else is at it. A job that lets it pass is put back until then."""


class Unresolved(Exception):
    """Whether Stripe did it is not known, and cannot be found out: somebody has to look."""


def is_definite(error: "StripeError") -> bool:
    """Whether this answer says that nothing was done: Stripe's own word, and not that of something on the way."""
    status = error.http_status
    is_spoken = error.error is not None and status is not None and 400 <= status < 500
    return is_spoken and status not in PASSING and not is_key_spent(error)


def is_missing(refusal: Refused) -> bool:
    """Whether what the call names is not there."""
    return refusal.code == "resource_missing" or refusal.status == HTTPStatus.NOT_FOUND


def is_key_spent(error: "StripeError") -> bool:
    """Whether its idempotency key can bring nothing any more: a stored failure, or other parameters had it."""
    status = error.http_status or 0
    is_stored = status >= 500 and read_header(error, "idempotent-replayed") == "true"
    return is_stored or (status == 400 and getattr(error.error, "type", None) == "idempotency_error")


def read_header(error: "StripeError", name: str) -> str:
    headers = error.headers or {}
    return next((str(value) for key, value in headers.items() if key.lower() == name), "")


def translate_error(error: "StripeError", *, at: datetime, attempts: int = 4) -> Refused | TryLater:
    """Stripe's exception as ours; `attempts` says how long to wait at most, as `jobs.backoff` counts."""
    message = error.user_message or type(error).__name__
    if is_definite(error):
        told = error.error
        return Refused(
            message,
            code=getattr(told, "code", None) or getattr(told, "type", None) or "",
            param=getattr(told, "param", None) or "",
            status=error.http_status,
        )
    return TryLater(at + draw_backoff(attempts), f"{error.http_status or 'no answer'}: {message}")
