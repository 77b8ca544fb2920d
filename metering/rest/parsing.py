"""JSON in: every number exact, and no more of it than a request may have."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import IO, Any

import msgspec
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from metering.decoding import BYTE_ORDER_MARK
from metering.problems import Problem

DIGITS_MAX = 100  # of one number; what is longer is no quantity


class ExactJSONParser(BaseParser):
    """A number with a point becomes a Decimal of its own digits, never a float."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Raises ParseError for what is no JSON in UTF-8, Problem (413) for too much of it."""
        maximum: int = settings.EVENT_BODY_MAX_BYTES
        body = stream.read(maximum + 1)
        if len(body) > maximum:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A body may have at most {maximum:,} bytes."
            )
        try:
            return decode_exact(body.removeprefix(BYTE_ORDER_MARK))
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is no JSON: {error}") from None


def read_decimal(digits: str) -> Decimal:
    number = Decimal(digits)
    if len(digits) > DIGITS_MAX or abs(number.adjusted()) > DIGITS_MAX:
        raise ValueError(f"a number has more than {DIGITS_MAX} digits")
    return number


decode_exact = msgspec.json.Decoder(float_hook=read_decimal).decode
