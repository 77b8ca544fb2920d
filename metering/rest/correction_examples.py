"""Requests and answers of `/api/v1/corrections` that its description shows."""

from drf_spectacular.utils import OpenApiExample

NAME = {"source": "urn:example:shop", "id": "req-1f0c"}
DAY = {"start": "2026-11-24T00:00:00Z", "end": "2026-11-25T00:00:00Z"}
TEST = {"retract_matching": {**DAY, "account": "acme", "type": "api.request"}, "reason": "The load test of Tuesday."}
EVENT = {
    "source": "urn:example:shop",
    "id": "req-1f0c-b",
    "type": "api.request",
    "subject": "acme",
    "data": {"bytes": 142},
}

REQUESTS = [
    OpenApiExample(name, value=value, request_only=True)
    for name, value in {
        "Retract one event": {"retract": NAME, "reason": "A test that went live."},
        "Replace one event": {"replace": NAME, "event": EVENT, "reason": "Bytes were bits."},
        "Look at what a filter would retract": {**TEST, "dry_run": True},
        "Retract what a filter matches": {**TEST, "dry_run": False, "expected_count": 812},
    }.items()
]

DONE = OpenApiExample(
    "One event replaced",
    value={
        "event_count": 1,
        "dry_run": False,
        "replacement": {"source": "urn:example:shop", "id": "req-1f0c-b", "fate": "accepted"},
        "sample": [
            {
                **NAME,
                "type": "api.request",
                "subject": "acme",
                "time": "2026-11-24T09:30:00Z",
                "received_at": "2026-11-24T09:30:02Z",
            }
        ],
        "changes": [
            {
                "account": "acme",
                "meter": "bandwidth",
                "unit": "byte",
                "start": "2026-11-01T00:00:00Z",
                "end": "2026-12-01T00:00:00Z",
                "before": "168100",
                "after": "167106",
                "is_closed": False,
            }
        ],
        "has_more_changes": False,
    },
    response_only=True,
    status_codes=["200"],
)

LEDGER = OpenApiExample(
    "One correction",
    value={
        "corrections": [
            {
                **NAME,
                "account": "acme",
                "kind": "replace",
                "replacement_source": "urn:example:shop",
                "replacement_id": "req-1f0c-b",
                "reason": "Bytes were bits.",
                "made_by": "key billing",
                "made_at": "2026-11-25T08:00:00Z",
            }
        ],
        "next": None,
    },
    response_only=True,
    status_codes=["200"],
)
