"""An invoice of which nothing is due is paid when it is issued, and may be made void as long as nothing moved for it."""

from django.db import migrations

INVOICES = """
CREATE OR REPLACE FUNCTION billing_check_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lines record;
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
        ('draft', 'issued'), ('draft', 'paid'), ('issued', 'paid'), ('issued', 'uncollectible'), ('issued', 'void'),
        ('uncollectible', 'paid'), ('uncollectible', 'void'), ('paid', 'void'))
    THEN
        RAISE EXCEPTION 'Invoice % cannot move from % to %.', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_moves_as_allowed';
    END IF;
    -- What was paid by money, or given back, is corrected by a credit note.
    IF OLD.state = 'paid' AND NEW.state = 'void' AND (
        OLD.due_minor <> 0 OR OLD.credited_minor < 0
        OR EXISTS (SELECT FROM billing_payment WHERE invoice_id = OLD.id)
        OR EXISTS (SELECT FROM billing_creditnote WHERE invoice_id = OLD.id))
    THEN
        RAISE EXCEPTION 'Invoice % cannot move from paid to void: money or credit moved for it.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_void_only_if_nothing_moved';
    END IF;
    IF OLD.state = 'draft' AND NEW.state <> 'draft' THEN
        SELECT coalesce(sum(total_minor), 0) AS total, coalesce(sum(tax_minor), 0) AS tax,
               coalesce(sum(discount_minor), 0) AS discount
          INTO lines FROM billing_invoiceline WHERE invoice_id = NEW.id;
        IF lines.total <> NEW.total_minor THEN
            RAISE EXCEPTION 'Invoice % says % but its lines add up to %.', NEW.number, NEW.total_minor, lines.total
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_total_is_the_sum_of_its_lines';
        END IF;
        IF lines.tax <> NEW.tax_minor OR lines.discount <> NEW.discount_minor THEN
            RAISE EXCEPTION 'Invoice % says tax % and discount % but its lines add up to % and %.',
                NEW.number, NEW.tax_minor, NEW.discount_minor, lines.tax, lines.discount
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_tax_is_the_sum_of_its_lines';
        END IF;
        IF (NEW.state = 'paid') <> (NEW.due_minor = 0) THEN
            RAISE EXCEPTION 'Of invoice % % is due; it cannot move from draft to %.', NEW.id, NEW.due_minor, NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_paid_at_once_if_nothing_is_due';
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

INVOICES_BEFORE = """
CREATE OR REPLACE FUNCTION billing_check_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lines record;
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
        SELECT coalesce(sum(total_minor), 0) AS total, coalesce(sum(tax_minor), 0) AS tax,
               coalesce(sum(discount_minor), 0) AS discount
          INTO lines FROM billing_invoiceline WHERE invoice_id = NEW.id;
        IF lines.total <> NEW.total_minor THEN
            RAISE EXCEPTION 'Invoice % says % but its lines add up to %.', NEW.number, NEW.total_minor, lines.total
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_total_is_the_sum_of_its_lines';
        END IF;
        IF lines.tax <> NEW.tax_minor OR lines.discount <> NEW.discount_minor THEN
            RAISE EXCEPTION 'Invoice % says tax % and discount % but its lines add up to % and %.',
                NEW.number, NEW.tax_minor, NEW.discount_minor, lines.tax, lines.discount
                USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_tax_is_the_sum_of_its_lines';
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

# What was issued so before; a void one stays so, and one that was given up as well.
PAID = """
INSERT INTO billing_invoicemove (invoice_id, state, at, reason)
SELECT id, 'paid', now(), 'Nothing is due.' FROM billing_invoice WHERE state = 'issued' AND due_minor = 0;
UPDATE billing_invoice SET state = 'paid' WHERE state = 'issued' AND due_minor = 0;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_names_of_fields")]

    operations = [
        migrations.RunSQL(INVOICES, INVOICES_BEFORE),
        migrations.RunSQL(PAID, migrations.RunSQL.noop),
    ]
