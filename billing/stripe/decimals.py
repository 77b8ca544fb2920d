"""Numbers as Stripe takes them: plain notation, at most 15 significant digits."""

from decimal import Decimal

MOST_DIGITS = 15


class TooManyDigits(ValueError):
    """The number cannot be told to Stripe without losing some of it."""


def format_decimal(number: Decimal) -> str:
    """`1E-12` as `0.000000000001`, `1.50` as `1.5`. Raises TooManyDigits, ValueError for what is no number."""
    if not number.is_finite():
        raise ValueError(f"{number} is no number")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if count_digits(text) > MOST_DIGITS:
        raise TooManyDigits(f"{text} has more than {MOST_DIGITS} significant digits")
    return "0" if text in {"-0", ""} else text


def count_digits(text: str) -> int:
    """All digits of a number in plain notation but leading zeros: whether Stripe counts trailing ones is not known."""
    return len(text.lstrip("-").replace(".", "").lstrip("0"))


class PlainDecimal(Decimal):
    """A number as Stripe's client wants it typed, that goes out plainly: the client sends `str()` of a Decimal."""

    def __str__(self) -> str:
        return format_decimal(self)
