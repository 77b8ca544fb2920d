"""Each change of a limit with its reason, which stays."""

import django.db.models.deletion
from django.db import migrations, models

STAYS = """
CREATE FUNCTION metering_keep_limit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What was changed ahead of a window goes with the window, when that is taken back before it begins.
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM metering_limit WHERE id = OLD.limit_id AND starts_at >= OLD.at) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'changes of limits are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER limit_change_stays BEFORE UPDATE OR DELETE ON metering_limitchange
    FOR EACH ROW EXECUTE FUNCTION metering_keep_limit_change();
"""

GOES = """
DROP TRIGGER limit_change_stays ON metering_limitchange;
DROP FUNCTION metering_keep_limit_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0017_forecasts_by_the_hour"),
    ]

    operations = [
        migrations.CreateModel(
            name="LimitChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("epoch", models.PositiveIntegerField(help_text="That begins with it.", verbose_name="epoch")),
                (
                    "before",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="Empty: unlimited.",
                        max_digits=38,
                        null=True,
                        verbose_name="before",
                    ),
                ),
                (
                    "after",
                    models.DecimalField(
                        decimal_places=12, help_text="Empty: unlimited.", max_digits=38, null=True, verbose_name="after"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("upgrade", "a plan that allows more"),
                            ("downgrade", "a plan that allows less"),
                            ("topup", "more was bought"),
                            ("override", "set by hand"),
                            ("renewal", "another version of the plan"),
                        ],
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "limit",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="metering.limit",
                        verbose_name="limit",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a limit",
                "verbose_name_plural": "changes of limits",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "meter", "at", "limit", "epoch"),
                        name="limit_change_is_told_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("before", models.F("after")), _negated=True),
                            models.Q(("before__isnull", False), ("after__isnull", False), _connector="OR"),
                        ),
                        name="limit_change_changes",
                    ),
                ],
            },
        ),
        migrations.RunSQL(STAYS, GOES),
    ]
