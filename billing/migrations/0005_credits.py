"""Credit grants and their ledger: nothing in it changes, and no grant pays more than it has."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.validators

# The sum of a grant is kept here and nowhere else; its check refuses what would take it below nothing, and the row stays
# locked until the writer's transaction ends. AFTER: an entry that is not written moves nothing.
LEDGER = """
CREATE FUNCTION billing_post_credit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'Credit entry % is written; another entry corrects it.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_entry_is_append_only';
    END IF;
    UPDATE billing_creditgrant SET balance_minor = balance_minor + NEW.amount_minor WHERE id = NEW.grant_id;
    IF NEW.invoice_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM billing_invoice i JOIN billing_creditgrant g
            ON g.account_id = i.account_id AND g.currency = i.currency
        WHERE i.id = NEW.invoice_id AND g.id = NEW.grant_id)
    THEN
        RAISE EXCEPTION 'Credit grant % is not of the account and currency of invoice %.', NEW.grant_id, NEW.invoice_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_entry_is_of_its_invoice_account';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER credit_entry_posted AFTER INSERT ON billing_creditentry
    FOR EACH ROW EXECUTE FUNCTION billing_post_credit_entry();
CREATE TRIGGER credit_entry_kept BEFORE UPDATE OR DELETE ON billing_creditentry
    FOR EACH ROW EXECUTE FUNCTION billing_post_credit_entry();
"""

LEDGER_AWAY = """
DROP TRIGGER credit_entry_kept ON billing_creditentry;
DROP TRIGGER credit_entry_posted ON billing_creditentry;
DROP FUNCTION billing_post_credit_entry;
"""

GRANTS = """
CREATE FUNCTION billing_check_credit_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.balance_minor <> 0 OR NEW.voided_at IS NOT NULL THEN
            RAISE EXCEPTION 'A credit grant begins empty; its ledger fills it.'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_grant_begins_empty';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE'
        OR to_jsonb(NEW) - 'balance_minor' - 'voided_at' <> to_jsonb(OLD) - 'balance_minor' - 'voided_at'
        OR (OLD.voided_at IS NOT NULL AND NEW.voided_at IS DISTINCT FROM OLD.voided_at)
        OR (NEW.balance_minor <> OLD.balance_minor AND pg_trigger_depth() < 2)
    THEN
        RAISE EXCEPTION 'Credit grant % cannot change; void it and make another.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_grant_frozen';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER credit_grant_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_creditgrant
    FOR EACH ROW EXECUTE FUNCTION billing_check_credit_grant();
"""

GRANTS_AWAY = """
DROP TRIGGER credit_grant_frozen ON billing_creditgrant;
DROP FUNCTION billing_check_credit_grant;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_periods_of_every_length"),
        ("metering", "0010_what_was_refused_and_how_much_was_sent"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditGrant",
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
                    "source",
                    models.CharField(
                        choices=[
                            ("included", "included in the plan"),
                            ("top_up", "top-up"),
                            ("promotion", "promotion"),
                            ("credit_note", "credit note"),
                            ("manual", "by hand"),
                        ],
                        max_length=12,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("balance_minor", models.BigIntegerField(default=0)),
                ("priority", models.PositiveSmallIntegerField(default=0, help_text="The lowest number is used first.")),
                ("effective_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("voided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "scope",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120),
                        blank=True,
                        default=list,
                        help_text="Names of the prices it may pay for: meters, or descriptions of fees. Empty: any.",
                        size=None,
                    ),
                ),
                (
                    "interval",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("day", "every day"),
                            ("week", "every week"),
                            ("month", "every month"),
                            ("quarter", "every quarter"),
                            ("half_year", "every half-year"),
                            ("year", "every year"),
                        ],
                        max_length=10,
                    ),
                ),
                ("anchor", models.DateTimeField(blank=True, null=True)),
                ("time_zone", models.CharField(blank=True, max_length=60)),
                ("number", models.PositiveIntegerField(default=0, help_text="Which of its series, counted from 0.")),
                ("recurs_until", models.DateTimeField(blank=True, null=True)),
                ("rollover_min_minor", models.BigIntegerField(default=0)),
                ("rollover_max_minor", models.BigIntegerField(default=0)),
                ("key", models.CharField(blank=True, help_text="What it was granted for, once.", max_length=80)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("made_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.account"
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
                (
                    "previous",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="next",
                        to="billing.creditgrant",
                    ),
                ),
            ],
            options={
                "verbose_name": "credit grant",
                "verbose_name_plural": "credit grants",
                "permissions": [("void_creditgrant", "Can void credit grant")],
            },
        ),
        migrations.CreateModel(
            name="CreditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("granted", "granted"),
                            ("burned", "used for an invoice"),
                            ("expired", "expired"),
                            ("voided", "voided"),
                            ("rolled_over", "rolled over"),
                            ("refunded", "given back"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(help_text="Above zero it adds to the balance, below it takes from it."),
                ),
                ("key", models.CharField(max_length=80)),
                ("line", models.PositiveIntegerField(default=0)),
                ("made_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_entries",
                        to="billing.invoice",
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
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="billing.creditgrant"
                    ),
                ),
            ],
            options={
                "verbose_name": "credit entry",
                "verbose_name_plural": "credit entries",
            },
        ),
        migrations.CreateModel(
            name="TopUpRule",
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
                ("threshold_minor", models.BigIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("is_active", models.BooleanField(default=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "automatic top-up",
                "verbose_name_plural": "automatic top-ups",
            },
        ),
        migrations.CreateModel(
            name="TopUp",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("asked_at", models.DateTimeField()),
                ("dropped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grant",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.creditgrant",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="top_ups", to="billing.topuprule"
                    ),
                ),
            ],
            options={
                "verbose_name": "top-up",
                "verbose_name_plural": "top-ups",
            },
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                condition=models.Q(("balance_minor__gt", 0)),
                fields=["account", "currency"],
                name="credit_grant_to_burn",
            ),
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                condition=models.Q(("balance_minor__gt", 0), ("rollover_min_minor__gt", 0), _connector="OR"),
                fields=["expires_at"],
                name="credit_grant_to_expire",
            ),
        ),
        migrations.AddIndex(
            model_name="creditgrant",
            index=models.Index(
                condition=models.Q(("interval", ""), _negated=True), fields=["expires_at"], name="credit_grant_to_recur"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="credit_grant_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("balance_minor__gte", 0)), name="credit_grant_not_overdrawn"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="credit_grant_currency_is_a_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__isnull", True), ("expires_at__gt", models.F("effective_at")), _connector="OR"
                ),
                name="credit_grant_expires_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rollover_max_minor__gte", models.F("rollover_min_minor")), ("rollover_min_minor__gte", 0)
                ),
                name="credit_grant_rollover_ascends",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("anchor__isnull", True),
                        ("interval", ""),
                        ("number", 0),
                        ("previous__isnull", True),
                        ("recurs_until__isnull", True),
                        ("rollover_max_minor", 0),
                        ("time_zone", ""),
                    ),
                    models.Q(
                        models.Q(("interval", ""), _negated=True),
                        models.Q(("time_zone", ""), _negated=True),
                        ("anchor__isnull", False),
                        ("expires_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="credit_grant_recurs_wholly_or_not",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True),
                fields=("account", "key"),
                name="credit_grant_made_once_per_key",
            ),
        ),
        migrations.AddIndex(
            model_name="creditentry",
            index=models.Index(fields=["key"], name="credit_entry_by_cause"),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.UniqueConstraint(
                fields=("grant", "kind", "key", "line"), name="credit_entry_written_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__gt", 0), ("kind__in", ["granted", "refunded"])),
                    models.Q(("amount_minor__lt", 0), ("kind__in", ["burned", "expired", "voided"])),
                    models.Q(("kind", "rolled_over"), models.Q(("amount_minor", 0), _negated=True)),
                    _connector="OR",
                ),
                name="credit_entry_has_the_sign_of_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="topuprule",
            constraint=models.UniqueConstraint(fields=("account", "currency"), name="top_up_rule_one_per_wallet"),
        ),
        migrations.AddConstraint(
            model_name="topuprule",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="top_up_rule_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.UniqueConstraint(fields=("rule", "number"), name="top_up_numbered_once"),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.UniqueConstraint(
                condition=models.Q(("dropped_at__isnull", True), ("grant__isnull", True)),
                fields=("rule",),
                name="top_up_one_waits_per_rule",
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                condition=models.Q(("grant__isnull", True), ("dropped_at__isnull", True), _connector="OR"),
                name="top_up_paid_or_dropped",
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="top_up_is_positive"),
        ),
        migrations.RunSQL(LEDGER, LEDGER_AWAY),
        migrations.RunSQL(GRANTS, GRANTS_AWAY),
    ]
