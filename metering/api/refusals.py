"""What a sender hears whose key does not open what it asks for."""

from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest

from metering.buckets import take_token
from metering.callers import find_network
from metering.keys import InvalidKey, MissingScope, RateExceeded
from metering.problems import Problem


def refuse_key(request: HttpRequest, refusal: PermissionError, *, at: datetime) -> Problem:
    """401, 403, or 429 for a key that sends too fast and for an address that keeps on sending keys of nobody's.

    An address is held to a rate for its failures alone: whoever has a good key gets through beside them.
    """
    if isinstance(refusal, MissingScope):
        return Problem(HTTPStatus.FORBIDDEN, "missing_scope", str(refusal))
    if isinstance(refusal, RateExceeded):
        return ask_to_wait("rate_exceeded", str(refusal), refusal.seconds)
    if not isinstance(refusal, InvalidKey):
        raise refusal
    seconds = take_token(
        f"failures of {find_network(request)}",
        rate=settings.KEY_FAILURES_PER_SECOND,
        capacity=settings.KEY_FAILURES_BURST,
        at=at,
    )
    if seconds:
        detail = f"Too many requests without a good API key came from this address. Wait for {seconds} s."
        return ask_to_wait("too_many_failures", detail, seconds)
    return Problem(HTTPStatus.UNAUTHORIZED, "invalid_key", str(refusal), WWW_Authenticate='Bearer realm="palier"')


def ask_to_wait(code: str, detail: str, seconds: int) -> Problem:
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, code, detail, Retry_After=str(seconds))
