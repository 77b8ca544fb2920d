"""Refused rows taken again, after what was wrong has been put right: a meter made, an account named, a setting changed.

Each is judged by the time at which it first came: how old it may be, and when it happened if it does not say so. What
was kept once is a duplicate ever after, so a replay may be repeated, and may meet the sender's own second try.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from metering.decoding import MalformedBody, TooManyEvents, decode_event, decode_events, decode_lines
from metering.events import EventFate, Fate, UsageEvent
from metering.figures import count_fates
from metering.ingest import Submission, ingest_submissions
from metering.intake import keep_own
from metering.keys import KeyRef
from metering.models import Alias, RejectedEvent
from metering.rejections import REFUSED

CHUNK = 100  # rows in one transaction
KEPT = tuple(fate.value for fate in Fate if fate not in REFUSED)  # a replay that ended so is not repeated


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """How many rows were taken again, and what became of them: fate → rows. `cut` ones were not kept whole."""

    fates: dict[str, int]
    cut: int

    @property
    def taken(self) -> int:
        return sum(self.fates.values())


def replay_rejections(
    *, at: datetime, ids: Collection[int] | None = None, codes: Collection[str] = (), api_key_id: int | None = None
) -> ReplayReport:
    """Take again what was refused: these rows, or all of these codes and this key, oldest first.

    What a replay has kept before is passed over. A hundred rows are one transaction; interrupted, a second call goes on
    with the rest.
    """
    waiting = find_waiting(ids=ids, codes=codes, api_key_id=api_key_id)
    chosen = list(waiting.filter(is_cut=False).order_by("received_at", "id").values_list("id", flat=True))
    fates: Counter[str] = Counter()
    for start in range(0, len(chosen), CHUNK):
        fates.update(replay_chunk(chosen[start : start + CHUNK], at=at))
    return ReplayReport(dict(fates), cut=waiting.filter(is_cut=True).count())


def find_waiting(
    *, ids: Collection[int] | None, codes: Collection[str], api_key_id: int | None
) -> QuerySet[RejectedEvent]:
    rows = RejectedEvent.objects.exclude(replay_fate__in=KEPT)
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    if codes:
        rows = rows.filter(code__in=codes)
    return rows if api_key_id is None else rows.filter(api_key_id=api_key_id)


@transaction.atomic
def replay_chunk(ids: Sequence[int], *, at: datetime) -> list[str]:
    """The rows are locked in their order and looked at again, so that two replays do not both take one."""
    locked = RejectedEvent.objects.filter(Q(pk__in=ids) & ~Q(replay_fate__in=KEPT)).select_for_update(of=("self",))
    rows = list(locked.select_related("api_key").order_by("pk"))
    decoded = [keep_own(decode_body(row), key) for row, key in zip(rows, state_keys(rows), strict=True)]
    stored = iter(ingest_submissions([*list_submissions(rows, decoded, at=at), Submission((), at)]))
    ends = []
    for row, parts in zip(rows, decoded, strict=True):
        fates = [next(stored)[0] if isinstance(part, UsageEvent) else part for part in parts]
        end = choose_end(fates)
        row.replayed_at, row.replay_fate = at, end.fate.value
        if end.fate in REFUSED:
            row.code, row.field, row.message = end.code, end.field, end.message
        transaction.on_commit(partial(count_fates, fates, api_key_id=row.api_key_id, at=at))
        ends.append(end.fate.value)
    RejectedEvent.objects.bulk_update(rows, ["replayed_at", "replay_fate", "code", "field", "message"])
    return ends


def state_keys(rows: Sequence[RejectedEvent]) -> list[KeyRef]:
    """Who sent each, by what its key may send now. One query."""
    names: dict[int | None, set[str]] = {}
    accounts = {row.api_key.account_id for row in rows if row.api_key.account_id is not None}
    for name, account_id in Alias.objects.filter(account_id__in=accounts).values_list("name", "account_id"):
        names.setdefault(account_id, set()).add(name)
    return [
        KeyRef(
            row.api_key_id,
            row.api_key.name,
            scopes=(),
            account_id=row.api_key.account_id,
            subjects=None if row.api_key.account_id is None else frozenset(names.get(row.api_key.account_id, ())),
        )
        for row in rows
    ]


def decode_body(row: RejectedEvent) -> Sequence[UsageEvent | EventFate]:
    """Of a row one event; of a whole body that was refused, all that it holds if it can be read by now."""
    body, maximum = bytes(row.body), settings.EVENT_BATCH_MAX
    if not row.is_whole:
        return [decode_event(body)]
    try:
        parts = decode_events(body, maximum=maximum)
    except (MalformedBody, TooManyEvents):
        parts = decode_lines(body, maximum=maximum) if body.count(b"\n") < maximum else []
    if any(isinstance(part, UsageEvent) for part in parts):
        return parts
    return [EventFate("", "", Fate.REJECTED, row.code, row.field, row.message)]


def list_submissions(
    rows: Sequence[RejectedEvent], decoded: Sequence[Sequence[UsageEvent | EventFate]], *, at: datetime
) -> Iterator[Submission]:
    """One for each event. An event with a time is as old as it was when it came; one without happened then."""
    oldest = timedelta(days=settings.EVENT_MAX_AGE_DAYS)
    for row, parts in zip(rows, decoded, strict=True):
        for part in parts:
            if isinstance(part, UsageEvent):
                moment = row.received_at if part.time is None else at
                yield Submission([part], moment, row.api_key_id, max_age=oldest + (moment - row.received_at))


def choose_end(fates: Sequence[EventFate]) -> EventFate:
    """The first that is refused again, or the first."""
    return next((fate for fate in fates if fate.fate in REFUSED), fates[0])
