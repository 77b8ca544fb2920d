"""Words that all papers share, in the active language."""

import re
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.lines import LineTax
from billing.papers.paper import Field
from billing.periods import find_zone
from billing.rating import trim
from billing.sellers import SellerFact
from billing.wording import display_percent

LONG_DATE = "j F Y"
LINE_ENDS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


def display_day(moment: datetime, time_zone: str) -> str:
    """`31 January 2026`, on the clocks of the zone."""
    return date_format(moment.astimezone(find_zone(time_zone)), LONG_DATE)


def display_days(start: datetime, end: datetime, time_zone: str) -> str:
    """[start, end) as its first day and its last: `1 January 2026 – 31 January 2026`; one day once."""
    first, last = display_day(start, time_zone), display_day(end - timedelta(microseconds=1), time_zone)
    return first if first == last else f"{first} – {last}"


def display_moment(moment: datetime, time_zone: str) -> str:
    """`10 November 2026, 13:00`, on the clocks of the zone."""
    local = moment.astimezone(find_zone(time_zone))
    return f"{date_format(local, LONG_DATE)}, {local:%H:%M}"


def one_line(text: str) -> str:
    """A name that somebody typed cannot begin a line of its own, which would read as one of ours."""
    return LINE_ENDS.sub(" ", text).strip()


def name_tax(tax: LineTax) -> str:
    """`VAT 20%`."""
    return f"{one_line(tax.name)} {display_percent(trim(tax.percent))}"


def describe_seller(seller: SellerFact) -> Field:
    tax_number = _("Tax number: %(number)s") % {"number": seller.tax_number} if seller.tax_number else ""
    return Field(one_line(seller.name), join_lines(seller.address, seller.email, tax_number))


def describe_customer(name: str, *, address: str = "", country: str = "", tax_number: str = "") -> Field:
    """The name above, the rest of the envelope below it."""
    named = _("Tax number: %(number)s") % {"number": tax_number} if tax_number else ""
    return Field(one_line(name), join_lines(address, country, named))


def join_lines(*parts: str) -> str:
    """The parts that are there, each on lines of its own."""
    lines = [line.strip() for part in parts for line in part.splitlines()]
    return "\n".join(line for line in lines if line)


def write_foot(seller: SellerFact, title: str) -> str:
    return f"{one_line(seller.name)} · {title}"


def write_page_words() -> str:
    return _("Page {page} of {pages}")
