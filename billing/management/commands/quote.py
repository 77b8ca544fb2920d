"""`manage.py quote [FILE]`: what readings cost at a price, before either is anywhere."""

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.quotes import quote
from billing.rating import InvalidPrice, InvalidQuantity

EXAMPLE = """
example:
  {"currency": "EUR",
   "price": {"description": "Requests", "model": "graduated", "meter": "requests",
             "tiers": [{"up_to": "10000", "unit_amount": "0.002"}, {"up_to": null, "unit_amount": "0.001"}]},
   "readings": [{"meter": "requests", "quantity": "12345"}]}

models:     flat, per_unit, graduated, volume, package, percentage, graduated_percentage, dimension
price:      description, model, meter, unit_amount, included_units, tiers, first_tier_flat_at_zero, minimum, cap,
            per_seat, package_size, package_rounding (up, half, down), dimensions, table [{values, unit_amount}],
            charged_by (automatic, lines),
            conversion {multiply_by, divide_by, rounding, places, unit},
            percentage {rate_percent, fee, free_amount, free_transactions, minimum, maximum}
tier:       up_to (null in the last), from, unit_amount, flat_amount, rate_percent, package_size
reading:    meter, quantity, event_count, transactions, parts [{values, quantity}], tier_quantity,
            part (25/28: of a period, for minimum and cap)
"seats" is how many a fee per seat is asked for. "prices" and "readings" are lists, "price" and "reading" one. Decimals
are text. A refusal names the field and has exit status 1.
"""


class Command(BaseCommand):
    help = "Read a price and readings as JSON, and print the lines that the price makes of them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EXAMPLE
        parser.add_argument("file", nargs="?", default="-", help="the file to read (default: standard input)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = quote(read_json(options["file"]))
        except (InvalidPrice, InvalidQuantity) as error:
            raise CommandError(f"{error.field}: {error}" if error.field else str(error)) from error
        self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))


def read_json(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return json.loads(text, parse_float=Decimal, parse_constant=refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{name}: {error}") from error


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
