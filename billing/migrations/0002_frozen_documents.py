"""What was published or issued cannot change, whoever writes to the tables."""

from django.db import migrations

PLAN_VERSIONS = """
CREATE FUNCTION billing_check_plan_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    price record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.published_at IS NOT NULL THEN
            RAISE EXCEPTION 'A plan version begins as a draft and is published later.'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_begins_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'Plan version % is published and cannot change; make a new version.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_frozen_once_published';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.published_at IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM billing_price WHERE version_id = NEW.id) THEN
            RAISE EXCEPTION 'Plan version % has no price.', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_has_a_price';
        END IF;
        FOR price IN
            SELECT p.id, p.model = 'graduated' AS is_graduated, count(t.id) AS tiers,
                   count(*) FILTER (WHERE t.id IS NOT NULL AND t.up_to IS NULL) AS open_tiers,
                   bool_or(t.up_to IS NULL AND t.is_last) AS ends_open,
                   bool_or(t.up_to <= t.floor) AS falls
              FROM billing_price p
              LEFT JOIN (SELECT id, price_id, up_to,
                                lag(up_to) OVER steps AS floor,
                                lead(id) OVER steps IS NULL AS is_last
                           FROM billing_tier
                         WINDOW steps AS (PARTITION BY price_id ORDER BY position)) t ON t.price_id = p.id
             WHERE p.version_id = NEW.id
             GROUP BY p.id
        LOOP
            IF price.is_graduated <> (price.tiers > 0) OR (price.is_graduated AND (
                price.open_tiers <> 1 OR NOT price.ends_open OR coalesce(price.falls, false)))
            THEN
                RAISE EXCEPTION 'The tiers of price % must ascend and end with an open one.', price.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_tiers_ascend_to_an_open_end';
            END IF;
        END LOOP;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER plan_version_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_planversion
    FOR EACH ROW EXECUTE FUNCTION billing_check_plan_version();

-- FOR SHARE waits for a publication under way and makes it wait for us: no price can slip in beside it.
CREATE FUNCTION billing_refuse_if_published(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    published timestamptz;
BEGIN
    SELECT published_at INTO published FROM billing_planversion WHERE id = wanted FOR SHARE;
    IF published IS NOT NULL THEN
        RAISE EXCEPTION 'Plan version % is published and cannot change; make a new version.', wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_frozen_once_published';
    END IF;
END $$;

CREATE FUNCTION billing_check_version_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM billing_refuse_if_published(OLD.version_id); END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM billing_refuse_if_published(NEW.version_id);
    RETURN NEW;
END $$;

CREATE TRIGGER price_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION billing_check_version_part();
CREATE TRIGGER plan_limit_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_planlimit
    FOR EACH ROW EXECUTE FUNCTION billing_check_version_part();

CREATE FUNCTION billing_check_tier() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM billing_refuse_if_published((SELECT version_id FROM billing_price WHERE id = OLD.price_id));
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM billing_refuse_if_published((SELECT version_id FROM billing_price WHERE id = NEW.price_id));
    RETURN NEW;
END $$;

CREATE TRIGGER tier_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_tier
    FOR EACH ROW EXECUTE FUNCTION billing_check_tier();
"""

PLAN_VERSIONS_AWAY = """
DROP TRIGGER tier_frozen ON billing_tier;
DROP TRIGGER plan_limit_frozen ON billing_planlimit;
DROP TRIGGER price_frozen ON billing_price;
DROP TRIGGER plan_version_frozen ON billing_planversion;
DROP FUNCTION billing_check_tier, billing_check_version_part, billing_check_plan_version;
DROP FUNCTION billing_refuse_if_published;
"""

PERIODS = """
CREATE FUNCTION billing_check_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'Period % is closed; it cannot be reopened, moved or removed.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'period_frozen_once_closed';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER period_frozen BEFORE UPDATE OR DELETE ON billing_period
    FOR EACH ROW EXECUTE FUNCTION billing_check_period();
"""

PERIODS_AWAY = """
DROP TRIGGER period_frozen ON billing_period;
DROP FUNCTION billing_check_period;
"""

INVOICES = """
CREATE FUNCTION billing_check_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lines_total numeric;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'An invoice begins as a draft.'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_begins_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'draft' AND (TG_OP = 'DELETE' OR to_jsonb(NEW) - 'state' <> to_jsonb(OLD) - 'state') THEN
        RAISE EXCEPTION 'Invoice % is issued and cannot change; correct it by another document.', OLD.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_frozen_once_issued';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'issued'), ('issued', 'paid'), ('issued', 'uncollectible'), ('issued', 'void'),
        ('uncollectible', 'paid'), ('uncollectible', 'void'))
    THEN
        RAISE EXCEPTION 'Invoice % cannot move from % to %.', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_moves_as_allowed';
    END IF;
    IF OLD.state = 'draft' AND NEW.state <> 'draft' THEN
        SELECT coalesce(sum(amount_minor), 0) INTO lines_total FROM billing_invoiceline WHERE invoice_id = NEW.id;
        IF lines_total <> NEW.total_minor THEN
            RAISE EXCEPTION 'Invoice % says % but its lines add up to %.', NEW.number, NEW.total_minor, lines_total
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_total_is_the_sum_of_its_lines';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_check_invoice();

-- FOR SHARE waits for an issue under way and makes it wait for us: no line can slip in beside its sum.
CREATE FUNCTION billing_refuse_if_issued(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found_state text;
BEGIN
    SELECT state INTO found_state FROM billing_invoice WHERE id = wanted FOR SHARE;
    IF found_state <> 'draft' THEN
        RAISE EXCEPTION 'Invoice % is issued; its lines cannot change.', wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_lines_frozen_once_issued';
    END IF;
END $$;

CREATE FUNCTION billing_check_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM billing_refuse_if_issued(OLD.invoice_id); END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM billing_refuse_if_issued(NEW.invoice_id);
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_line_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION billing_check_invoice_line();

CREATE FUNCTION billing_check_series() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.prefix <> OLD.prefix OR NEW.last_number NOT IN (OLD.last_number, OLD.last_number + 1)
    THEN
        RAISE EXCEPTION 'Invoice series % only counts on, one by one.', OLD.prefix
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_series_counts_one_by_one';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_series_counts BEFORE UPDATE OR DELETE ON billing_invoiceseries
    FOR EACH ROW EXECUTE FUNCTION billing_check_series();
"""

INVOICES_AWAY = """
DROP TRIGGER invoice_series_counts ON billing_invoiceseries;
DROP TRIGGER invoice_line_frozen ON billing_invoiceline;
DROP TRIGGER invoice_frozen ON billing_invoice;
DROP FUNCTION billing_check_series, billing_check_invoice_line, billing_check_invoice;
DROP FUNCTION billing_refuse_if_issued;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(PLAN_VERSIONS, PLAN_VERSIONS_AWAY),
        migrations.RunSQL(PERIODS, PERIODS_AWAY),
        migrations.RunSQL(INVOICES, INVOICES_AWAY),
    ]
