"""How an amount of money reads. Metering knows no currency: billing says it, by registering its own function here."""

from collections.abc import Callable
from decimal import Decimal

from metering.quantities import format_exact

NO_BREAK = "\N{NO-BREAK SPACE}"

AmountWords = Callable[[Decimal, str], str]

WORDINGS: list[AmountWords] = []


def words_amounts(function: AmountWords) -> AmountWords:
    """Register the function that says an amount of a currency in the active language: `€512.30`."""
    WORDINGS[:] = [function]
    return function


def say_amount(amount: Decimal, currency: str) -> str:
    if not WORDINGS:
        return f"{format_exact(amount)}{NO_BREAK}{currency}".rstrip()
    return WORDINGS[0](amount, currency)
