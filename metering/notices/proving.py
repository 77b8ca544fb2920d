"""What must be true of notices and messages at any moment, one statement to a rule, as metering.invariants has it."""

from typing import LiteralString

RULES: dict[str, LiteralString] = {
    "an alert that was announced was so to each audience": """
        SELECT 'alert ' || alert_id, occasion || ' to ' || count(*) || ' audiences' FROM metering_notice
        WHERE alert_id IS NOT NULL GROUP BY alert_id, occasion HAVING count(*) <> 3
    """,
    "a notice is of its alert's account": """
        SELECT 'notice ' || n.id, 'account ' || n.account_id || ', its alert is of ' || a.account_id
        FROM metering_notice n JOIN metering_alert a ON a.id = n.alert_id WHERE a.account_id <> n.account_id
    """,
    "a notice that waits has a job that tells it": """
        SELECT 'notice ' || n.id, 'due ' || n.due_at FROM metering_notice n
        WHERE n.state = 'waiting' AND NOT EXISTS (
            SELECT FROM jobs_job j WHERE j.kind = 'metering.tell' AND j.state <> 'done'
                AND j.payload @> jsonb_build_object('notices', jsonb_build_array(n.id))
        )
    """,
    "a notice has messages exactly when it was told": """
        SELECT 'notice ' || n.id, n.state || ', ' || count(d.id) || ' messages'
        FROM metering_notice n LEFT JOIN metering_delivery_notices d ON d.notice_id = n.id
        GROUP BY n.id HAVING (n.state = 'told') <> (count(d.id) > 0)
    """,
    "a message tells of the notice that names it": """
        SELECT 'delivery ' || d.id, 'notice ' || d.first_notice_id || ' is not among those it tells of'
        FROM metering_delivery d
        WHERE NOT EXISTS (
            SELECT FROM metering_delivery_notices n WHERE (n.delivery_id, n.notice_id) = (d.id, d.first_notice_id)
        )
    """,
    "nobody is told of one notice twice": """
        SELECT 'notice ' || n.notice_id, count(*) || ' messages to ' || d.recipient
        FROM metering_delivery d JOIN metering_delivery_notices n ON n.delivery_id = d.id
        GROUP BY n.notice_id, d.channel, d.recipient HAVING count(*) > 1
    """,
    "a message that is not out has a job that sends it": """
        SELECT 'delivery ' || d.id, d.state || ', round ' || d.rounds FROM metering_delivery d
        WHERE d.state IN ('queued', 'sending') AND NOT EXISTS (
            SELECT FROM jobs_job j
            WHERE j.kind = 'metering.deliver' AND j.key = d.id || ':' || d.rounds AND j.state <> 'done'
        )
    """,
    "a message has a time exactly when it was sent": """
        SELECT 'delivery ' || id, state || ', sent ' || coalesce(sent_at::text, 'never') FROM metering_delivery
        WHERE (state = 'sent') <> (sent_at IS NOT NULL)
    """,
}
