"""The frozen copy of a document for programs: JSON with every step, which a PDF carries inside and proves itself by.

Keys are sorted and nothing is spaced, so that the same document is the same text. `sha256` is that of the text without
it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from billing.rating import trim
from metering.usage import Point, Reading


def copy_invoice(invoice: Invoice) -> str:
    """An issued invoice with its lines, in whole smallest units; exact amounts and quantities as decimal texts."""
    return seal(
        {
            "format": "palier.invoice/1",
            "number": invoice.number,
            "kind": invoice.kind,
            "currency": invoice.currency,
            "language": invoice.language,
            "issued_at": write_time(invoice.issued_at),
            "period_start": write_time(invoice.period_start),
            "period_end": write_time(invoice.period_end),
            "time_zone": invoice.time_zone,
            "plan": invoice.plan_name,
            "seller": invoice.seller,
            "customer": copy_customer(invoice),
            "lines": [copy_line(line) for line in invoice.lines.all()],
            "discount_minor": invoice.discount_minor,
            "subtotal_minor": invoice.subtotal_minor,
            "tax_minor": invoice.tax_minor,
            "total_minor": invoice.total_minor,
            "credited_minor": invoice.credited_minor,
            "due_minor": invoice.due_minor,
        }
    )


def copy_customer(invoice: Invoice) -> dict[str, str]:
    return {
        "name": invoice.customer_name,
        "address": invoice.customer_address,
        "country": invoice.customer_country,
        "tax_number": invoice.customer_tax_number,
    }


def copy_line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "position": line.position,
        "kind": line.kind,
        "description": line.description,
        "meter": line.meter.key if line.meter else None,
        "quantity": f"{trim(line.quantity):f}",
        "unit": line.unit,
        "event_count": line.event_count,
        "event_digest": line.event_digest,
        "detail": line.detail,
        "steps": line.steps,
        "amount_exact": f"{trim(line.amount_exact):f}",
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
        "taxes": line.taxes,
        "subtotal_minor": line.subtotal_minor,
        "tax_minor": line.tax_minor,
        "total_minor": line.total_minor,
        "period_start": write_time(line.period_start),
        "period_end": write_time(line.period_end),
    }


def copy_credit_note(note: CreditNote) -> str:
    return seal(
        {
            "format": "palier.credit-note/1",
            "number": note.number,
            "invoice": note.invoice.number,
            "currency": note.invoice.currency,
            "language": note.invoice.language,
            "issued_at": write_time(note.issued_at),
            "time_zone": note.invoice.time_zone,
            "destination": note.destination,
            "reason": note.reason,
            "seller": note.invoice.seller,
            "customer": copy_customer(note.invoice),
            "lines": [copy_credit(line) for line in note.lines.all()],
            "subtotal_minor": note.subtotal_minor,
            "tax_minor": note.tax_minor,
            "total_minor": note.total_minor,
        }
    )


def copy_credit(line: CreditNoteLine) -> dict[str, Any]:
    return {
        "invoice_line": line.invoice_line.position,
        "description": line.invoice_line.description,
        "taxes": line.taxes,
        "subtotal_minor": line.subtotal_minor,
        "tax_minor": line.tax_minor,
        "total_minor": line.total_minor,
    }


def copy_statement(
    readings: Iterable[Reading],
    series: Mapping[str, Iterable[Point]],
    *,
    start: datetime,
    end: datetime,
    at: datetime,
    time_zone: str,
) -> str:
    return seal(
        {
            "format": "palier.usage/1",
            "start": write_time(start),
            "end": write_time(end),
            "at": write_time(at),
            "time_zone": time_zone,
            "meters": [
                {
                    "meter": reading.meter_key,
                    "unit": reading.unit,
                    "quantity": f"{trim(reading.quantity):f}",
                    "event_count": reading.event_count,
                    "days": [
                        {"start": write_time(point.start), "quantity": f"{trim(point.quantity):f}"}
                        for point in series[reading.meter_key]
                    ],
                }
                for reading in readings
            ],
        }
    )


def write_time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def seal(document: Mapping[str, Any]) -> str:
    """The document with the digest of the rest of it."""
    digest = hashlib.sha256(write_canonical(document).encode()).hexdigest()
    return write_canonical({**document, "sha256": digest})


def write_canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
