"""What must hold over the whole database whatever ran, in whatever order, killed at whatever point.

The questions are asked in SQL, over rows that constraints and triggers should already protect: a restored backup, a
disabled trigger or a hand at the console is what they are for.
"""

from collections.abc import Iterator

from django.db import connection

from crm.transitions import MOVES
from jobs.invariants import Violation

# rule, and a query that returns (subject, detail) for each row that breaks it
RULES: dict[str, str] = {
    "one open lead per account": """
        SELECT 'account ' || account_id, count(*) || ' open leads'
        FROM crm_lead WHERE stage NOT IN ('won', 'lost') GROUP BY account_id HAVING count(*) > 1
    """,
    "a claimed alert has exactly one signal": """
        SELECT 'alert ' || alert.id, count(signal.id) || ' signals'
        FROM metering_alert alert LEFT JOIN crm_signal signal ON signal.alert_id = alert.id
        WHERE alert.claimed_at IS NOT NULL AND alert.state = 'told'
        GROUP BY alert.id HAVING count(signal.id) <> 1
    """,
    "a signal comes from a claimed alert that speaks": """
        SELECT 'signal ' || signal.id, CASE WHEN alert.id IS NULL THEN 'its alert is gone'
            WHEN alert.state <> 'told' THEN 'its alert is ' || alert.state ELSE 'its alert is not claimed' END
        FROM crm_signal signal LEFT JOIN metering_alert alert ON alert.id = signal.alert_id
        WHERE alert.id IS NULL OR alert.state <> 'told' OR alert.claimed_at IS NULL
    """,
    "a signal is on a lead of its own account": """
        SELECT 'signal ' || signal.id,
            'alert of account ' || alert.account_id || ', lead of account ' || lead.account_id
        FROM crm_signal signal JOIN metering_alert alert ON alert.id = signal.alert_id
        JOIN crm_lead lead ON lead.id = signal.lead_id WHERE alert.account_id <> lead.account_id
    """,
    "a lead has a signal": """
        SELECT 'lead ' || id, 'nobody knows why it is there' FROM crm_lead
        WHERE NOT EXISTS (SELECT FROM crm_signal WHERE lead_id = crm_lead.id AND NOT is_cooled)
    """,
    "a lead is as severe as its worst signal": """
        SELECT 'lead ' || id, 'severity ' || severity || ', worst signal ' || worst
        FROM (
            SELECT lead.id, lead.severity,
                max(array_position(ARRAY['info', 'warning', 'critical'], alert.severity::text)) AS worst
            FROM crm_lead lead JOIN crm_signal signal ON signal.lead_id = lead.id AND NOT signal.is_cooled
            JOIN metering_alert alert ON alert.id = signal.alert_id GROUP BY lead.id
        ) compared WHERE severity <> worst
    """,
    "a lead has come as far as its furthest signal": """
        SELECT 'lead ' || id, 'level ' || coalesce(level::text, 'none') || ', furthest signal '
            || coalesce(furthest::text, 'none')
        FROM (
            SELECT lead.id, lead.level,
                max(alert.level) FILTER (WHERE alert.kind = 'usage' AND alert.unit = 'percent') AS furthest
            FROM crm_lead lead JOIN crm_signal signal ON signal.lead_id = lead.id AND NOT signal.is_cooled
            JOIN metering_alert alert ON alert.id = signal.alert_id GROUP BY lead.id
        ) compared WHERE level IS DISTINCT FROM furthest
    """,
    "a signal that cooled is on a lead that was lost": """
        SELECT 'signal ' || signal.id, 'lead ' || lead.id || ' is ' || lead.stage
        FROM crm_signal signal JOIN crm_lead lead ON lead.id = signal.lead_id
        WHERE signal.is_cooled AND (lead.stage <> 'lost' OR signal.created_at < lead.closed_at)
    """,
    "a lead's stage is where its last transition led": """
        SELECT 'lead ' || lead.id, 'is ' || lead.stage || ', last moved to ' || coalesce(last.to_stage, 'nothing')
        FROM crm_lead lead LEFT JOIN LATERAL (
            SELECT to_stage FROM crm_transition WHERE lead_id = lead.id ORDER BY id DESC LIMIT 1) last ON true
        WHERE lead.stage IS DISTINCT FROM last.to_stage
    """,
    "a lead's rep is whom it was last given to": """
        SELECT 'lead ' || lead.id, 'is with rep ' || coalesce(lead.rep_id::text, 'nobody')
            || ', last given to ' || coalesce(last.rep_id::text, 'nobody')
        FROM crm_lead lead LEFT JOIN LATERAL (
            SELECT rep_id FROM crm_activity WHERE lead_id = lead.id AND kind = 'assignment'
            ORDER BY id DESC LIMIT 1) last ON true
        WHERE lead.rep_id IS DISTINCT FROM last.rep_id
    """,
}

STEPS = """
    SELECT id, lead_id, from_stage, to_stage,
           coalesce(lag(to_stage) OVER (PARTITION BY lead_id ORDER BY id), '') AS came_from
    FROM crm_transition
"""
STEP_RULE = "a lead moves step by step along allowed moves"


def check() -> Iterator[Violation]:
    """Every broken rule, with what broke it. Reads only."""
    for rule, query in RULES.items():
        with connection.cursor() as cursor:
            cursor.execute(query)
            yield from (Violation(rule, subject, detail) for subject, detail in cursor.fetchall())
    yield from check_steps()


def check_steps() -> Iterator[Violation]:
    """Each transition starts where the one before ended, and is in the table of moves; the first comes from nowhere."""
    allowed = {("", "new")} | {(str(start), str(end)) for start, ends in MOVES.items() for end in ends}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, from_stage, to_stage, came_from FROM ({STEPS}) step"  # noqa: S608 — no value is written into it
            " WHERE from_stage <> came_from OR (from_stage, to_stage) NOT IN"
            " (SELECT * FROM unnest(%s::text[], %s::text[]))",
            [[start for start, _end in allowed], [end for _start, end in allowed]],
        )
        for transition_id, from_stage, to_stage, came_from in cursor.fetchall():
            detail = f"{from_stage or 'nothing'} → {to_stage} after {came_from or 'nothing'}"
            yield Violation(STEP_RULE, f"transition {transition_id}", detail)
