"""What the description says of `POST /api/v1/events`, which is a plain view that no generator can read."""

from typing import Any

from metering.api.modes import BATCH, LINES, PLAIN, SINGLE
from metering.events import MAX_LENGTHS, Fate
from metering.rest.answers import PROBLEM, describe_refusal

PATH = "/api/v1/events"

DESCRIPTION = f"""\
One event, or up to 1,000 in a batch, in 5 MB (inflated; `Content-Encoding: gzip` is understood).

CloudEvents 1.0 in all three modes: structured (`{SINGLE}`), batched (`{BATCH}`) and binary (attributes in `ce-…`
headers, the data as the body); plain JSON (`{PLAIN}`: one object or a list) and NDJSON (`{LINES}`: one object a line).

`(source, id)` counts once, for ever: whatever is sent again is a duplicate and changes nothing. Good rows of a batch
stay when others are refused. A 2xx is written after the events are committed.

CloudEvents are answered by 204 when every row was kept or is known already, and by 400 with `results` when one was
refused; plain JSON and NDJSON by 200 with a fate for each row, whatever the fates are. `Prefer: return=representation`
asks for the fates, `Prefer: return=minimal` for 204 where nothing was refused. Scope: `events:write`.
Sent by an account's own key, a row with another account's subject is refused (`subject_not_yours`).
"""

EVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": "req-1f0c",
    "source": "urn:example:shop",
    "type": "api.request",
    "subject": "acme",
    "time": "2026-11-25T09:30:00Z",
    "data": {"bytes": 1420, "region": "eu-west-1"},
}


def describe_text(name: str, description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": MAX_LENGTHS[name], "description": description}


EVENT: dict[str, Any] = {
    "type": "object",
    "description": "By the names of CloudEvents. Attributes that are not named here are let through unread.",
    "required": ["id", "source", "type", "subject"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": describe_text("id", "With `source` the name of this event for ever."),
        "source": describe_text("source", "Who tells: a URI, or any text of your own."),
        "type": describe_text("type", "What happened; the meters that count this type count it."),
        "subject": describe_text("subject", "The account, by its key or an alias."),
        "time": {"type": "string", "format": "date-time", "description": "When it happened. Absent: now."},
        "data": {"type": "object", "description": "What the meters count and group by."},
    },
    "example": EVENT_EXAMPLE,
}

FATES: dict[str, Any] = {
    "type": "object",
    "required": ["results", "counts"],
    "properties": {
        "results": {"type": "array", "items": {"$ref": "#/components/schemas/RowFate"}},
        "counts": {
            "type": "object",
            "description": "How many rows had which fate.",
            "properties": {fate.value: {"type": "integer", "minimum": 0} for fate in Fate},
        },
    },
}

FATE: dict[str, Any] = {
    "type": "object",
    "description": "What became of one row, in the order of the request.",
    "required": ["source", "id", "fate"],
    "properties": {
        "source": {"type": "string"},
        "id": {"type": "string"},
        "fate": {"type": "string", "enum": [fate.value for fate in Fate]},
        "code": {"type": "string", "description": "Of a refusal, for machines."},
        "field": {"type": "string", "description": "Of a refusal: where."},
        "message": {"type": "string", "description": "Of a refusal, for people."},
        "skipped": {
            "type": "array",
            "description": "Meters of its type that could not use its value; the event stands.",
            "items": {
                "type": "object",
                "required": ["meter", "code", "field", "message"],
                "properties": {name: {"type": "string"} for name in ("meter", "code", "field", "message")},
            },
        },
    },
}

RESULT_EXAMPLE = {
    "results": [
        {
            "source": "urn:example:shop",
            "id": "req-1f0c",
            "fate": "accepted",
            "code": "",
            "field": "",
            "message": "",
            "skipped": [
                {
                    "meter": "duration",
                    "code": "value_missing",
                    "field": "data.ms",
                    "message": "The data needs a value called ms.",
                }
            ],
        }
    ],
    "counts": {fate.value: int(fate is Fate.ACCEPTED) for fate in Fate},
}

HEADERS = {
    "ce-specversion": ("Binary mode: `1.0`.", {"type": "string", "const": "1.0"}),
    "ce-id": ("Binary mode.", {"type": "string"}),
    "ce-source": ("Binary mode.", {"type": "string"}),
    "ce-type": ("Binary mode.", {"type": "string"}),
    "ce-subject": ("Binary mode.", {"type": "string"}),
    "ce-time": ("Binary mode.", {"type": "string", "format": "date-time"}),
    "Prefer": (
        "Whether the fates are wanted (RFC 7240).",
        {"type": "string", "examples": ["return=representation", "return=minimal"]},
    ),
}


def describe_events(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: add the path and what it refers to, under names no serializer has."""
    schemas = result["components"].setdefault("schemas", {})
    own = {"SentEvent": EVENT, "RowFate": FATE, "RowFates": FATES}
    if taken := own.keys() & schemas.keys():
        raise RuntimeError(f"a serializer is called {taken} as well")
    schemas |= own
    result["paths"] = {PATH: {"post": describe_post()} | result["paths"].pop(PATH, {})} | result["paths"]
    return result


def describe_post() -> dict[str, Any]:
    refused = (400, 401, 403, 413, 415, 429, 503)
    answers: dict[str, Any] = {
        "200": {
            "description": "A fate for every row.",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/RowFates"},
                    "example": RESULT_EXAMPLE,
                }
            },
        },
        "204": {"description": "Every row was kept or is known already."},
    }
    return {
        "operationId": "events_create",
        "summary": "Send usage",
        "description": DESCRIPTION,
        "tags": ["events"],
        "security": [{"bearer": []}],
        "parameters": [
            {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
            for name, (description, schema) in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": describe_bodies()},
        "responses": answers | {str(status): describe_problem(status) for status in refused},
    }


def describe_bodies() -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/SentEvent"}
    several = {"type": "array", "items": event, "maxItems": 1000}
    line = '{"id": "1", "source": "shop", "type": "api.request", "subject": "acme"}\n'
    return {
        SINGLE: {"schema": event},
        BATCH: {"schema": several},
        PLAIN: {"schema": {"anyOf": [event, several]}},
        LINES: {"schema": {"type": "string", "description": "An event a line."}, "example": line},
    }


def describe_problem(status: int) -> dict[str, Any]:
    """As those that the generator makes; their components are there as soon as one view of the API is."""
    refusal = describe_refusal(status)
    [example] = refusal.examples
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": refusal.description,
        "content": {PROBLEM: {"schema": schema, "example": example.value}},
    }
