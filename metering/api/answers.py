"""What the sender of events hears: the fate of each, or as little as it asked for.

Who posts one of the CloudEvents media looks at the status alone: 204 when every event is kept, 400 when one is not.
Who posts plain JSON or NDJSON reads the fates, and gets them with 200 whatever they are. `Prefer` (RFC 7240) changes
both: `return=representation` asks for the fates, `return=minimal` for none when all is well.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse

from metering.api.modes import Mode
from metering.events import EventFate, Fate, tally_fates
from metering.problems import Problem
from metering.rejections import REFUSED

REPRESENTATION, MINIMAL = "representation", "minimal"
PREFERENCE = re.compile(r"""(?:^|[,;])\s*return\s*=\s*("?)(representation|minimal)\1\s*(?=$|[,;])""", re.IGNORECASE)


def read_preference(header: str | None) -> str:
    """What `Prefer` says of the answer's body: `representation`, `minimal`, or nothing. The first word counts."""
    found = PREFERENCE.search(header or "")
    return found[2].lower() if found else ""


def answer_fates(fates: Sequence[EventFate], *, mode: Mode, preference: str) -> HttpResponse:
    """The fates are in the order of the events. Raises Problem where a refused event is one."""
    counted = tally_fates(fates)
    found = {"results": fates, "counts": {fate.value: counted[fate] for fate in Fate}}
    refused = sum(counted[fate] for fate in REFUSED)
    wanted = preference or (MINIMAL if mode.is_cloudevents else REPRESENTATION)
    if wanted == MINIMAL and not refused:
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
    elif wanted == MINIMAL and mode.is_cloudevents:
        raise refuse_events(fates, refused=refused, found=found)
    else:
        response = HttpResponse(msgspec.json.encode(found), content_type="application/json")
        wanted = REPRESENTATION
    if preference == wanted:
        response["Preference-Applied"] = f"return={wanted}"
    return response


def refuse_events(fates: Sequence[EventFate], *, refused: int, found: dict[str, Any]) -> Problem:
    """The good events beside the refused ones stay, and `results` tells which are which."""
    if len(fates) == 1:
        [fate] = fates
        return Problem(HTTPStatus.BAD_REQUEST, fate.code, fate.message, extensions=found)
    detail = f"{refused} of {len(fates)} events were refused; the others are stored. Each has its fate in `results`."
    return Problem(HTTPStatus.BAD_REQUEST, "events_refused", detail, extensions=found)
