"""Pages of a list: each answer holds where the next one begins, as a text that only we read."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rest_framework.exceptions import ValidationError

from metering.checking import CONTROL

PAGE = 50
PAGE_MAX = 200


def write_position(parts: Sequence[Any] | None) -> str | None:
    """Times, texts and numbers as one text that stands in a URL; None where there is no next page."""
    return None if parts is None else base64.urlsafe_b64encode(encode(parts)).rstrip(b"=").decode()


def read_position(text: str, shape: Any) -> Any:
    """The parts again, a tuple of this shape; None for an empty text. Raises ValidationError for one of no page."""
    if not text:
        return None
    try:
        parts = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=shape)
        return tuple(map(check_part, parts))
    except (ValueError, OverflowError, binascii.Error):
        raise ValidationError({"after": "This is no place where a page begins."}) from None


def check_part(part: Any) -> Any:
    """Raises ValueError for what no page of ours can end with."""
    if isinstance(part, datetime):
        if not 1970 <= part.year <= 9000:
            raise ValueError("not a time at which anything was received")
        return part.astimezone(UTC)
    if isinstance(part, str) and CONTROL.search(part):
        raise ValueError("not a name")
    if isinstance(part, int) and not 0 <= part < 2**63:
        raise ValueError("not an id")
    return part


encode = msgspec.json.Encoder().encode
