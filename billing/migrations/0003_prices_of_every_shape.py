"""Prices of every shape: their columns, the rows of a price by dimension, and the checks of what is published."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# What must be whole before a version can be published: tiers where the model has them, rows where it is by dimension.
CHECK_VERSION = """
CREATE OR REPLACE FUNCTION billing_check_plan_version() RETURNS trigger LANGUAGE plpgsql AS $$
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
            SELECT p.id, {has_tiers} AS has_tiers, count(t.id) AS tiers,
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
            IF price.has_tiers <> (price.tiers > 0) OR (price.has_tiers AND (
                price.open_tiers <> 1 OR NOT price.ends_open OR coalesce(price.falls, false)))
            THEN
                RAISE EXCEPTION 'The tiers of price % must ascend and end with an open one.', price.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_tiers_ascend_to_an_open_end';
            END IF;
        END LOOP;{rows}
    END IF;
    RETURN NEW;
END $$;
"""

CHECK_ROWS = """
        IF EXISTS (
            SELECT FROM billing_price p LEFT JOIN billing_pricerow r ON r.price_id = p.id
             WHERE p.version_id = NEW.id
             GROUP BY p.id
            HAVING (p.model = 'dimension') <> (count(r.id) > 0)
                OR bool_or(cardinality(r.values) <> cardinality(p.dimensions)))
        THEN
            RAISE EXCEPTION 'Plan version % has a price by dimension without fitting rows, or rows without one.', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_rows_fit_their_dimensions';
        END IF;
        IF EXISTS (
            SELECT FROM billing_price p JOIN billing_tier t ON t.price_id = p.id
             WHERE p.version_id = NEW.id AND (p.model = 'graduated_percentage') <> (t.rate_percent IS NOT NULL))
        THEN
            RAISE EXCEPTION 'Plan version % has tiers with a rate beside tiers without.', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_version_tiers_fit_their_model';
        END IF;"""

NEW_CHECK = CHECK_VERSION.format(
    has_tiers="p.model IN ('graduated', 'volume', 'graduated_percentage')", rows=CHECK_ROWS
)
OLD_CHECK = CHECK_VERSION.format(has_tiers="p.model = 'graduated'", rows="")

# The function is that of tiers, which hang on a price as well.
FREEZE_ROWS = """
CREATE TRIGGER price_row_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_pricerow
    FOR EACH ROW EXECUTE FUNCTION billing_check_tier();
"""
THAW_ROWS = "DROP TRIGGER price_row_frozen ON billing_pricerow;"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_frozen_documents"),
        ("metering", "0011_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                (
                    "values",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200),
                        help_text="In the order of the price's dimensions.",
                        size=None,
                    ),
                ),
                ("unit_amount", models.DecimalField(decimal_places=12, max_digits=24)),
            ],
            options={
                "verbose_name": "row of a price by dimension",
                "verbose_name_plural": "rows of a price by dimension",
                "ordering": ["position"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="price",
            name="price_has_the_fields_of_its_model",
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="detail",
            field=models.JSONField(
                default=dict, help_text="What else of the usage the price looked at: by dimension, or each transaction."
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="cap",
            field=models.DecimalField(
                blank=True, decimal_places=12, help_text="The most that the line comes to.", max_digits=24, null=True
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="conversion_places",
            field=models.PositiveSmallIntegerField(default=12, help_text="Decimals of a converted quantity."),
        ),
        migrations.AddField(
            model_name="price",
            name="conversion_rounding",
            field=models.CharField(
                choices=[("up", "up"), ("half", "half up"), ("down", "down")], default="half", max_length=10
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="conversion_unit",
            field=models.CharField(blank=True, help_text="What is charged, such as hour.", max_length=40),
        ),
        migrations.AddField(
            model_name="price",
            name="dimensions",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60),
                blank=True,
                default=list,
                help_text="The meter's dimensions it depends on.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="divide_by",
            field=models.DecimalField(blank=True, decimal_places=12, max_digits=38, null=True),
        ),
        migrations.AddField(
            model_name="price",
            name="first_tier_flat_at_zero",
            field=models.BooleanField(
                default=False, help_text="Whether the first tier's flat amount is asked where nothing is charged."
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="free_amount",
            field=models.DecimalField(
                decimal_places=12, default=0, help_text="Value of which nothing is taken.", max_digits=38
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="free_transactions",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="price",
            name="minimum",
            field=models.DecimalField(
                decimal_places=12, default=0, help_text="The least that the line comes to.", max_digits=24
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="multiply_by",
            field=models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="Converts what was metered to what is charged.",
                max_digits=38,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="package_rounding",
            field=models.CharField(
                choices=[("up", "up"), ("half", "half up"), ("down", "down")], default="up", max_length=10
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="package_size",
            field=models.DecimalField(blank=True, decimal_places=12, max_digits=38, null=True),
        ),
        migrations.AddField(
            model_name="price",
            name="rate_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="In percent: 1.5 takes 15 of a value of 1,000.",
                max_digits=13,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="transaction_fee",
            field=models.DecimalField(decimal_places=12, default=0, max_digits=24),
        ),
        migrations.AddField(
            model_name="price",
            name="transaction_maximum",
            field=models.DecimalField(blank=True, decimal_places=12, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="price",
            name="transaction_minimum",
            field=models.DecimalField(blank=True, decimal_places=12, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="tier",
            name="package_size",
            field=models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="Units that are charged together; empty for single ones.",
                max_digits=38,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="tier",
            name="rate_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Of a graduated percentage, in place of the price of a unit.",
                max_digits=13,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="price",
            name="model",
            field=models.CharField(
                choices=[
                    ("flat", "flat fee"),
                    ("per_unit", "per unit"),
                    ("graduated", "graduated"),
                    ("volume", "volume"),
                    ("package", "by package"),
                    ("percentage", "percentage"),
                    ("graduated_percentage", "graduated percentage"),
                    ("dimension", "by dimension"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="unit_amount",
            field=models.DecimalField(decimal_places=12, default=0, max_digits=24),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("included_units", 0),
                        ("meter__isnull", True),
                        ("model", "flat"),
                        ("unit_amount__isnull", False),
                    ),
                    models.Q(("meter__isnull", False), ("model", "per_unit"), ("unit_amount__isnull", False)),
                    models.Q(
                        ("meter__isnull", False),
                        ("model__in", ["package", "dimension"]),
                        ("unit_amount__isnull", False),
                    ),
                    models.Q(
                        ("meter__isnull", False),
                        ("model__in", ["graduated", "volume", "graduated_percentage"]),
                        ("unit_amount__isnull", True),
                    ),
                    models.Q(
                        ("included_units", 0),
                        ("meter__isnull", False),
                        ("model", "percentage"),
                        ("unit_amount__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="price_has_the_fields_of_its_model",
                violation_error_message="A flat fee has an amount and no meter; a per-unit price has a meter and an amount; a graduated price has a meter, and its amounts in its tiers.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("model", "package"), ("package_size__gt", 0), ("package_size__isnull", False)),
                    models.Q(models.Q(("model", "package"), _negated=True), ("package_size__isnull", True)),
                    _connector="OR",
                ),
                name="price_has_a_package_exactly_when_by_package",
                violation_error_message="A price by package has the size of one, and no other price has.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("model", "percentage"), ("rate_percent__isnull", False)),
                    models.Q(
                        models.Q(("model", "percentage"), _negated=True),
                        ("free_amount", 0),
                        ("free_transactions", 0),
                        ("rate_percent__isnull", True),
                        ("transaction_fee", 0),
                        ("transaction_maximum__isnull", True),
                        ("transaction_minimum__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="price_has_a_rate_exactly_when_percentage",
                violation_error_message="A percentage has a rate, and only it has terms of transactions.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("dimensions__len__gt", 0), ("model", "dimension")),
                    models.Q(models.Q(("model", "dimension"), _negated=True), ("dimensions", [])),
                    _connector="OR",
                ),
                name="price_has_dimensions_exactly_when_by_dimension",
                violation_error_message="A price by dimension names its dimensions, and no other price does.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("conversion_places__lte", 12),
                        ("conversion_unit", ""),
                        ("divide_by__isnull", True),
                        ("multiply_by__isnull", True),
                    ),
                    models.Q(
                        models.Q(("model__in", ["flat", "percentage"]), _negated=True),
                        ("conversion_places__lte", 12),
                        ("divide_by__gt", 0),
                        ("divide_by__isnull", False),
                        ("multiply_by__gt", 0),
                        ("multiply_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="price_conversion_is_whole",
                violation_error_message="A conversion multiplies and divides by more than zero, to at most 12 decimals; a flat fee or a percentage has none.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minimum__gte", 0),
                    models.Q(("cap__isnull", True), ("cap__gte", models.F("minimum")), _connector="OR"),
                    models.Q(
                        models.Q(("model", "flat"), _negated=True),
                        models.Q(("cap__isnull", True), ("minimum", 0)),
                        _connector="OR",
                    ),
                ),
                name="price_bounds_are_in_order",
                violation_error_message="The cap is not below the minimum, nor that below zero; a fee has neither.",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("first_tier_flat_at_zero", False),
                    ("model__in", ["graduated", "volume", "graduated_percentage"]),
                    _connector="OR",
                ),
                name="price_first_tier_is_one_of_tiers",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rate_percent__isnull", True), ("rate_percent__gte", 0), _connector="OR"),
                    ("free_amount__gte", 0),
                    ("transaction_fee__gte", 0),
                    models.Q(("transaction_minimum__isnull", True), ("transaction_minimum__gte", 0), _connector="OR"),
                    models.Q(
                        ("transaction_maximum__isnull", True),
                        models.Q(
                            ("transaction_maximum__gte", 0),
                            models.Q(
                                ("transaction_minimum__isnull", True),
                                ("transaction_maximum__gte", models.F("transaction_minimum")),
                                _connector="OR",
                            ),
                        ),
                        _connector="OR",
                    ),
                ),
                name="price_terms_of_transactions_not_negative",
                violation_error_message="Nothing of a transaction is below zero, nor its maximum below its minimum.",
            ),
        ),
        migrations.AddConstraint(
            model_name="tier",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rate_percent__isnull", True),
                    models.Q(("package_size__isnull", True), ("rate_percent__gte", 0), ("unit_amount", 0)),
                    _connector="OR",
                ),
                name="tier_has_a_rate_or_a_price",
                violation_error_message="A tier has a rate, or the price of a unit or a package.",
            ),
        ),
        migrations.AddConstraint(
            model_name="tier",
            constraint=models.CheckConstraint(
                condition=models.Q(("package_size__isnull", True), ("package_size__gt", 0), _connector="OR"),
                name="tier_package_above_zero",
            ),
        ),
        migrations.AddField(
            model_name="pricerow",
            name="price",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="billing.price"
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerow",
            constraint=models.UniqueConstraint(fields=("price", "position"), name="price_row_position_once"),
        ),
        migrations.AddConstraint(
            model_name="pricerow",
            constraint=models.UniqueConstraint(fields=("price", "values"), name="price_row_values_once"),
        ),
        migrations.AddConstraint(
            model_name="pricerow",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_amount__gte", 0)), name="price_row_amount_not_negative"
            ),
        ),
        migrations.RunSQL(NEW_CHECK, OLD_CHECK),
        migrations.RunSQL(FREEZE_ROWS, THAW_ROWS),
    ]
