"""One cell of a table: exact numbers and unambiguous times from text. No database here."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timezone
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from metering.events import parse_number
from metering.importers.errors import BadLine

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
OFFSET_AFTER_SPACE = re.compile(r" (?=[+-]\d\d:?\d\d$)")
UTC_AT_END = re.compile(r" ?(?:UTC|GMT|Z)$")
BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "1": True}
BOOLEANS |= {"false": False, "f": False, "no": False, "n": False, "0": False}


@dataclass(frozen=True, slots=True)
class Digits:
    """How numbers are written: the sign before decimals, and the one between thousands if there is any."""

    decimal: str = "."
    thousands: str = ""

    def read(self, text: str) -> int | Decimal:
        """Raises BadLine for anything that is not exactly one number."""
        plain = text.strip()
        if self.thousands:
            plain = self.drop_thousands(plain)
        if self.decimal != ".":
            plain = plain.replace(".", "?").replace(self.decimal, ".")
        if not NUMBER.fullmatch(plain):
            raise BadLine(f"has {show_cell(text)} where a number belongs{self.advise(text)}")
        try:
            return parse_number(plain)
        except ValueError as error:
            raise BadLine(str(error).replace("a number is", "has a number", 1)) from error

    def drop_thousands(self, text: str) -> str:
        sign = re.escape(self.thousands)
        whole, point, rest = text.partition(self.decimal)
        if self.thousands in whole and re.fullmatch(rf"[+-]?\d{{1,3}}(?:{sign}\d{{3}})+", whole, re.ASCII):
            whole = whole.replace(self.thousands, "")
        return whole + point + rest

    def advise(self, text: str) -> str:
        if not self.thousands and re.fullmatch(r"[\d., '+-]+", text.strip(), re.ASCII):
            return "; a mapping may name other signs as thousands and decimal"
        return ""


def read_boolean(text: str) -> bool:
    """Raises BadLine."""
    try:
        return BOOLEANS[text.strip().lower()]
    except KeyError as error:
        raise BadLine(f"has {show_cell(text)} where true or false belongs") from error


def read_time(text: str, *, form: str = "", zone: ZoneInfo | timezone | None = None) -> datetime:
    """A moment in UTC, from ISO 8601 or from `form` (strptime). Of an hour that comes twice it is the first.

    Raises BadLine for a time without an offset unless `zone` says where it was.
    """
    try:
        moment = parse_moment(text.strip(), form)
        if moment.tzinfo is None and zone is not None:
            moment = place(moment, zone)
        if moment.tzinfo is None:
            raise BadLine(f"has the time {show_cell(text)} without an offset from UTC, and no zone is named for it")
        return moment.astimezone(UTC)
    except BadLine:
        raise
    except (ValueError, OverflowError) as error:
        raise BadLine(f"has {show_cell(text)} where a time belongs") from error


def parse_moment(text: str, form: str) -> datetime:
    if not form:
        return datetime.fromisoformat(tidy_iso(text))
    return datetime.strptime(text, form)  # noqa: DTZ007 (who calls sees to the zone)


def tidy_iso(text: str) -> str:
    """`2026-11-01 09:00:00.000 -0800` and `… UTC`, as databases write them, in the strict form."""
    return OFFSET_AFTER_SPACE.sub("", UTC_AT_END.sub("+00:00", text))


def place(moment: datetime, zone: ZoneInfo | timezone) -> datetime:
    placed = moment.replace(tzinfo=zone)
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise BadLine(f"has the time {moment:%Y-%m-%d %H:%M:%S}, which the clocks of {zone} skipped")
    return placed


@lru_cache(maxsize=64)
def find_zone(name: str) -> ZoneInfo:
    """Raises ValueError for a name that is no time zone."""
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone, such as Europe/Paris.") from error


def show_cell(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "…")
