"""Versions say how long their periods are and where they begin; profiles say which taxes their invoices bear."""

from django.db import migrations, models

import billing.validators

IS_COUNTRY = models.Q(("country", ""), ("country__regex", "^[A-Z]{2}$"), _connector="OR")

ANCHORS = "UPDATE billing_subscription SET anchor = started_at"

TAX_RATES = """
CREATE FUNCTION billing_check_tax_rate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'name' <> to_jsonb(OLD) - 'name' THEN
        RAISE EXCEPTION 'Tax rate % cannot change; make a new one.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tax_rate_frozen';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER tax_rate_frozen BEFORE UPDATE ON billing_taxrate
    FOR EACH ROW EXECUTE FUNCTION billing_check_tax_rate();
"""

TAX_RATES_AWAY = """
DROP TRIGGER tax_rate_frozen ON billing_taxrate;
DROP FUNCTION billing_check_tax_rate;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_prices_of_every_shape")]

    operations = [
        migrations.AddField(
            model_name="planversion",
            name="interval",
            field=models.CharField(
                choices=[
                    ("day", "day"),
                    ("week", "week"),
                    ("month", "month"),
                    ("quarter", "quarter"),
                    ("half_year", "half-year"),
                    ("year", "year"),
                ],
                default="month",
                help_text="How long a period is.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="anchoring",
            field=models.CharField(
                choices=[("calendar", "with the calendar"), ("anniversary", "from the subscription's anchor")],
                default="calendar",
                help_text="Where periods begin.",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="proration",
            field=models.CharField(
                choices=[("second", "by second"), ("day", "by day")],
                default="second",
                help_text="How a fee is cut when a subscription changes within a period.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="trial_days",
            field=models.PositiveSmallIntegerField(default=0, help_text="Free days at the start; 0 for none."),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("interval__in", ["day", "week", "month", "quarter", "half_year", "year"])),
                name="plan_version_interval_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("anchoring__in", ["calendar", "anniversary"])),
                name="plan_version_anchoring_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("proration__in", ["second", "day"])), name="plan_version_proration_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("trial_days__gte", 0), ("trial_days__lte", 730)),
                name="plan_version_trial_is_not_too_long",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="anchor",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(ANCHORS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="subscription",
            name="anchor",
            field=models.DateTimeField(
                help_text="Periods that do not go with the calendar begin as this moment recurs."
            ),
        ),
        migrations.CreateModel(
            name="TaxRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="As documents show it, such as VAT.", max_length=60)),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="ISO 3166, such as FR.",
                        max_length=2,
                        validators=[billing.validators.validate_country],
                    ),
                ),
                ("percent", models.DecimalField(decimal_places=4, max_digits=7)),
                (
                    "is_inclusive",
                    models.BooleanField(
                        default=False,
                        help_text="Prices hold this tax already; it is taken out of them.",
                        verbose_name="inclusive",
                    ),
                ),
            ],
            options={
                "verbose_name": "tax rate",
                "verbose_name_plural": "tax rates",
                "ordering": ["country", "name", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.UniqueConstraint(
                fields=("country", "name", "percent", "is_inclusive"), name="tax_rate_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.CheckConstraint(
                condition=models.Q(("percent__gte", 0), ("percent__lte", 100)), name="tax_rate_is_a_percentage"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.CheckConstraint(condition=IS_COUNTRY, name="tax_rate_country_is_a_code"),
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="tax_rate_has_a_name"
            ),
        ),
        migrations.AddField(
            model_name="billingprofile",
            name="country",
            field=models.CharField(
                blank=True,
                help_text="ISO 3166, such as FR.",
                max_length=2,
                validators=[billing.validators.validate_country],
            ),
        ),
        migrations.AddField(
            model_name="billingprofile",
            name="tax_number",
            field=models.CharField(
                blank=True,
                help_text="What the tax office knows the customer by, such as a VAT number.",
                max_length=40,
            ),
        ),
        migrations.AddField(
            model_name="billingprofile",
            name="tax_rates",
            field=models.ManyToManyField(
                blank=True,
                help_text="Asked on every line of the invoices to come; none for a customer who is exempt.",
                related_name="profiles",
                to="billing.taxrate",
                verbose_name="tax rates",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingprofile",
            constraint=models.CheckConstraint(condition=IS_COUNTRY, name="billing_profile_country_is_a_code"),
        ),
        migrations.RunSQL(TAX_RATES, TAX_RATES_AWAY),
    ]
