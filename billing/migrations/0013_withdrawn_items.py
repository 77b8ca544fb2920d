"""An item that waits can be withdrawn, once; then no invoice bills it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CHECK = """
CREATE OR REPLACE FUNCTION billing_check_invoice_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR %(kept)s THEN
        RAISE EXCEPTION 'Invoice item %% cannot change; write another that corrects it.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_frozen';
    END IF;
    IF OLD.invoice_line_id IS NOT NULL AND NEW.invoice_line_id IS DISTINCT FROM OLD.invoice_line_id AND (
        NEW.invoice_line_id IS NOT NULL OR NOT EXISTS (
            SELECT FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
             WHERE l.id = OLD.invoice_line_id AND i.state IN ('draft', 'void')))
    THEN
        RAISE EXCEPTION 'Invoice item %% is billed.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_billed_once';
    END IF;
    IF NEW.invoice_line_id IS NOT NULL AND NEW.invoice_line_id IS DISTINCT FROM OLD.invoice_line_id AND NOT EXISTS (
        SELECT FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
         WHERE l.id = NEW.invoice_line_id AND i.state = 'draft' AND i.account_id = NEW.account_id
           AND i.currency = NEW.currency AND l.kind = NEW.kind AND l.amount_minor = NEW.amount_minor)
    THEN
        RAISE EXCEPTION 'Invoice item %% is not what the line bills.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_is_billed_as_it_is';
    END IF;
    RETURN NEW;
END $$;
"""
ALL = "to_jsonb(NEW) - 'invoice_line_id' <> to_jsonb(OLD) - 'invoice_line_id'"
BUT_ONCE = """to_jsonb(NEW) - ARRAY['invoice_line_id', 'withdrawn_at', 'withdrawn_by_id']
            <> to_jsonb(OLD) - ARRAY['invoice_line_id', 'withdrawn_at', 'withdrawn_by_id']
        OR OLD.withdrawn_at IS NOT NULL
            AND (NEW.withdrawn_at, NEW.withdrawn_by_id) IS DISTINCT FROM (OLD.withdrawn_at, OLD.withdrawn_by_id)"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("billing", "0012_seats"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoiceitem",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="withdrawn"),
        ),
        migrations.AddField(
            model_name="invoiceitem",
            name="withdrawn_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("withdrawn_at__isnull", True), ("invoice_line__isnull", True), _connector="OR"),
                name="invoice_item_withdrawn_is_not_billed",
            ),
        ),
        migrations.RunSQL(CHECK % {"kept": BUT_ONCE}, CHECK % {"kept": ALL}),
    ]
