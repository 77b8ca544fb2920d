"""The ready command with which a new customer sends a first event."""

import json
import shlex

from metering.meters import MeterRef


def write_first_event(*, account_key: str, meter: MeterRef | None, url: str) -> str:
    """A `curl` for a shell, one event of the meter's type for this account; the key stands in a variable."""
    event: dict[str, object] = {
        "id": "first-event",
        "source": "my-terminal",
        "type": meter.event_type if meter else "http.request",
        "subject": account_key,
    }
    if meter and (data := meter.sample_data()):
        event["data"] = data
    return " \\\n".join(
        [
            f"curl {shlex.quote(url)}",
            '  -H "Authorization: Bearer $PALIER_API_KEY"',
            '  -H "Content-Type: application/json"',
            f"  -d {shlex.quote(json.dumps(event, ensure_ascii=False))}",
        ]
    )
