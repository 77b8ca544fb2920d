"""Events as Stripe writes them, and their signature."""

import json
import time

from stripe import WebhookSignature

VERSION = "2026-10-28.endive"


def write_event(stripe_id="evt_1", kind="invoice.paid", about="in_1", **changes):
    """A snapshot, as v1 writes it."""
    event = {
        "id": stripe_id,
        "object": "event",
        "api_version": VERSION,
        "created": 1_770_000_000,
        "data": {"object": {"id": about, "object": kind.rpartition(".")[0]}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return json.dumps(event | changes)


def write_thin_event(stripe_id="evt_test_1", kind="v1.billing.meter.error_report_triggered", about="mtr_1", **changes):
    event = {
        "id": stripe_id,
        "object": "v2.core.event",
        "created": "2026-02-02T02:40:00.000Z",
        "livemode": False,
        "type": kind,
        "related_object": {"id": about, "type": "billing.meter", "url": f"/v1/billing/meters/{about}"},
    }
    return json.dumps(event | changes)


def sign(body, secret, *, seconds=0):
    return WebhookSignature.generate_signature_header(body, secret, int(time.time()) + seconds)
