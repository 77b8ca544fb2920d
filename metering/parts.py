"""What a quantity is made of: by dimension, from rollups, and the value of each event, from the events."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.breakdowns import UnknownDimension, plan_breakdown, read_dimensions
from metering.catalogue import UnknownMeter, read_catalogue
from metering.history import HistoryPruned, require_history
from metering.numbers import PLACES, number_text, round_number
from metering.readings import list_groups, round_reading
from metering.spans import read_every
from metering.stored import read_countable

__all__ = ["HistoryPruned", "PartReading", "UnknownDimension", "UnknownMeter", "read_parts", "read_values"]


@dataclass(frozen=True, slots=True)
class PartReading:
    """What was used where each of the dimensions had this value; one that was missing is the empty text."""

    values: dict[str, str]
    quantity: Decimal
    event_count: int


def read_parts(
    account_ids: Collection[int], *, meter_key: str, dimensions: Sequence[str], start: datetime, end: datetime
) -> dict[int, list[PartReading]]:
    """account id → one meter over [start, end) by these dimensions, two statements for any number of accounts.

    Each part is rounded as the meter says. Values that are no text go by their JSON. Raises UnknownMeter,
    UnknownDimension, HistoryPruned.
    """
    versions = read_dimensions([meter_key])
    if not versions:
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    breakdown = plan_breakdown(versions, group_by=dimensions, filters={})
    parts: dict[int, list[PartReading]] = {account_id: [] for account_id in account_ids}
    for span in read_every(account_ids, meter_keys=[meter_key], bounds=[start, end], breakdown=breakdown):
        for group, [(quantity, event_count)] in list_groups(span, [start, end]):
            if group:
                values = dict(zip(dimensions, map(write_value, json.loads(group, parse_float=Decimal)), strict=True))
                parts[span.account_id].append(PartReading(values, round_reading(span.terms, quantity), event_count))
    return parts


def write_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return number_text(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_values(
    account_ids: Collection[int], *, meter_key: str, start: datetime, end: datetime
) -> dict[int, list[Decimal]]:
    """account id → what each event of [start, end) was worth to one meter, in the order in which they happened.

    Those of one moment go by their worth. Reads the events themselves: its cost is theirs. Raises UnknownMeter, and
    HistoryPruned where they were dropped.
    """
    versions = read_dimensions([meter_key])
    if not versions:
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    require_history(start)
    meter_id = versions[0].meter_id
    found: dict[int, list[tuple[datetime, Decimal]]] = {account_id: [] for account_id in account_ids}
    catalogue = read_catalogue().narrow({meter_id})
    for account_id, moment, measures, _ in read_countable(catalogue, account_ids=account_ids, start=start, end=end):
        for measure in measures:
            if account_id is not None and not isinstance(measure.value, str):
                found[account_id].append((moment, round_number(measure.value, PLACES)))
    return {account_id: [value for _, value in sorted(rows)] for account_id, rows in found.items()}
