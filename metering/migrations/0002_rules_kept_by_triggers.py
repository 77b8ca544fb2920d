"""What no code may break, not even `QuerySet.update()`: events are append-only, used meters and alerts are frozen.

A refusal carries SQLSTATE 23001 (restrict_violation), which Django raises as IntegrityError.
"""

from django.db import migrations, models

EVENT_IS_APPEND_ONLY = """
CREATE FUNCTION metering_keep_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_account metering_event;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before_account := NEW;
        before_account.account_id := NULL;
        -- The one change allowed: an unmatched event learns its account.
        IF OLD.account_id IS NULL AND NEW.account_id IS NOT NULL AND before_account IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'events are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE ON metering_event
    FOR EACH ROW EXECUTE FUNCTION metering_keep_event();
CREATE TRIGGER event_is_never_truncated BEFORE TRUNCATE ON metering_event
    FOR EACH STATEMENT EXECUTE FUNCTION metering_keep_event();
"""

EVENT_IS_FREE = """
DROP TRIGGER event_is_never_truncated ON metering_event;
DROP TRIGGER event_is_append_only ON metering_event;
DROP FUNCTION metering_keep_event();
"""

METER_IS_FROZEN_ONCE_USED = """
CREATE FUNCTION metering_keep_meter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Its name is for people and may be bettered; what it counts, and how, may not.
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.key, NEW.event_type, NEW.aggregation, NEW.value_property, NEW.unit)
            = (OLD.id, OLD.key, OLD.event_type, OLD.aggregation, OLD.value_property, OLD.unit) THEN
        RETURN NEW;
    END IF;
    -- Ingestion holds ROW SHARE from reading the meters until it commits: wait for what is in flight, then look.
    LOCK TABLE metering_meter IN EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM metering_hourlyrollup WHERE meter_id = OLD.id) THEN
        RAISE EXCEPTION 'meter % has counted and is frozen: % refused', OLD.key, TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER meter_is_frozen_once_used BEFORE UPDATE OR DELETE ON metering_meter
    FOR EACH ROW EXECUTE FUNCTION metering_keep_meter();
"""

METER_IS_FREE = """
DROP TRIGGER meter_is_frozen_once_used ON metering_meter;
DROP FUNCTION metering_keep_meter();
"""

ALERT_IS_IMMUTABLE = """
CREATE FUNCTION metering_keep_alert() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER alert_is_immutable BEFORE UPDATE OR DELETE ON metering_alert
    FOR EACH ROW EXECUTE FUNCTION metering_keep_alert();
CREATE TRIGGER alert_is_never_truncated BEFORE TRUNCATE ON metering_alert
    FOR EACH STATEMENT EXECUTE FUNCTION metering_keep_alert();
"""

ALERT_IS_FREE = """
DROP TRIGGER alert_is_never_truncated ON metering_alert;
DROP TRIGGER alert_is_immutable ON metering_alert;
DROP FUNCTION metering_keep_alert();
"""

# Rows that every batch updates keep room beside them, so that an update stays on its page and touches no index.
LEAVE_ROOM = """
ALTER TABLE metering_hourlyrollup SET (fillfactor = 70);
ALTER TABLE metering_limit SET (fillfactor = 70);
"""

FILL_UP = """
ALTER TABLE metering_hourlyrollup RESET (fillfactor);
ALTER TABLE metering_limit RESET (fillfactor);
"""

WIDE = {"max_digits": 50, "decimal_places": 12}


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_initial")]

    operations = [
        migrations.AlterField("hourlyrollup", "total", models.DecimalField(**WIDE)),
        migrations.AlterField("limit", "used", models.DecimalField(default=0, **WIDE)),
        migrations.AlterField("alert", "used", models.DecimalField(help_text="When the level was seen.", **WIDE)),
        migrations.RunSQL(EVENT_IS_APPEND_ONLY, EVENT_IS_FREE),
        migrations.RunSQL(METER_IS_FROZEN_ONCE_USED, METER_IS_FREE),
        migrations.RunSQL(ALERT_IS_IMMUTABLE, ALERT_IS_FREE),
        migrations.RunSQL(LEAVE_ROOM, FILL_UP),
    ]
