"""Budgets, and whose terms the limits under way are."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.validators

APPEND_ONLY = """
CREATE TRIGGER budget_change_is_append_only BEFORE UPDATE OR DELETE ON billing_budgetchange
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""

TELL_TERMS = """
UPDATE metering_limit SET plan = plan.slug, time_zone = profile.time_zone
FROM billing_period period
JOIN billing_subscription subscription ON subscription.id = period.subscription_id
JOIN billing_planversion version ON version.id = period.version_id
JOIN billing_plan plan ON plan.id = version.plan_id
JOIN billing_billingprofile profile ON profile.account_id = subscription.account_id
WHERE metering_limit.account_id = subscription.account_id AND metering_limit.starts_at = period.starts_at
    AND metering_limit.closed_at IS NULL AND metering_limit.plan = ''
    AND metering_limit.meter_id IN (
        SELECT meter_id FROM billing_price WHERE version_id = version.id
        UNION SELECT meter_id FROM billing_planlimit WHERE version_id = version.id
    )
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0025_what_stripe_was_told_stays"),
        ("metering", "0016_alerts_say_what_became_of_them"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "currency",
                    models.CharField(
                        help_text="ISO 4217, such as EUR.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                        verbose_name="currency",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                (
                    "levels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DecimalField(decimal_places=2, max_digits=7),
                        blank=True,
                        default=list,
                        help_text="In percent, besides those of the rules.",
                        size=None,
                        verbose_name="levels of the customer's own",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="is active")),
                ("epoch", models.PositiveIntegerField(default=1, verbose_name="epoch")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty for all that is spent.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
            ],
            options={
                "verbose_name": "budget",
                "verbose_name_plural": "budgets",
            },
        ),
        migrations.CreateModel(
            name="BudgetChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("epoch", models.PositiveIntegerField(verbose_name="epoch")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                (
                    "levels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DecimalField(decimal_places=2, max_digits=7),
                        default=list,
                        size=None,
                        verbose_name="levels",
                    ),
                ),
                ("is_active", models.BooleanField(verbose_name="is active")),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="billing.budget",
                        verbose_name="budget",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a budget",
                "verbose_name_plural": "changes of budgets",
            },
        ),
        migrations.CreateModel(
            name="MoneyMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("moved_at", models.DateTimeField(verbose_name="moved at")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "move of money",
                "verbose_name_plural": "moves of money",
            },
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                fields=("account", "meter"), name="budget_one_per_account_and_meter", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="budget_is_positive"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="budget_currency_is_a_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetchange",
            constraint=models.UniqueConstraint(fields=("budget", "number"), name="budget_change_numbered_once"),
        ),
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER budget_change_is_append_only ON billing_budgetchange"),
        migrations.RunSQL(TELL_TERMS, migrations.RunSQL.noop),
    ]
