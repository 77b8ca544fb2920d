"""What is billed outside of prices, and what of an invoice is tax, discount, credit and due."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import billing.validators

# What was billed before there were taxes and credit was all subtotal, and all due.
AMOUNTS = """
ALTER TABLE billing_invoice DISABLE TRIGGER invoice_frozen;
ALTER TABLE billing_invoiceline DISABLE TRIGGER invoice_line_frozen;
UPDATE billing_invoice SET subtotal_minor = total_minor, due_minor = total_minor;
UPDATE billing_invoiceline SET subtotal_minor = amount_minor, total_minor = amount_minor;
ALTER TABLE billing_invoiceline ENABLE TRIGGER invoice_line_frozen;
ALTER TABLE billing_invoice ENABLE TRIGGER invoice_frozen;
"""

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

INVOICES_BEFORE = """
CREATE OR REPLACE FUNCTION billing_check_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

# An item may go from no line to one of a draft that says the same, and back to none when that draft came to nothing.
ITEMS = """
CREATE FUNCTION billing_check_invoice_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'invoice_line_id' <> to_jsonb(OLD) - 'invoice_line_id' THEN
        RAISE EXCEPTION 'Invoice item % cannot change; write another that corrects it.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_frozen';
    END IF;
    IF OLD.invoice_line_id IS NOT NULL AND NEW.invoice_line_id IS DISTINCT FROM OLD.invoice_line_id AND (
        NEW.invoice_line_id IS NOT NULL OR NOT EXISTS (
            SELECT FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
             WHERE l.id = OLD.invoice_line_id AND i.state IN ('draft', 'void')))
    THEN
        RAISE EXCEPTION 'Invoice item % is billed.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_billed_once';
    END IF;
    IF NEW.invoice_line_id IS NOT NULL AND NEW.invoice_line_id IS DISTINCT FROM OLD.invoice_line_id AND NOT EXISTS (
        SELECT FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
         WHERE l.id = NEW.invoice_line_id AND i.state = 'draft' AND i.account_id = NEW.account_id
           AND i.currency = NEW.currency AND l.kind = NEW.kind AND l.amount_minor = NEW.amount_minor)
    THEN
        RAISE EXCEPTION 'Invoice item % is not what the line bills.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_item_is_billed_as_it_is';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_item_frozen BEFORE UPDATE OR DELETE ON billing_invoiceitem
    FOR EACH ROW EXECUTE FUNCTION billing_check_invoice_item();
"""

ITEMS_AWAY = """
DROP TRIGGER invoice_item_frozen ON billing_invoiceitem;
DROP FUNCTION billing_check_invoice_item;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_subscription_moves"),
        ("metering", "0011_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="InvoiceItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "currency",
                    models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("proration", "proration"),
                            ("one_off", "one-off charge"),
                            ("late", "late usage"),
                            ("true_up", "commitment"),
                            ("add_on", "add-on"),
                            ("fee", "fee"),
                        ],
                        max_length=12,
                    ),
                ),
                ("description", models.CharField(max_length=200)),
                ("quantity", models.DecimalField(decimal_places=12, default=1, max_digits=38)),
                ("unit_amount", models.DecimalField(decimal_places=12, max_digits=24)),
                ("amount_exact", models.DecimalField(decimal_places=24, max_digits=38)),
                ("amount_minor", models.BigIntegerField()),
                ("period_start", models.DateTimeField(blank=True, null=True)),
                ("period_end", models.DateTimeField(blank=True, null=True)),
                ("key", models.CharField(help_text="What it is for, once.", max_length=120)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "invoice item",
                "verbose_name_plural": "invoice items",
            },
        ),
        migrations.RemoveConstraint(
            model_name="invoice",
            name="invoice_one_per_period",
        ),
        migrations.AddField(
            model_name="invoice",
            name="credited_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoice",
            name="discount_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoice",
            name="due_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[("period", "of a period"), ("one_off", "one-off"), ("threshold", "ahead of the period's end")],
                default="period",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="subtotal_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoice",
            name="tax_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="discount_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("price", "price"),
                    ("proration", "proration"),
                    ("one_off", "one-off charge"),
                    ("late", "late usage"),
                    ("true_up", "commitment"),
                    ("add_on", "add-on"),
                    ("fee", "fee"),
                ],
                default="price",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="period_end",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="period_start",
            field=models.DateTimeField(help_text="What it is for, where that is not the invoice's.", null=True),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="subtotal_minor",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="tax_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="taxes",
            field=models.JSONField(default=list, help_text="Name, percentage and amount of each tax."),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="total_minor",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="invoice",
            name="period",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="billing.period",
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="plan_name",
            field=models.CharField(blank=True, max_length=140),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="subscription",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="billing.subscription",
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="total_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunSQL(AMOUNTS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=models.Q(("state", "draft")), fields=["subscription"], name="invoice_drafts"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(models.Q(("state", "void"), _negated=True), ("kind", "period")),
                fields=("period",),
                name="invoice_one_per_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "one_off"), ("period__isnull", True)),
                    models.Q(
                        ("kind__in", ["period", "threshold"]),
                        ("period__isnull", False),
                        ("subscription__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="invoice_has_the_period_of_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("subtotal_minor"), "+", models.F("tax_minor")
                        ),
                    )
                ),
                name="invoice_total_is_net_and_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "due_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("total_minor"), "-", models.F("credited_minor")
                        ),
                    )
                ),
                name="invoice_due_is_total_less_credit",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("credited_minor", 0),
                    models.Q(("credited_minor__gt", 0), ("credited_minor__lte", models.F("total_minor"))),
                    models.Q(("credited_minor", models.F("total_minor")), ("credited_minor__lt", 0)),
                    _connector="OR",
                ),
                name="invoice_credit_is_within_the_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("subtotal_minor"), "+", models.F("tax_minor")
                        ),
                    )
                ),
                name="invoice_line_total_is_net_and_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("discount_minor", 0),
                    models.Q(("discount_minor__gt", 0), ("discount_minor__lte", models.F("amount_minor"))),
                    _connector="OR",
                ),
                name="invoice_line_discount_is_within_the_amount",
            ),
        ),
        migrations.AddField(
            model_name="invoiceitem",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.account"
            ),
        ),
        migrations.AddField(
            model_name="invoiceitem",
            name="invoice_line",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="item",
                to="billing.invoiceline",
            ),
        ),
        migrations.AddField(
            model_name="invoiceitem",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invoiceitem",
            name="subscription",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="billing.subscription",
            ),
        ),
        migrations.AddIndex(
            model_name="invoiceitem",
            index=models.Index(
                condition=models.Q(("invoice_line", None)), fields=["account", "currency"], name="invoice_item_to_bill"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.UniqueConstraint(fields=("account", "key"), name="invoice_item_written_once"),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("key", ""), _negated=True), models.Q(("description", ""), _negated=True)),
                name="invoice_item_is_named",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["proration", "one_off", "late", "true_up", "add_on", "fee"])),
                name="invoice_item_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount_exact",
                        django.db.models.expressions.CombinedExpression(
                            models.F("quantity"), "*", models.F("unit_amount")
                        ),
                    )
                ),
                name="invoice_item_is_quantity_times_price",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("period_end__isnull", True), ("period_start__isnull", True)),
                    models.Q(
                        ("period_end__isnull", False),
                        ("period_start__isnull", False),
                        ("period_start__lt", models.F("period_end")),
                    ),
                    _connector="OR",
                ),
                name="invoice_item_period_is_positive",
            ),
        ),
        migrations.RunSQL(INVOICES, INVOICES_BEFORE),
        migrations.RunSQL(ITEMS, ITEMS_AWAY),
    ]
