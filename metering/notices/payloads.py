"""What a webhook says of an alert: the words that people read, the exact figures, and both times."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from metering.accounts import AccountRef
from metering.alerts.facts import AlertFact
from metering.notices.mails import Draft
from metering.notices.words import word_alert

LANGUAGE = "en"  # systems read the figures; who reads the words over their shoulder gets one language


def write_payload(fact: AlertFact, occasion: str, *, account: AccountRef, at: datetime) -> Draft:
    """`type`, `timestamp` and `data`, as Standard Webhooks has it. Quantities are exact text, times UTC."""
    kind = f"alert.{occasion}"
    data = describe_alert(fact) | {"account": {"key": account.key, "name": account.name}}
    text = json.dumps({"type": kind, "timestamp": write_time(at), "data": data}, ensure_ascii=False)
    return Draft(kind, text, "", {})


def describe_alert(fact: AlertFact) -> dict[str, Any]:
    words = word_alert(fact, language=LANGUAGE)
    return {
        "alert": fact.id,
        "kind": fact.kind,
        "severity": fact.severity,
        "cause": fact.cause,
        "meter": fact.meter_key or None,
        "subject": fact.subject or None,
        "plan": fact.plan or None,
        "level": {"value": write_number(fact.level), "unit": fact.level_unit},
        "used": write_number(fact.used),
        "limit": None if fact.quantity is None else write_number(fact.quantity),
        "unit": fact.unit or None,
        "chance": None if fact.p_hit is None else write_number(fact.p_hit),
        "starts_at": write_time(fact.start),
        "resets_at": write_time(fact.end),
        "time_zone": fact.time_zone,
        "crossed_at": write_time(fact.crossed_at),
        "detected_at": write_time(fact.detected_at),
        "resolved_at": None if fact.resolved_at is None else write_time(fact.resolved_at),
        "recovery": fact.recovery or None,
        "details": dict(fact.details),
        "words": {
            "title": words.title,
            "sentence": words.sentence,
            "notes": list(words.notes),
            "percent": words.percent,
            "limit": words.limit,
            "used": words.used,
            "resets_on": words.resets_on,
        },
    }


def write_number(number: Decimal) -> str:
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
