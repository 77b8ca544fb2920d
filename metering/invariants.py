"""What must be true of metering at any moment, checked over the whole database, one statement to a rule.

Each statement returns a subject and a detail per broken row. It has its own snapshot, in which no transaction is half
done, so it may run beside ingestion.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections.abc import Iterator
from itertools import islice
from typing import LiteralString

from django.db import connection

from jobs.invariants import Violation
from metering.alerts.proving import find_undecided
from metering.notices.proving import RULES as NOTICE_RULES
from metering.recounted import find_wrong_rollups, find_wrong_totals

SHOWN = 100  # of each rule; one is too many already

CLAIM: LiteralString = """
    encode(substring(sha256(convert_to(
        octet_length(convert_to(e.source, 'UTF8'))::text || ':' || e.source || e.event_id, 'UTF8'
    )) FOR 16), 'hex')::uuid
"""

RULES: dict[str, LiteralString] = {
    "an event has its claim, the hash of its source and id": f"""
        SELECT 'event ' || source || ' ' || event_id, 'its claim is ' || coalesce('of ' || c.received_at, 'missing')
        FROM metering_event e LEFT JOIN metering_claim c ON c.claim = {CLAIM}
        WHERE c.received_at IS DISTINCT FROM e.received_at
    """,
    "a source and an id are stored once": """
        SELECT 'event ' || source || ' ' || event_id, 'stored ' || count(*) || ' times'
        FROM metering_event GROUP BY source, event_id HAVING count(*) > 1
    """,
    "a claim has its event, unless that was pruned": f"""
        SELECT 'claim ' || c.claim, 'its event of ' || c.received_at || ' is missing' FROM metering_claim c
        WHERE NOT EXISTS (SELECT FROM metering_event e WHERE c.claim = {CLAIM})
            AND NOT EXISTS (SELECT FROM metering_pruning p WHERE p.month = date_trunc('month', c.received_at, 'UTC'))
    """,
    "an event belongs to the account that its subject names": """
        SELECT 'event ' || e.source || ' ' || e.event_id,
            'subject ' || e.subject || coalesce(' names account ' || a.account_id, ' names none')
                || coalesce(', stored with account ' || e.account_id, ', still unmatched')
        FROM metering_event e LEFT JOIN metering_alias a ON a.name = e.subject
        WHERE e.account_id IS DISTINCT FROM a.account_id
    """,
    "what a replay kept has its claim": f"""
        SELECT 'refused row ' || e.id, 'replayed as ' || e.replay_fate || ', but ' || e.event_id || ' is not claimed'
        FROM metering_rejectedevent e
        WHERE e.replay_fate NOT IN ('', 'rejected', 'conflict') AND NOT e.is_whole
            AND NOT EXISTS (SELECT FROM metering_claim c WHERE c.claim = {CLAIM})
    """,
    "an event was sent with a key that exists": """
        SELECT 'event ' || e.source || ' ' || e.event_id, 'there is no key ' || e.api_key_id FROM metering_event e
        WHERE e.api_key_id IS NOT NULL AND NOT EXISTS (SELECT FROM metering_apikey k WHERE k.id = e.api_key_id)
    """,
    "an event is of a type that a meter counts": """
        SELECT 'event ' || e.source || ' ' || e.event_id, 'no meter counts ' || e.type FROM metering_event e
        WHERE NOT EXISTS (SELECT FROM metering_meterversion v WHERE v.event_type = e.type)
    """,
    "what a limit holds is held by its open reservations": """
        SELECT 'limit ' || l.id, 'held ' || l.held || ', reserved ' || coalesce(r.quantity, 0)
        FROM metering_limit l LEFT JOIN (
            SELECT limit_id, sum(quantity) AS quantity FROM metering_reservation WHERE state = 'held' GROUP BY 1
        ) r ON r.limit_id = l.id
        WHERE l.held <> coalesce(r.quantity, 0)
    """,
    "a reservation is of its limit's account and meter": """
        SELECT 'reservation ' || r.id, 'limit ' || l.id || ' is another account or meter, or ends before it'
        FROM metering_reservation r JOIN metering_limit l ON l.id = r.limit_id
        WHERE (r.account_id, r.meter_id) <> (l.account_id, l.meter_id)
            OR (r.state = 'held' AND r.expires_at > l.ends_at)
    """,
    "an account goes by its own key": """
        SELECT 'account ' || c.key, coalesce('its key names account ' || a.account_id, 'its key is no name of it')
        FROM metering_account c LEFT JOIN metering_alias a ON a.name = c.key WHERE a.account_id IS DISTINCT FROM c.id
    """,
    "an alert is justified by what it saw": """
        SELECT 'alert ' || a.id, a.kind || ' ' || a.level || ' with ' || a.used || coalesce(' of ' || a.quantity, '')
        FROM metering_alert a LEFT JOIN metering_alertrule r ON r.id = a.rule_id
        WHERE a.kind NOT IN ('forecast', 'anomaly') AND NOT CASE
            WHEN a.unit = 'absolute' AND r.direction = 'falling' THEN a.used <= a.level
            WHEN a.unit = 'absolute' THEN a.used >= a.level
            WHEN r.direction = 'falling' THEN a.quantity > 0 AND a.used * 100 <= a.level * a.quantity
            ELSE a.used > 0 AND a.used * 100 >= a.level * a.quantity
        END
    """,
    "an alarm of the forecast says what it expected": """
        SELECT 'alert ' || id, 'without a chance' FROM metering_alert WHERE kind = 'forecast' AND p_hit IS NULL
    """,
    "an alert is about its limit's window": """
        SELECT 'alert ' || a.id, 'limit ' || l.id || ' is another account, meter, window or a younger epoch'
        FROM metering_alert a JOIN metering_limit l ON l.id = a.limit_id
        WHERE (a.account_id, a.meter_id, a.starts_at) <> (l.account_id, l.meter_id, l.starts_at)
            OR a.ends_at < l.ends_at OR a.epoch > l.epoch
    """,
    "a level speaks once": """
        SELECT 'account ' || account_id || ', ' || kind || ' of ' || coalesce('meter ' || meter_id, subject)
            || ', window ' || starts_at, 'level ' || level || ' of epoch ' || epoch || ', arming ' || arming
            || ', spoke ' || count(*) || ' times'
        FROM metering_alert GROUP BY account_id, kind, unit, meter_id, subject, starts_at, epoch, level, arming
        HAVING count(*) > 1
    """,
    "a forecast is of its limit's account, meter and epochs": """
        SELECT 'forecast ' || f.id, 'limit ' || l.id || ' is another account or meter, or a younger epoch'
        FROM metering_forecast f JOIN metering_limit l ON l.id = f.limit_id
        WHERE (f.account_id, f.meter_id) <> (l.account_id, l.meter_id) OR f.epoch > l.epoch
    """,
    "a forecast has its ranges in order": """
        SELECT 'forecast ' || f.id, 'totals ' || total_low || ', ' || total_mid || ', ' || total_high
            || coalesce(', dates ' || hit_low || ', ' || hit_mid || ', ' || hit_high, '')
        FROM metering_forecast f
        WHERE total_low > total_mid OR total_mid > total_high OR hit_low > hit_mid OR hit_mid > hit_high
            OR num_nulls(hit_low, hit_mid, hit_high) IN (1, 2) OR (quantity IS NULL AND hit_mid IS NOT NULL)
    """,
    "what adds up is not expected to become less": """
        SELECT 'forecast ' || f.id, 'used ' || f.used || ', expected ' || f.total_low
        FROM metering_forecast f JOIN metering_meter m ON m.id = f.meter_id
        WHERE m.aggregation IN ('count', 'sum', 'unique') AND NOT m.carries_over AND f.total_low < f.used
    """,
    "a level is armed again before it speaks again": """
        SELECT 'alert ' || a.id, 'arming ' || a.arming || ' while that before it stood'
        FROM metering_alert a JOIN metering_alert b ON
            (b.account_id, b.kind, b.unit, b.subject, b.starts_at, b.epoch, b.level, b.arming)
            = (a.account_id, a.kind, a.unit, a.subject, a.starts_at, a.epoch, a.level, a.arming - 1)
            AND b.meter_id IS NOT DISTINCT FROM a.meter_id
        WHERE b.resolved_at IS NULL OR b.resolved_at > a.detected_at
    """,
    "what is not told is not handed out": """
        SELECT 'alert ' || id, state || ', claimed ' || claimed_at FROM metering_alert
        WHERE state <> 'told' AND claimed_at IS NOT NULL
    """,
    "what is told is announced, what is not is not": """
        SELECT 'alert ' || a.id, a.state || ', with ' || count(n.id) || ' notices that it was raised'
        FROM metering_alert a LEFT JOIN metering_notice n ON n.alert_id = a.id AND n.occasion = 'raised'
        WHERE a.rule_id IS NOT NULL GROUP BY a.id HAVING (count(n.id) > 0) <> (a.state = 'told')
    """,
    "a window is graded after its end, and what it said after it": """
        SELECT 'limit ' || id, 'graded ' || graded_at || ', its window ends ' || ends_at FROM metering_limit
        WHERE graded_at < ends_at
        UNION ALL
        SELECT 'alert ' || a.id, 'graded ' || a.graded_at || ', its window not yet' FROM metering_alert a
        JOIN metering_limit l ON l.id = a.limit_id WHERE a.graded_at IS NOT NULL AND l.graded_at IS NULL
    """,
    "a forecast is graded exactly when its window is": """
        SELECT 'forecast ' || f.id, 'graded ' || coalesce(f.graded_at::text, 'never') || ', its window '
            || coalesce(l.graded_at::text, 'not yet')
        FROM metering_forecast f JOIN metering_limit l ON l.id = f.limit_id
        WHERE (f.graded_at IS NULL) <> (l.graded_at IS NULL)
    """,
    "a grade says when the limit was reached exactly when it was": """
        SELECT 'alert ' || id, outcome || ', reached ' || coalesce(reached_at::text, 'never') FROM metering_alert
        WHERE (outcome = 'reached') <> (reached_at IS NOT NULL)
        UNION ALL
        SELECT 'forecast ' || id, 'reached ' || coalesce(reached_at::text, 'never') FROM metering_forecast
        WHERE coalesce(was_reached, false) <> (reached_at IS NOT NULL)
    """,
    "adjustments say what changed since a window was closed": """
        SELECT 'limit ' || l.id, 'used ' || l.used || ', when it was closed ' || l.used_at_close
            || ', adjusted since by ' || a.quantity
        FROM metering_limit l CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0) AS quantity FROM metering_adjustment WHERE limit_id = l.id
        ) AS a
        WHERE l.used - l.used_at_close <> a.quantity
    """,
    "an adjustment is about a window that was closed": """
        SELECT 'adjustment ' || a.id, 'limit ' || l.id || ' is open, or of another account, meter or window'
        FROM metering_adjustment a JOIN metering_limit l ON l.id = a.limit_id
        WHERE l.closed_at IS NULL
            OR (a.account_id, a.meter_id, a.starts_at, a.ends_at) <> (l.account_id, l.meter_id, l.starts_at, l.ends_at)
    """,
    "what replaces an event is stored, unless that was pruned": """
        SELECT 'correction ' || c.id, 'there is no event ' || c.replacement_source || ' ' || c.replacement_id
        FROM metering_correction c
        WHERE c.kind = 'replace' AND NOT EXISTS (
            SELECT FROM metering_event e WHERE e.source = c.replacement_source AND e.event_id = c.replacement_id
        ) AND NOT EXISTS (SELECT FROM metering_pruning p WHERE p.month = date_trunc('month', c.made_at, 'UTC'))
    """,
    "an import accounts for every line": """
        SELECT 'import ' || source, lines || ' lines, ' || accepted || ' accepted, ' || duplicates || ' duplicates, '
            || rejected || ' rejected, ' || unmatched || ' unmatched, ' || unused || ' unused, '
            || stored.rejections || ' rejections stored'
        FROM metering_usageimport i CROSS JOIN LATERAL (
            SELECT count(*) AS rejections FROM metering_rejectedline WHERE usage_import_id = i.id
        ) AS stored
        WHERE lines <> accepted + duplicates + rejected + unmatched + unused OR rejected <> stored.rejections
    """,
    "a level that was reached has spoken or is about to": """
        SELECT 'limit ' || id, 'used ' || used || ', next level at ' || next_crossing FROM metering_limit
        WHERE closed_at IS NULL AND NOT needs_check AND used > 0 AND used >= next_crossing
    """,
}

COUNTED_RULES = {
    "what was reached or left is on record or about to be": find_undecided,
    "rollups equal the raw events": find_wrong_rollups,
    "a running total equals the usage in its window": find_wrong_totals,
}


def check() -> Iterator[Violation]:
    """Every broken promise, at most a hundred of each rule."""
    for rule, statement in (RULES | NOTICE_RULES).items():
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} LIMIT {SHOWN}")
            rows = cursor.fetchall()
        for subject, detail in rows:
            yield Violation(rule=rule, subject=subject, detail=detail)
    for rule, find in COUNTED_RULES.items():
        for subject, detail in islice(find(), SHOWN):
            yield Violation(rule=rule, subject=subject, detail=detail)
