"""An alert's sight is frozen, what became of it is said once; and the rules that hold where nobody made others."""

from decimal import Decimal

from django.db import migrations

ALERT_IS_FROZEN = """
CREATE OR REPLACE FUNCTION metering_keep_alert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before metering_alert;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := NEW;
        IF OLD.claimed_at IS NULL THEN before.claimed_at := NULL; END IF;
        IF OLD.resolved_at IS NULL THEN before.resolved_at := NULL; before.recovery := OLD.recovery; END IF;
        IF OLD.reminded_at IS NULL THEN before.reminded_at := NULL; END IF;
        IF OLD.acted_on_at IS NULL THEN before.acted_on_at := NULL; END IF;
        IF OLD.graded_at IS NULL THEN
            before.graded_at := NULL; before.outcome := OLD.outcome; before.reached_at := OLD.reached_at;
        END IF;
        IF before IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an alert never changes, what became of it is said once: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""

ALERT_IS_ONLY_CLAIMED = """
CREATE OR REPLACE FUNCTION metering_keep_alert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_claim metering_alert;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before_claim := NEW;
        before_claim.claimed_at := NULL;
        IF OLD.claimed_at IS NULL AND NEW.claimed_at IS NOT NULL AND before_claim IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an alert never changes but to be claimed once: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""

CHANGE_STAYS = """
CREATE FUNCTION metering_keep_limit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What was changed ahead of a window goes with the window, when that is taken back before it begins.
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM metering_limit WHERE id = OLD.limit_id AND starts_at >= OLD.at) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'changes of limits are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER limit_change_stays BEFORE UPDATE OR DELETE ON metering_limitchange
    FOR EACH ROW EXECUTE FUNCTION metering_keep_limit_change();
"""

CHANGE_GOES = """
DROP TRIGGER limit_change_stays ON metering_limitchange;
DROP FUNCTION metering_keep_limit_change();
"""

DELIVERY_IS_FROZEN = """
CREATE FUNCTION metering_keep_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before metering_delivery;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := NEW;
        before.endpoint_id := OLD.endpoint_id;
        IF OLD.sent_at IS NULL THEN
            before.state := OLD.state; before.rounds := OLD.rounds; before.attempts := OLD.attempts;
            before.error := OLD.error; before.sent_at := OLD.sent_at;
            before.answer_status := OLD.answer_status; before.answer_text := OLD.answer_text;
        END IF;
        IF before IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a message stays as it was written, and sent once it was sent: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER delivery_is_frozen BEFORE UPDATE OR DELETE ON metering_delivery
    FOR EACH ROW EXECUTE FUNCTION metering_keep_delivery();
"""

DELIVERY_IS_FREE = """
DROP TRIGGER delivery_is_frozen ON metering_delivery;
DROP FUNCTION metering_keep_delivery();
"""

# name, kind, unit, direction, repeat step, re-armed below by, levels with their severity
RULES = [
    ("Usage of a limit", "usage", "percent", "rising", 25, 5, [(80, "warning"), (100, "critical")]),
    ("Forecast of reaching a limit", "forecast", "percent", "rising", None, 5, [(100, "warning")]),
    ("Budget of the customer's own", "budget", "percent", "rising", 25, 5, [(80, "warning"), (100, "critical")]),
    ("Credit running out", "credit", "percent", "falling", None, 5, [(20, "warning"), (0, "critical")]),
    ("Behind the commitment's pace", "commitment", "percent", "falling", None, 5, [(70, "info")]),
    ("Unusual usage", "anomaly", "absolute", "rising", None, 2, [(5, "warning"), (10, "critical")]),
]


def make_live_set(apps, schema_editor):
    rule_set = apps.get_model("metering", "RuleSet").objects.create(name="Standard", is_live=True)
    for name, kind, unit, direction, step, rearm, levels in RULES:
        rule = apps.get_model("metering", "AlertRule").objects.create(
            rule_set=rule_set,
            name=name,
            kind=kind,
            unit=unit,
            direction=direction,
            repeat_step=None if step is None else Decimal(step),
            rearm_points=Decimal(rearm),
        )
        for level, severity in levels:
            apps.get_model("metering", "AlertLevel").objects.create(rule=rule, level=Decimal(level), severity=severity)


def drop_sets(apps, schema_editor):
    for name in ("AlertLevel", "AlertRule", "RuleSet"):
        apps.get_model("metering", name).objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0015_alerts_and_forecasts"),
    ]

    operations = [
        migrations.RunSQL(ALERT_IS_FROZEN, ALERT_IS_ONLY_CLAIMED),
        migrations.RunSQL(CHANGE_STAYS, CHANGE_GOES),
        migrations.RunSQL(DELIVERY_IS_FROZEN, DELIVERY_IS_FREE),
        migrations.RunPython(make_live_set, drop_sets),
    ]
