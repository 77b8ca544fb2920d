"""What an invoice can be recomputed from, offline: its lines, their prices and steps, and every event that they count.

JSON, one record a line, as `docs/proof.md` says; `docs/recompute_invoice.py` reads it. Written as it is read, so that
its length costs no memory.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from billing.invoicing import UnknownInvoice
from billing.lines import LineFact, write_taxes
from billing.models import LINE_OF_PRICE
from billing.money import find_exponent
from billing.proof.recomputing import Subject, gather_evidence, load_subject
from billing.rating import ChargedBy, PriceTerms, write_steps
from billing.rating.bounds import find_share
from billing.rating.definitions import write_price, write_usage
from billing.rating.readings import WHOLE
from metering.evidence import CountedEvent, Evidence, HistoryPruned

__all__ = ["HistoryPruned", "UnknownInvoice", "write_evidence"]

FORMAT = 1


def write_evidence(number: str, *, account_id: int | None = None) -> Iterator[bytes]:
    """The records of an issued invoice. Raises UnknownInvoice and HistoryPruned before the first of them."""
    subject = load_subject(number, account_id=account_id)
    evidence = gather_evidence(subject) if subject.metered else None
    return write_records(subject, evidence)


def write_records(subject: Subject, evidence: Evidence | None) -> Iterator[bytes]:
    yield encode(state_invoice(subject))
    for place in range(len(subject.lines)):
        yield encode(state_line(subject, place, evidence))
    positions: dict[int, list[int]] = {}
    for line in subject.lines:
        if line.meter_id is not None:
            positions.setdefault(line.meter_id, []).append(line.position)
    number = 0
    for event in evidence or ():
        number += 1
        yield encode(state_event(event, positions))
    yield encode({"record": "end", "events": number})


def state_invoice(subject: Subject) -> dict[str, Any]:
    invoice = subject.invoice
    return {
        "record": "invoice",
        "format": FORMAT,
        "number": invoice.number,
        "kind": invoice.kind,
        "customer": invoice.customer_name,
        "plan": invoice.plan_name,
        "currency": invoice.currency,
        "exponent": find_exponent(invoice.currency),
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.period_end.isoformat(),
        "time_zone": invoice.time_zone,
        "issued_at": invoice.issued_at.isoformat() if invoice.issued_at else None,
        "discount_minor": invoice.discount_minor,
        "subtotal_minor": invoice.subtotal_minor,
        "tax_minor": invoice.tax_minor,
        "total_minor": invoice.total_minor,
        "credited_minor": invoice.credited_minor,
        "due_minor": invoice.due_minor,
    }


def state_line(subject: Subject, place: int, evidence: Evidence | None) -> dict[str, Any]:
    line, row = subject.lines[place], subject.rows[place]
    prices = subject.terms.prices if subject.terms and line.kind == LINE_OF_PRICE else ()
    counts = evidence is not None and line.meter_id in evidence.meters
    return {
        "record": "line",
        "position": line.position,
        "kind": line.kind,
        "description": line.description,
        "unit": line.unit,
        "meter": state_meter(evidence, line.meter_id) if evidence and counts else None,
        "event_count": line.event_count,
        "event_digest": line.event_digest,
        "quantity": f"{line.quantity:f}",
        "usage": write_usage(line.usage) if line.usage else None,
        "price": state_price(prices[place], line) if place < len(prices) else None,
        "steps": write_steps(line.steps),
        "amount_exact": f"{line.amount_exact:f}",
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
        "taxes": write_taxes(line.taxes),
        "subtotal_minor": row.subtotal_minor,
        "tax_minor": row.tax_minor,
        "total_minor": row.total_minor,
    }


def state_price(price: PriceTerms, line: LineFact) -> dict[str, Any]:
    """As `manage.py quote` reads it; of a part of a period with that part of minimum and cap, which were asked.

    By whom it is charged is no part of what it comes to.
    """
    part = line.usage.part if line.usage else WHOLE
    cap = None if price.cap is None else find_share(price.cap, part)
    share = find_share(price.minimum, part)
    return write_price(replace(price, minimum=share, cap=cap, charged_by=ChargedBy.AUTOMATIC))


def state_meter(evidence: Evidence, meter_id: int | None) -> dict[str, Any]:
    terms = evidence.meters[meter_id or 0]
    return {
        "key": terms.key,
        "aggregation": terms.aggregation,
        "percentile": None if terms.percentile is None else f"{terms.percentile:f}",
        "rounding": terms.rounding,
        "rounding_places": terms.rounding_places,
        "carries_over": terms.carries_over,
        "versions": [
            {
                "starts_at": None if each.starts_at is None else each.starts_at.isoformat(),
                "event_type": each.event_type,
                "value": each.value,
                "filter": each.filter,
                "dimensions": list(each.dimensions),
            }
            for each in terms.versions
        ],
    }


def state_event(event: CountedEvent, positions: dict[int, list[int]]) -> dict[str, Any]:
    """Its worth to each line by the line's position, and the values of the meter's dimensions where it has any."""
    places = [(str(place), each) for each in event.measures for place in positions.get(each.meter_id, ())]
    counts = {place: each.value if isinstance(each.value, str) else write_number(each.value) for place, each in places}
    record: dict[str, Any] = {"record": "event", "sealed": event.content.decode(), "counts": counts}
    dimensions = {place: each.dimensions for place, each in places if each.dimensions}
    return record | ({"dimensions": dimensions} if dimensions else {})


def write_number(value: Any) -> str:
    return f"{value:f}" if not isinstance(value, int) else str(value)


def encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, default=str).encode() + b"\n"
