"""Thresholds at which usage is billed ahead, and what was billed so."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.models.plans

ASCENDING = """
CREATE FUNCTION billing_is_ascending(bigint[]) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
    SELECT coalesce(bool_and(coalesce(value > coalesce(before, 0), false)), true)
      FROM (SELECT value, lag(value) OVER (ORDER BY place) AS before
              FROM unnest($1) WITH ORDINALITY AS given (value, place)) AS listed
$$;
"""
APPEND_ONLY = """
CREATE TRIGGER threshold_passed_is_append_only BEFORE UPDATE OR DELETE ON billing_thresholdpassed
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0019_top_up_invoices"),
        ("metering", "0014_names_since_when"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(ASCENDING, "DROP FUNCTION billing_is_ascending(bigint[])"),
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("highest", models.DecimalField(decimal_places=24, max_digits=38)),
            ],
            options={
                "verbose_name": "progress towards thresholds",
                "verbose_name_plural": "progress towards thresholds",
            },
        ),
        migrations.CreateModel(
            name="ThresholdPassed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("threshold_minor", models.BigIntegerField()),
                (
                    "worth",
                    models.DecimalField(
                        decimal_places=24, help_text="Of the usage of the subscription's life by then.", max_digits=38
                    ),
                ),
                ("usages", models.JSONField(default=dict)),
                ("passed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "passed threshold",
                "verbose_name_plural": "passed thresholds",
            },
        ),
        migrations.RemoveConstraint(
            model_name="invoiceitem",
            name="invoice_item_kind_is_known",
        ),
        migrations.AddField(
            model_name="planversion",
            name="threshold_step_minor",
            field=models.BigIntegerField(
                blank=True,
                help_text="Above the last threshold another one each time so much was used, in the smallest unit.",
                null=True,
                verbose_name="then every",
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="thresholds_minor",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="Usage is billed ahead when its worth in all the subscription's life passes one of these, in the smallest unit: ascending, with commas between.",
                size=20,
                verbose_name="thresholds",
            ),
        ),
        migrations.AlterField(
            model_name="invoiceitem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("proration", "proration"),
                    ("one_off", "one-off charge"),
                    ("late", "late usage"),
                    ("true_up", "commitment"),
                    ("fee", "fee"),
                    ("top_up", "prepaid credit"),
                    ("prebilled", "billed ahead"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("price", "price"),
                    ("add_on", "add-on"),
                    ("proration", "proration"),
                    ("one_off", "one-off charge"),
                    ("late", "late usage"),
                    ("true_up", "commitment"),
                    ("fee", "fee"),
                    ("top_up", "prepaid credit"),
                    ("prebilled", "billed ahead"),
                ],
                default="price",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["proration", "one_off", "late", "true_up", "fee", "top_up", "prebilled"])
                ),
                name="invoice_item_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(billing.models.plans.IsAscending("thresholds_minor")),
                name="plan_version_thresholds_ascend",
                violation_error_message="Thresholds ascend from above zero.",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("threshold_step_minor__isnull", True), ("threshold_step_minor__gt", 0), _connector="OR"
                ),
                name="plan_version_threshold_step_is_positive",
                violation_error_message="A recurring threshold is above zero.",
            ),
        ),
        migrations.AddField(
            model_name="progress",
            name="subscription",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="progress", to="billing.subscription"
            ),
        ),
        migrations.AddField(
            model_name="thresholdpassed",
            name="invoice",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="threshold_passed",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="thresholdpassed",
            name="period",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.period"),
        ),
        migrations.AddField(
            model_name="thresholdpassed",
            name="subscription",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="thresholds_passed", to="billing.subscription"
            ),
        ),
        migrations.AddIndex(
            model_name="thresholdpassed",
            index=models.Index(fields=["period"], name="threshold_passed_by_period"),
        ),
        migrations.AddConstraint(
            model_name="thresholdpassed",
            constraint=models.UniqueConstraint(
                fields=("subscription", "threshold_minor"), name="threshold_passed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="thresholdpassed",
            constraint=models.CheckConstraint(
                condition=models.Q(("threshold_minor__gt", 0)), name="threshold_passed_is_positive"
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER threshold_passed_is_append_only ON billing_thresholdpassed"),
    ]
