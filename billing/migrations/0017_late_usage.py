"""Late usage: each change after an invoice, what settled it, and what a plan version says about it."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

APPEND_ONLY = """
CREATE TRIGGER late_batch_is_append_only BEFORE UPDATE OR DELETE ON billing_latebatch
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER late_settlement_is_append_only BEFORE UPDATE OR DELETE ON billing_latesettlement
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_check_late_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.batch_id IS NOT NULL OR NEW.batch_id IS NULL
        OR to_jsonb(NEW) - 'batch_id' <> to_jsonb(OLD) - 'batch_id'
        OR NOT EXISTS (SELECT FROM billing_latebatch WHERE id = NEW.batch_id AND invoice_id = NEW.invoice_id)
    THEN
        RAISE EXCEPTION 'Late change % is settled once, with its invoice, and nothing else of it changes.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'late_change_is_settled_once';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER late_change_is_settled_once BEFORE UPDATE OR DELETE ON billing_latechange
    FOR EACH ROW EXECUTE FUNCTION billing_check_late_change();
"""
FREE = """
DROP TRIGGER late_batch_is_append_only ON billing_latebatch;
DROP TRIGGER late_settlement_is_append_only ON billing_latesettlement;
DROP TRIGGER late_change_is_settled_once ON billing_latechange;
DROP FUNCTION billing_check_late_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_digests_of_lines"),
        ("metering", "0012_adjustments_by_zero"),
    ]

    operations = [
        migrations.CreateModel(
            name="LateBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("made_at", models.DateTimeField(verbose_name="settled at")),
            ],
            options={
                "verbose_name": "settling of late usage",
                "verbose_name_plural": "settlings of late usage",
            },
        ),
        migrations.CreateModel(
            name="LateChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("adjustment_id", models.BigIntegerField(unique=True, verbose_name="adjustment")),
                ("period_start", models.DateTimeField(verbose_name="period start")),
                ("period_end", models.DateTimeField(verbose_name="period end")),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("late", "usage that arrived late"),
                            ("correction", "a correction"),
                            ("backfill", "a meter that counted its past"),
                        ],
                        max_length=12,
                        verbose_name="cause",
                    ),
                ),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=50, verbose_name="changed by")),
                ("counted_at", models.DateTimeField(verbose_name="counted at")),
                ("found_at", models.DateTimeField(verbose_name="found at")),
            ],
            options={
                "verbose_name": "late change",
                "verbose_name_plural": "late usage and corrections",
            },
        ),
        migrations.CreateModel(
            name="LateSettlement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("description", models.CharField(max_length=200)),
                ("quantity_before", models.DecimalField(decimal_places=12, max_digits=38)),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=38)),
                ("event_count", models.BigIntegerField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("billed_minor", models.BigIntegerField()),
                ("rerated_minor", models.BigIntegerField()),
                ("difference_minor", models.BigIntegerField()),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("bill", "billed"),
                            ("credit", "credited"),
                            ("waive", "waived"),
                            ("nothing", "the price stays the same"),
                            ("take_back", "taken back, as the invoice is void"),
                        ],
                        max_length=10,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("noted_minor", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "settlement of late usage",
                "verbose_name_plural": "settlements of late usage",
            },
        ),
        migrations.AddField(
            model_name="planversion",
            name="late_usage",
            field=models.CharField(
                choices=[
                    ("settings", "as this installation says"),
                    ("settle", "billed and credited"),
                    ("credit", "only credited"),
                    ("waive", "neither"),
                ],
                default="settings",
                help_text="What is done about usage that is counted, or taken back, after its invoice was issued.",
                max_length=10,
                verbose_name="late usage",
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="late_waive_under_minor",
            field=models.BigIntegerField(
                default=0,
                help_text="A smaller charge for late usage is let go, in the smallest unit. Credits never are.",
                verbose_name="late usage is waived under",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("late_usage__in", ["settings", "settle", "credit", "waive"]),
                    ("late_waive_under_minor__gte", 0),
                    models.Q(
                        models.Q(("late_usage", "settings"), _negated=True),
                        ("late_waive_under_minor", 0),
                        _connector="OR",
                    ),
                ),
                name="plan_version_late_usage_is_known",
                violation_error_message="An amount under which late usage is waived needs a rule of this version.",
            ),
        ),
        migrations.AddField(
            model_name="latebatch",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="late_batches", to="billing.invoice"
            ),
        ),
        migrations.AddField(
            model_name="latechange",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="latechange",
            name="batch",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="changes",
                to="billing.latebatch",
                verbose_name="settled by",
            ),
        ),
        migrations.AddField(
            model_name="latechange",
            name="invoice",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="late_changes",
                to="billing.invoice",
                verbose_name="invoice",
            ),
        ),
        migrations.AddField(
            model_name="latechange",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.meter", verbose_name="meter"
            ),
        ),
        migrations.AddField(
            model_name="latesettlement",
            name="batch",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="settlements", to="billing.latebatch"
            ),
        ),
        migrations.AddField(
            model_name="latesettlement",
            name="invoice_line",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="settlements",
                to="billing.invoiceline",
            ),
        ),
        migrations.AddField(
            model_name="latesettlement",
            name="item",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="late_settlement",
                to="billing.invoiceitem",
            ),
        ),
        migrations.AddConstraint(
            model_name="latebatch",
            constraint=models.UniqueConstraint(fields=("invoice", "number"), name="late_batch_numbered_once"),
        ),
        migrations.AddIndex(
            model_name="latechange",
            index=models.Index(
                condition=models.Q(("batch__isnull", True), ("invoice__isnull", False)),
                fields=["invoice"],
                name="late_change_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="latechange",
            index=models.Index(fields=["account", "-counted_at"], name="late_change_by_account"),
        ),
        migrations.AddConstraint(
            model_name="latechange",
            constraint=models.CheckConstraint(
                condition=models.Q(("batch__isnull", True), ("invoice__isnull", False), _connector="OR"),
                name="late_change_is_settled_with_its_invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="latesettlement",
            constraint=models.UniqueConstraint(
                fields=("batch", "invoice_line"), name="late_settlement_once_per_line", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="latesettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "difference_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("rerated_minor"), "-", models.F("billed_minor")
                        ),
                    )
                ),
                name="late_settlement_is_the_difference",
            ),
        ),
        migrations.AddConstraint(
            model_name="latesettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("action", "bill"), ("amount_minor", models.F("difference_minor")), ("difference_minor__gt", 0)
                    ),
                    models.Q(
                        ("action", "credit"),
                        ("amount_minor", models.F("difference_minor")),
                        ("difference_minor__lt", 0),
                    ),
                    models.Q(("action", "take_back"), ("amount_minor", models.F("difference_minor"))),
                    models.Q(
                        ("action", "waive"), ("amount_minor", 0), models.Q(("difference_minor", 0), _negated=True)
                    ),
                    models.Q(("action", "nothing"), ("amount_minor", 0), ("difference_minor", 0)),
                    _connector="OR",
                ),
                name="late_settlement_acts_as_it_says",
            ),
        ),
        migrations.AddConstraint(
            model_name="latesettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("noted_minor__gte", 0), models.Q(("noted_minor", 0), ("amount_minor__lt", 0), _connector="OR")
                ),
                name="late_settlement_sets_notes_off_against_credit",
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, FREE),
    ]
