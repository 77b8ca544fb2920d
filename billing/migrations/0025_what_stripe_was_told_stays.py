"""What Stripe told, where the two differed and what its meters were told stays as it was, whoever writes."""

from django.db import migrations

KEEP = """
CREATE FUNCTION billing_check_stripe_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - ARRAY['state', 'reason', 'handled_at', 'replays']
        <> to_jsonb(OLD) - ARRAY['state', 'reason', 'handled_at', 'replays']
    THEN
        RAISE EXCEPTION 'Event % stays as it came; only what became of it changes.', OLD.stripe_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_event_stays_as_it_came';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_event_stays_as_it_came BEFORE UPDATE OR DELETE ON billing_stripeevent
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_event();

CREATE FUNCTION billing_check_stripe_drift() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'open' THEN
        RAISE EXCEPTION 'Drift % is closed, or cannot be removed.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_drift_stays_once_closed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_drift_stays_once_closed BEFORE UPDATE OR DELETE ON billing_stripedrift
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_drift();
CREATE TRIGGER stripe_drift_move_is_append_only BEFORE UPDATE OR DELETE ON billing_stripedriftmove
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_check_stripe_meter_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
        (NEW.period_id, NEW.meter_id, NEW.account_id, NEW.starts_at, NEW.ends_at, NEW.revision, NEW.part, NEW.value,
            NEW.timestamp, NEW.identifier, NEW.event_name, NEW.customer_id, NEW.formula, NEW.replaces_id, NEW.created_at)
        IS DISTINCT FROM
        (OLD.period_id, OLD.meter_id, OLD.account_id, OLD.starts_at, OLD.ends_at, OLD.revision, OLD.part, OLD.value,
            OLD.timestamp, OLD.identifier, OLD.event_name, OLD.customer_id, OLD.formula, OLD.replaces_id, OLD.created_at)
    THEN
        RAISE EXCEPTION 'Meter event % stays as it was queued; only what became of it changes.', OLD.identifier
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_meter_event_stays_as_it_was';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_meter_event_stays_as_it_was BEFORE UPDATE OR DELETE ON billing_stripemeterevent
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_meter_event();
"""
FREE = """
DROP TRIGGER stripe_meter_event_stays_as_it_was ON billing_stripemeterevent;
DROP FUNCTION billing_check_stripe_meter_event;
DROP TRIGGER stripe_drift_move_is_append_only ON billing_stripedriftmove;
DROP TRIGGER stripe_drift_stays_once_closed ON billing_stripedrift;
DROP TRIGGER stripe_event_stays_as_it_came ON billing_stripeevent;
DROP FUNCTION billing_check_stripe_drift, billing_check_stripe_event;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0024_charging_through_stripe")]

    operations = [migrations.RunSQL(KEEP, FREE)]
