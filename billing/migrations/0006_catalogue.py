"""The catalogue: coupons and discounts; versions that are scheduled, retired, committed to, and have add-ons."""

from importlib import import_module

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.validators

# A published version may still be retired, once; nothing else of it changes.
OLD_CHECK = import_module("billing.migrations.0003_prices_of_every_shape").NEW_CHECK
NEW_CHECK = OLD_CHECK.replace(
    """
    IF OLD.published_at IS NOT NULL THEN
""",
    """
    IF TG_OP = 'UPDATE' AND OLD.published_at IS NOT NULL AND OLD.retired_at IS NULL AND NEW.retired_at IS NOT NULL
        AND to_jsonb(NEW) - 'retired_at' = to_jsonb(OLD) - 'retired_at'
    THEN
        RETURN NEW;
    END IF;
    IF OLD.published_at IS NOT NULL THEN
""",
)

OFFER_PUBLISHED = """
ALTER TABLE billing_planversion DISABLE TRIGGER plan_version_frozen;
UPDATE billing_planversion SET offered_from = published_at WHERE published_at IS NOT NULL;
ALTER TABLE billing_planversion ENABLE TRIGGER plan_version_frozen;
"""

FREEZE_ADD_ONS = """
CREATE TRIGGER add_on_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_addon
    FOR EACH ROW EXECUTE FUNCTION billing_check_version_part();
"""
THAW_ADD_ONS = "DROP TRIGGER add_on_frozen ON billing_addon;"

COUPONS = """
CREATE FUNCTION billing_check_coupon() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - '{name,max_redemptions,redemption_count,valid_until}'::text[]
        <> to_jsonb(OLD) - '{name,max_redemptions,redemption_count,valid_until}'::text[]
    THEN
        RAISE EXCEPTION 'What coupon % takes off cannot change; make another coupon.', OLD.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'coupon_terms_never_change';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER coupon_frozen BEFORE UPDATE ON billing_coupon
    FOR EACH ROW EXECUTE FUNCTION billing_check_coupon();

-- The row of the coupon is locked by counting: no two at once can redeem the last one.
CREATE FUNCTION billing_count_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing_coupon SET redemption_count = redemption_count + 1 WHERE id = NEW.coupon_id;
    RETURN NEW;
END $$;

CREATE TRIGGER discount_counted AFTER INSERT ON billing_discount
    FOR EACH ROW EXECUTE FUNCTION billing_count_redemption();

CREATE FUNCTION billing_check_discount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'ends_at' <> to_jsonb(OLD) - 'ends_at'
        OR NEW.ends_at IS NULL OR NEW.ends_at > OLD.ends_at
    THEN
        RAISE EXCEPTION 'Discount % can only be ended sooner.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'discount_only_ends_sooner';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER discount_frozen BEFORE UPDATE OR DELETE ON billing_discount
    FOR EACH ROW EXECUTE FUNCTION billing_check_discount();
"""

COUPONS_AWAY = """
DROP TRIGGER discount_frozen ON billing_discount;
DROP TRIGGER discount_counted ON billing_discount;
DROP TRIGGER coupon_frozen ON billing_coupon;
DROP FUNCTION billing_check_discount, billing_count_redemption, billing_check_coupon;
"""

# The lock lasts to the end of the transaction: no two at once can give an account its first currency.
CURRENCY = """
CREATE FUNCTION billing_check_account_currency() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('billing.account_currency', NEW.account_id));
    SELECT currency INTO wanted FROM billing_planversion WHERE id = NEW.version_id;
    IF EXISTS (
        SELECT FROM billing_subscription s JOIN billing_planversion v ON v.id = s.version_id
         WHERE s.account_id = NEW.account_id AND s.id IS DISTINCT FROM NEW.id AND v.currency <> wanted)
    THEN
        RAISE EXCEPTION 'Account % is billed in another currency than %.', NEW.account_id, wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_keeps_the_currency_of_its_account';
    END IF;
    IF TG_OP = 'UPDATE' AND wanted <> (SELECT currency FROM billing_planversion WHERE id = OLD.version_id) THEN
        RAISE EXCEPTION 'Subscription % cannot change its currency.', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_keeps_the_currency_of_its_account';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER subscription_currency_kept BEFORE INSERT OR UPDATE OF version_id, account_id ON billing_subscription
    FOR EACH ROW EXECUTE FUNCTION billing_check_account_currency();
"""

CURRENCY_AWAY = """
DROP TRIGGER subscription_currency_kept ON billing_subscription;
DROP FUNCTION billing_check_account_currency;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_credits"),
        ("metering", "0011_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AddOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("key", models.SlugField(help_text="The same in each version that offers it.", max_length=60)),
                ("description", models.CharField(max_length=120)),
                ("unit_amount", models.DecimalField(decimal_places=12, max_digits=24)),
                (
                    "max_quantity",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many a subscriber may have; empty for any.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
            ],
            options={
                "verbose_name": "add-on",
                "verbose_name_plural": "add-ons",
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="Coupon",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(help_text="What a customer gives.", max_length=60, unique=True)),
                ("name", models.CharField(help_text="As documents show it.", max_length=120)),
                (
                    "percent",
                    models.DecimalField(
                        blank=True, decimal_places=10, help_text="25 is 25 % off each line.", max_digits=13, null=True
                    ),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(
                        blank=True, help_text="Off each invoice, in the smallest unit of the currency.", null=True
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        blank=True,
                        help_text="Of an amount; empty for a percentage.",
                        max_length=3,
                        validators=[billing.validators.validate_currency],
                    ),
                ),
                (
                    "duration",
                    models.CharField(
                        choices=[("once", "one period"), ("repeating", "so many months"), ("forever", "for ever")],
                        default="once",
                        max_length=10,
                    ),
                ),
                (
                    "months",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Only where it lasts so many months.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "max_redemptions",
                    models.PositiveIntegerField(blank=True, help_text="Empty for any number.", null=True),
                ),
                ("redemption_count", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "valid_until",
                    models.DateTimeField(blank=True, help_text="Cannot be applied from then on.", null=True),
                ),
            ],
            options={
                "verbose_name": "coupon",
                "verbose_name_plural": "coupons",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="Discount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("applied_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "discount",
                "verbose_name_plural": "discounts",
            },
        ),
        migrations.AddField(
            model_name="planversion",
            name="commitment_minor",
            field=models.BigIntegerField(
                default=0,
                help_text="What each period comes to at least, in the smallest unit.",
                verbose_name="commitment",
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="included_credit_minor",
            field=models.BigIntegerField(
                default=0,
                help_text="Credit granted for each period, in the smallest unit.",
                verbose_name="included credit",
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="offered_from",
            field=models.DateTimeField(
                blank=True, help_text="Who subscribes from then on gets this version.", null=True
            ),
        ),
        migrations.AddField(
            model_name="planversion",
            name="retired_at",
            field=models.DateTimeField(blank=True, help_text="Not on offer from then on.", null=True),
        ),
        migrations.RunSQL(OFFER_PUBLISHED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("commitment_minor__gte", 0), ("included_credit_minor__gte", 0)),
                name="plan_version_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("offered_from__isnull", True), ("published_at__isnull", True), ("retired_at__isnull", True)
                    ),
                    models.Q(
                        ("offered_from__gte", models.F("published_at")),
                        ("offered_from__isnull", False),
                        ("published_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="plan_version_offered_once_published",
            ),
        ),
        migrations.AddConstraint(
            model_name="planversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("retired_at__isnull", True), ("retired_at__gte", models.F("published_at")), _connector="OR"
                ),
                name="plan_version_retired_once_published",
            ),
        ),
        migrations.AddField(
            model_name="addon",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="add_ons", to="billing.planversion"
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("amount_minor__isnull", True),
                        ("percent__gt", 0),
                        ("percent__isnull", False),
                        ("percent__lte", 100),
                        ("currency", ""),
                    ),
                    models.Q(
                        ("amount_minor__gt", 0),
                        ("amount_minor__isnull", False),
                        ("currency__regex", "^[A-Z]{3}$"),
                        ("percent__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="coupon_has_a_percentage_or_an_amount",
                violation_error_message="A coupon has a percentage above 0 and up to 100, or an amount above 0 with its currency.",
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("duration", "repeating"), ("months__gt", 0), ("months__isnull", False)),
                    models.Q(("duration__in", ["once", "forever"]), ("months__isnull", True)),
                    _connector="OR",
                ),
                name="coupon_has_months_exactly_when_repeating",
                violation_error_message="A coupon has a number of months exactly when it lasts so many months.",
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("max_redemptions__isnull", True),
                    ("redemption_count__lte", models.F("max_redemptions")),
                    _connector="OR",
                ),
                name="coupon_not_redeemed_too_often",
                violation_error_message="The coupon was applied more often than that already.",
            ),
        ),
        migrations.AddField(
            model_name="discount",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.account"
            ),
        ),
        migrations.AddField(
            model_name="discount",
            name="applied_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="discount",
            name="coupon",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="discounts", to="billing.coupon"
            ),
        ),
        migrations.AddField(
            model_name="discount",
            name="subscription",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="discounts",
                to="billing.subscription",
            ),
        ),
        migrations.AddConstraint(
            model_name="addon",
            constraint=models.UniqueConstraint(fields=("version", "position"), name="add_on_position_once"),
        ),
        migrations.AddConstraint(
            model_name="addon",
            constraint=models.UniqueConstraint(fields=("version", "key"), name="add_on_key_once"),
        ),
        migrations.AddConstraint(
            model_name="addon",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_amount__gte", 0)), name="add_on_amount_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="addon",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_quantity__isnull", True), ("max_quantity__gt", 0), _connector="OR"),
                name="add_on_quantity_above_zero",
            ),
        ),
        migrations.AddIndex(
            model_name="discount",
            index=models.Index(fields=["account", "starts_at"], name="discount_by_account"),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.UniqueConstraint(
                fields=("coupon", "account", "subscription"), name="discount_once_per_coupon", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__isnull", True), ("ends_at__gte", models.F("starts_at")), _connector="OR"),
                name="discount_ends_after_it_begins",
            ),
        ),
        migrations.RunSQL(NEW_CHECK, OLD_CHECK),
        migrations.RunSQL(FREEZE_ADD_ONS, THAW_ADD_ONS),
        migrations.RunSQL(COUPONS, COUPONS_AWAY),
        migrations.RunSQL(CURRENCY, CURRENCY_AWAY),
    ]
