"""JSON in: every number exact, and no more of it than a request may have."""

from collections.abc import Mapping
from decimal import Decimal
from io import BytesIO
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from metering.api.bodies import read_body
from metering.decoding import BYTE_ORDER_MARK

DIGITS_MAX = 100  # of one number; what is longer is no quantity


class BoundedRequest(Request):
    """Its body is read as that of events is: whole or in chunks, inflated, and only as far as it may be long."""

    def _load_stream(self) -> None:
        """DRF's own would give a body of any length, and none where it is in chunks."""
        body = read_body(self._request)
        self._stream: BytesIO | None = BytesIO(body) if body else None  # type: ignore[assignment]  # None: no body


class ExactJSONParser(BaseParser):
    """A number with a point becomes a Decimal of its own digits, never a float."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Raises ParseError for what is no JSON in UTF-8."""
        try:
            return decode_exact(stream.read().removeprefix(BYTE_ORDER_MARK))
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
