"""What must be true of metering at any moment, checked over the whole database, one statement to a rule.

Each statement returns a subject and a detail per broken row. It has its own snapshot, in which no transaction is half
done, so it may run beside ingestion.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections.abc import Iterator
from typing import LiteralString

from django.db import connection

from jobs.invariants import Violation
from metering.counting import HOUR_OF_EVENT, VALUE

SHOWN = 100  # of each rule; one is too many already

# What the stored events come to, from their data alone.
VALUED: LiteralString = f"""
    valued AS (
        SELECT e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM metering_event e JOIN metering_meter m ON m.event_type = e.type
        WHERE e.account_id IS NOT NULL
    )
"""

CLAIM: LiteralString = """
    encode(substring(sha256(convert_to(
        octet_length(convert_to(source, 'UTF8'))::text || ':' || source || event_id, 'UTF8')) FOR 16), 'hex')::uuid
"""

RULES: dict[str, LiteralString] = {
    "an event's claim is the hash of its source and id": f"""
        SELECT 'event ' || source || ' ' || event_id, 'its claim is ' || claim FROM metering_event
        WHERE claim <> {CLAIM}
    """,
    "an event belongs to the account that its subject names": """
        SELECT 'event ' || e.source || ' ' || e.event_id,
            'subject ' || e.subject || coalesce(' names account ' || a.account_id, ' names none')
                || coalesce(', stored with account ' || e.account_id, ', still unmatched')
        FROM metering_event e LEFT JOIN metering_alias a ON a.name = e.subject
        WHERE e.account_id IS DISTINCT FROM a.account_id
    """,
    "an event was sent with a key that exists": """
        SELECT 'event ' || e.source || ' ' || e.event_id, 'there is no key ' || e.api_key_id FROM metering_event e
        WHERE e.api_key_id IS NOT NULL AND NOT EXISTS (SELECT FROM metering_apikey k WHERE k.id = e.api_key_id)
    """,
    "an event is of a type that a meter counts": """
        SELECT 'event ' || e.source || ' ' || e.event_id, 'no meter counts ' || e.type FROM metering_event e
        WHERE NOT EXISTS (SELECT FROM metering_meter m WHERE m.event_type = e.type)
    """,
    "rollups equal the raw events": f"""
        WITH {VALUED}, hourly AS (
            SELECT account_id, meter_id, {HOUR_OF_EVENT} AS hour, count(*) AS event_count, sum(value) AS total
            FROM valued WHERE value IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT 'account ' || account_id || ', meter ' || meter_id || ', hour ' || hour,
            coalesce('rollup ' || r.total || ' of ' || r.event_count, 'no rollup') || ' events, stored '
                || coalesce(h.total || ' of ' || h.event_count, 'none')
        FROM metering_hourlyrollup r FULL JOIN hourly h USING (account_id, meter_id, hour)
        WHERE (r.total, r.event_count) IS DISTINCT FROM (h.total, h.event_count)
    """,
    "a running total equals the usage in its window": f"""
        WITH {VALUED}, stored AS (
            SELECT l.id, sum(v.value) AS used
            FROM metering_limit l JOIN valued v ON v.account_id = l.account_id AND v.meter_id = l.meter_id
                AND v.happened_at >= l.starts_at AND v.happened_at < l.ends_at
            GROUP BY l.id
        )
        SELECT 'limit ' || l.id, 'used ' || l.used || ', stored ' || coalesce(s.used, 0)
        FROM metering_limit l LEFT JOIN stored s USING (id) WHERE l.used <> coalesce(s.used, 0)
    """,
    "an account goes by its own key": """
        SELECT 'account ' || c.key, coalesce('its key names account ' || a.account_id, 'its key is no name of it')
        FROM metering_account c LEFT JOIN metering_alias a ON a.name = c.key WHERE a.account_id IS DISTINCT FROM c.id
    """,
    "an alert is justified by what it saw": """
        SELECT 'alert ' || a.id, 'level ' || a.level || ' with ' || a.used || ' of ' || a.quantity FROM metering_alert a
        WHERE a.used <= 0 OR a.used * 100 < a.level * a.quantity
    """,
    "an alert is about its limit's window": """
        SELECT 'alert ' || a.id, 'limit ' || l.id || ' is another account, meter, window or a younger epoch'
        FROM metering_alert a JOIN metering_limit l ON l.id = a.limit_id
        WHERE (a.account_id, a.meter_id, a.starts_at, a.ends_at) <> (l.account_id, l.meter_id, l.starts_at, l.ends_at)
            OR a.epoch > l.epoch
    """,
    "a level speaks once": """
        SELECT 'account ' || account_id || ', meter ' || meter_id || ', window ' || starts_at,
            'level ' || level || ' of epoch ' || epoch || ' spoke ' || count(*) || ' times'
        FROM metering_alert GROUP BY account_id, meter_id, starts_at, epoch, level HAVING count(*) > 1
    """,
    "no superseded alert was handed out": """
        SELECT 'alert ' || id, 'claimed ' || claimed_at FROM metering_alert
        WHERE is_superseded AND claimed_at IS NOT NULL
    """,
    "a level that was reached is on record or about to be": """
        SELECT 'limit ' || l.id, 'used ' || l.used || ' of ' || l.quantity || ', nothing on record from level ' || level
        FROM metering_limit l CROSS JOIN (VALUES (80), (100)) AS levels (level)
        WHERE l.closed_at IS NULL AND NOT l.needs_check AND l.used > 0 AND l.used * 100 >= level * l.quantity
            AND NOT EXISTS (
                SELECT FROM metering_alert a WHERE a.limit_id = l.id AND a.epoch = l.epoch AND a.level >= levels.level
            )
    """,
    "an import accounts for every line": """
        SELECT 'import ' || source, lines || ' lines, ' || accepted || ' accepted, ' || duplicates || ' duplicates, '
            || rejected || ' rejected, ' || unmatched || ' unmatched, ' || stored.rejections || ' rejections stored'
        FROM metering_usageimport i CROSS JOIN LATERAL (
            SELECT count(*) AS rejections FROM metering_rejectedline WHERE usage_import_id = i.id
        ) AS stored
        WHERE lines <> accepted + duplicates + rejected + unmatched OR rejected <> stored.rejections
    """,
    "a level that was reached has spoken or is about to": """
        SELECT 'limit ' || id, 'used ' || used || ', next level at ' || next_crossing FROM metering_limit
        WHERE closed_at IS NULL AND NOT needs_check AND used > 0 AND used >= next_crossing
    """,
}


def check() -> Iterator[Violation]:
    """Every broken promise, at most a hundred of each rule."""
    for rule, statement in RULES.items():
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} LIMIT {SHOWN}")
            rows = cursor.fetchall()
        for subject, detail in rows:
            yield Violation(rule=rule, subject=subject, detail=detail)
