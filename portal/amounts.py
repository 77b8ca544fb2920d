"""How money reads in the active language: `€1,234.50`, `1 234,50 €`, `¥1,235`, `KWD 1.234`. Exact, never a float."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import pgettext

from billing.money import Money, find_exponent

SIGNS = {"EUR": "€", "GBP": "£", "JPY": "¥"}
NBSP = "\N{NO-BREAK SPACE}"


def format_money(minor: int, currency: str) -> str:
    """An amount of a document, in smallest units, with all the decimals of its currency."""
    return place_sign(Money(minor, currency).amount, currency, decimals=find_exponent(currency))


def format_exact_money(amount: Decimal, currency: str) -> str:
    """A price or an amount before rounding, in whole units: every digit that counts, at least the currency's own."""
    digits = f"{amount:f}".partition(".")[2].rstrip("0")
    return place_sign(amount, currency, decimals=max(len(digits), find_exponent(currency)))


def place_sign(amount: Decimal, currency: str, *, decimals: int) -> str:
    number = number_format(abs(amount), decimal_pos=decimals, force_grouping=True)
    sign = pgettext("sign of the US dollar", "$") if currency == "USD" else SIGNS.get(currency)
    if sign:
        shown = pgettext("an amount and the sign of its currency", "%(sign)s%(number)s")
    else:
        sign, shown = currency, pgettext("an amount and the code of its currency", "%(sign)s %(number)s")
    minus = "-" if amount < 0 else ""
    return minus + (shown % {"sign": sign, "number": number}).replace(" ", NBSP)
