"""What becomes of an issued invoice: moves, payments, credit notes."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

# Each locks its invoice before it adds up: of two at once the second sees what the first wrote.
PAYMENTS = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Row % of % is written and cannot change.', OLD.id, TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only';
END $$;

CREATE FUNCTION billing_check_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice record;
    others numeric;
BEGIN
    SELECT * INTO invoice FROM billing_invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
    IF invoice.state NOT IN ('issued', 'uncollectible') THEN
        RAISE EXCEPTION 'Invoice % is %; nothing is paid for it.', invoice.number, invoice.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_for_what_is_due';
    END IF;
    SELECT coalesce(sum(amount_minor), 0) INTO others FROM billing_payment WHERE invoice_id = NEW.invoice_id;
    IF others + NEW.amount_minor > invoice.due_minor THEN
        RAISE EXCEPTION 'Of invoice % % is due, and % paid; it is not paid % more.',
            invoice.number, invoice.due_minor, others, NEW.amount_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_within_what_is_due';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payment_checked BEFORE INSERT ON billing_payment
    FOR EACH ROW EXECUTE FUNCTION billing_check_payment();
CREATE TRIGGER payment_kept BEFORE UPDATE OR DELETE ON billing_payment
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_move_kept BEFORE UPDATE OR DELETE ON billing_invoicemove
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""

PAYMENTS_AWAY = """
DROP TRIGGER invoice_move_kept ON billing_invoicemove;
DROP TRIGGER payment_kept ON billing_payment;
DROP TRIGGER payment_checked ON billing_payment;
DROP FUNCTION billing_check_payment, billing_refuse_change;
"""

NOTES = """
CREATE FUNCTION billing_check_credit_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice record;
    others numeric;
BEGIN
    SELECT * INTO invoice FROM billing_invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
    IF invoice.state NOT IN ('issued', 'paid', 'uncollectible') THEN
        RAISE EXCEPTION 'Invoice % is %; nothing is credited of it.', invoice.number, invoice.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_note_is_of_an_issued_invoice';
    END IF;
    SELECT coalesce(sum(total_minor), 0) INTO others FROM billing_creditnote WHERE invoice_id = NEW.invoice_id;
    IF others + NEW.total_minor > invoice.total_minor THEN
        RAISE EXCEPTION 'Invoice % asks %; % of it is credited, and % more would be too much.',
            invoice.number, invoice.total_minor, others, NEW.total_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_notes_within_the_invoice';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_check_credit_note_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line record;
    others numeric;
BEGIN
    SELECT l.*, l.invoice_id = n.invoice_id AS is_its_own INTO line
      FROM billing_invoiceline l, billing_creditnote n WHERE l.id = NEW.invoice_line_id AND n.id = NEW.note_id;
    SELECT coalesce(sum(total_minor), 0) INTO others
      FROM billing_creditnoteline WHERE invoice_line_id = NEW.invoice_line_id;
    IF NOT line.is_its_own OR others + NEW.total_minor > line.total_minor THEN
        RAISE EXCEPTION 'Line % asks %; % of it is credited, and % more cannot be.',
            line.id, line.total_minor, others, NEW.total_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_note_line_within_its_line';
    END IF;
    RETURN NEW;
END $$;

-- At the end of the transaction: a note comes before its lines.
CREATE FUNCTION billing_check_credit_note_sum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    note record;
    lines record;
BEGIN
    IF TG_TABLE_NAME = 'billing_creditnote' THEN
        note := NEW;
    ELSE
        SELECT * INTO note FROM billing_creditnote WHERE id = NEW.note_id;
    END IF;
    SELECT coalesce(sum(total_minor), 0) AS total, coalesce(sum(tax_minor), 0) AS tax
      INTO lines FROM billing_creditnoteline WHERE note_id = note.id;
    IF lines.total <> note.total_minor OR lines.tax <> note.tax_minor THEN
        RAISE EXCEPTION 'Credit note % says %, its lines add up to %.', note.number, note.total_minor, lines.total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_note_is_the_sum_of_its_lines';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER credit_note_checked BEFORE INSERT ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note();
CREATE TRIGGER credit_note_frozen BEFORE UPDATE OR DELETE ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE CONSTRAINT TRIGGER credit_note_summed AFTER INSERT ON billing_creditnote
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note_sum();
CREATE TRIGGER credit_note_line_checked BEFORE INSERT ON billing_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note_line();
CREATE TRIGGER credit_note_line_frozen BEFORE UPDATE OR DELETE ON billing_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE CONSTRAINT TRIGGER credit_note_line_summed AFTER INSERT ON billing_creditnoteline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note_sum();
"""

NOTES_AWAY = """
DROP TRIGGER credit_note_line_summed ON billing_creditnoteline;
DROP TRIGGER credit_note_line_frozen ON billing_creditnoteline;
DROP TRIGGER credit_note_line_checked ON billing_creditnoteline;
DROP TRIGGER credit_note_summed ON billing_creditnote;
DROP TRIGGER credit_note_frozen ON billing_creditnote;
DROP TRIGGER credit_note_checked ON billing_creditnote;
DROP FUNCTION billing_check_credit_note_sum, billing_check_credit_note_line, billing_check_credit_note;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0008_items_and_taxes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="invoice",
            options={
                "permissions": [
                    ("issue_invoice", "Can issue drafts"),
                    ("void_invoice", "Can make invoices void"),
                    ("settle_invoice", "Can say that invoices are paid or given up"),
                    ("credit_invoice", "Can issue credit notes"),
                ],
                "verbose_name": "invoice",
                "verbose_name_plural": "invoices",
            },
        ),
        migrations.CreateModel(
            name="CreditNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.PositiveIntegerField()),
                ("number", models.CharField(max_length=40, unique=True)),
                (
                    "destination",
                    models.CharField(
                        choices=[("due", "taken off what is due"), ("balance", "credit"), ("refund", "refund")],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
                ("subtotal_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField()),
                ("total_minor", models.BigIntegerField()),
                ("key", models.CharField(max_length=120)),
                ("issued_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credit_notes", to="billing.invoice"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("series", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="billing.invoiceseries")),
            ],
            options={
                "verbose_name": "credit note",
                "verbose_name_plural": "credit notes",
            },
        ),
        migrations.CreateModel(
            name="CreditNoteLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subtotal_minor", models.BigIntegerField()),
                ("taxes", models.JSONField(default=list)),
                ("tax_minor", models.BigIntegerField()),
                ("total_minor", models.BigIntegerField()),
                (
                    "invoice_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credited", to="billing.invoiceline"
                    ),
                ),
                (
                    "note",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.creditnote"
                    ),
                ),
            ],
            options={
                "verbose_name": "credit note line",
                "verbose_name_plural": "credit note lines",
            },
        ),
        migrations.CreateModel(
            name="InvoiceMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(max_length=14)),
                ("at", models.DateTimeField()),
                ("reason", models.CharField(blank=True, max_length=200)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="moves", to="billing.invoice"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "invoice move",
                "verbose_name_plural": "invoice moves",
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount_minor", models.BigIntegerField()),
                ("method", models.CharField(max_length=40)),
                ("reference", models.CharField(blank=True, max_length=120)),
                ("key", models.CharField(max_length=120)),
                ("paid_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="billing.invoice"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
            },
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(
                fields=("series", "sequence"), name="credit_note_sequence_once_per_series"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(fields=("invoice", "key"), name="credit_note_written_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("subtotal_minor"), "+", models.F("tax_minor")
                        ),
                    )
                ),
                name="credit_note_total_is_net_and_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_minor__gt", 0)), name="credit_note_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.UniqueConstraint(fields=("note", "invoice_line"), name="credit_note_line_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("subtotal_minor"), "+", models.F("tax_minor")
                        ),
                    )
                ),
                name="credit_note_line_total_is_net_and_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_minor__gt", 0)), name="credit_note_line_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicemove",
            constraint=models.UniqueConstraint(fields=("invoice", "state"), name="invoice_move_once"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(fields=("invoice", "key"), name="payment_counts_once"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="payment_is_positive"),
        ),
        migrations.RunSQL(PAYMENTS, PAYMENTS_AWAY),
        migrations.RunSQL(NOTES, NOTES_AWAY),
    ]
