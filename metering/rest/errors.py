"""Every error of the API as `application/problem+json` (RFC 9457), with a code that never changes."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

from metering.outages import answer_outage
from metering.problems import Problem

# For those that the framework raises by itself. What our own code raises carries its own.
CODES = {
    HTTPStatus.BAD_REQUEST: "malformed",
    HTTPStatus.UNAUTHORIZED: "invalid_key",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
}
GENERAL = {
    "parse_error", "authentication_failed", "not_authenticated", "permission_denied", "unsupported_media_type",
    "throttled", "error",
}  # fmt: skip


class FieldError(msgspec.Struct, frozen=True):
    """`field` is a path: `quantity`, `events.3.id`; empty for the whole."""

    field: str
    code: str
    message: str


def answer_error(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's EXCEPTION_HANDLER. None leaves the error to the 500 of the whole site."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, ValidationError):
        return answer_invalid(error)
    if isinstance(error, APIException):
        return answer_refusal(error)
    if isinstance(error, Http404):
        return Problem(HTTPStatus.NOT_FOUND, "not_found", "There is nothing here.").response()
    if isinstance(error, PermissionDenied):
        return Problem(HTTPStatus.FORBIDDEN, "forbidden", "This is not for you.").response()
    if isinstance(error, DatabaseError | InterfaceError):
        outage = answer_outage(error)
        return None if outage is None else outage.response()
    return None


def answer_invalid(error: ValidationError) -> HttpResponse:
    """400 with what is wrong, field by field."""
    errors = list(list_errors(error.detail))
    detail = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in errors[:5])
    return Problem(HTTPStatus.BAD_REQUEST, "invalid", detail, extensions={"errors": errors}).response()


def list_errors(detail: Any, path: tuple[str, ...] = ()) -> Iterator[FieldError]:
    """Flatten what serializers nest: dictionaries by field, lists by position."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from list_errors(inner, path if name == "non_field_errors" else (*path, str(name)))
    elif isinstance(detail, ErrorDetail):
        yield FieldError(".".join(path), str(detail.code), str(detail))
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for position, inner in enumerate(detail):
            yield from list_errors(inner, (*path, str(position)) if isinstance(inner, Mapping) else path)
    else:
        yield FieldError(".".join(path), "invalid", str(detail))


def answer_refusal(error: APIException) -> HttpResponse:
    status = HTTPStatus(error.status_code)
    code = getattr(error.detail, "code", None) or "error"
    headers: dict[str, Any] = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW_Authenticate"] = str(auth_header)
    if wait := getattr(error, "wait", None):
        headers["Retry_After"] = str(int(wait))
    if code in GENERAL:
        code = CODES.get(status, "error")
    return Problem(status, code, str(error.detail), **headers).response()
