"""Spans of meters whose quantity is a count, a sum or a mean, on hours: what bills are made of, many at once.

The same as `spans.read_spans` finds, at under two thirds of its cost in the database and a tenth outside.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import LiteralString

from metering.fragments import find_split_hours
from metering.spans import FoundSpan, Span, Terms
from metering.statements import plain_array, run_statement, time_array
from metering.tallies import PLAIN

# LATERAL keeps each bucket one range of the primary key.
STATEMENT: LiteralString = """
    SELECT s.span, s.bucket, t.* FROM unnest(
        %(spans)s::int[], %(buckets)s::int[], %(accounts)s::bigint[], %(meters)s::bigint[], %(starts)s::timestamptz[],
        %(ends)s::timestamptz[]
    ) AS s (span, bucket, account_id, meter_id, starts_at, ends_at) CROSS JOIN LATERAL (
        SELECT sum(r.event_count)::bigint, sum(r.total){digest} FROM metering_hourlyrollup r
        WHERE r.account_id = s.account_id AND r.meter_id = s.meter_id AND r.hour >= s.starts_at AND r.hour < s.ends_at
        HAVING count(*) > 0
    ) AS t
"""
TOTALS: LiteralString = " ".join(STATEMENT.replace("{digest}", "").split())
SEALED_TOTALS: LiteralString = " ".join(
    STATEMENT.replace("{digest}", ", CASE WHEN count(r.digest) = count(*) THEN sum(r.digest) END").split()
)


def is_plain(terms: Terms, bounds: Sequence[datetime]) -> bool:
    return terms.aggregation in PLAIN and not terms.carries_over and not find_split_hours(bounds)


def read_plain_spans(
    spans: Mapping[int, Span], terms: Mapping[int, Terms], *, is_sealed: bool = False
) -> list[FoundSpan]:
    """What was found of spans by their position, for each of which `is_plain` holds. One statement, or none."""
    found = {place: FoundSpan(place, span.account_id, terms[span.meter_id]) for place, span in spans.items()}
    asked = [
        (place, bucket, span.account_id, span.meter_id, start, end)
        for place, span in spans.items()
        for bucket, (start, end) in enumerate(pairwise(span.bounds), start=1)
    ]
    if not asked:
        return list(found.values())
    places, buckets, accounts, meters, starts, ends = zip(*asked, strict=True)
    params: dict[str, str | None] = {
        "spans": plain_array(places),
        "buckets": plain_array(buckets),
        "accounts": plain_array(accounts),
        "meters": plain_array(meters),
        "starts": time_array(starts),
        "ends": time_array(ends),
    }
    for place, bucket, event_count, total, *digest in run_statement(SEALED_TOTALS if is_sealed else TOTALS, params):
        found[place].parts.append((bucket, "", event_count, total, None))
        if digest:
            found[place].digests[bucket] = digest[0]
    return list(found.values())
