"""States and moves of subscriptions with their history; several of them for one account; periods know their version."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Closed periods refuse any change; this one says of them what was true all along.
FILL_VERSIONS = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE billing_subscription s SET plan_id = v.plan_id FROM billing_planversion v WHERE v.id = s.version_id;
ALTER TABLE billing_period DISABLE TRIGGER period_frozen;
UPDATE billing_period p SET version_id = s.version_id FROM billing_subscription s WHERE s.id = p.subscription_id;
ALTER TABLE billing_period ENABLE TRIGGER period_frozen;
SET CONSTRAINTS ALL DEFERRED;
"""

PLAN_FOLLOWS = """
CREATE FUNCTION billing_follow_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.plan_id := (SELECT plan_id FROM billing_planversion WHERE id = NEW.version_id);
    RETURN NEW;
END $$;

CREATE TRIGGER subscription_plan_follows BEFORE INSERT OR UPDATE ON billing_subscription
    FOR EACH ROW EXECUTE FUNCTION billing_follow_plan();
"""

PLAN_FOLLOWS_NOT = """
DROP TRIGGER subscription_plan_follows ON billing_subscription;
DROP FUNCTION billing_follow_plan;
"""

HISTORY = """
CREATE FUNCTION billing_keep_subscription_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Subscription change % is history; it cannot be changed or removed.', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_change_is_append_only';
END $$;

CREATE TRIGGER subscription_change_kept BEFORE UPDATE OR DELETE ON billing_subscriptionchange
    FOR EACH ROW EXECUTE FUNCTION billing_keep_subscription_change();
"""

HISTORY_AWAY = """
DROP TRIGGER subscription_change_kept ON billing_subscriptionchange;
DROP FUNCTION billing_keep_subscription_change;
"""

LIVE = ["trialing", "active", "paused"]


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_catalogue"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="subscription", name="subscription_one_active_per_account"),
        migrations.RemoveConstraint(model_name="subscription", name="subscription_has_an_end_exactly_when_ended"),
        migrations.AlterField(
            model_name="subscription",
            name="state",
            field=models.CharField(
                choices=[
                    ("trialing", "on trial"),
                    ("active", "active"),
                    ("paused", "paused"),
                    ("ended", "ended"),
                ],
                default="active",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="plan",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.plan",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="trial_ends_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="trial ends"),
        ),
        migrations.AddField(
            model_name="subscription",
            name="next_version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.planversion",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="changes_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="changes plan"),
        ),
        migrations.AddField(
            model_name="subscription",
            name="cancels_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="will end"),
        ),
        migrations.AddField(
            model_name="period",
            name="version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.planversion",
            ),
        ),
        migrations.AddField(
            model_name="period", name="is_free", field=models.BooleanField(default=False, verbose_name="free")
        ),
        migrations.AddField(
            model_name="period",
            name="is_prorated",
            field=models.BooleanField(default=False, verbose_name="prorated"),
        ),
        migrations.RunSQL(FILL_VERSIONS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="subscription",
            name="plan",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.plan",
            ),
        ),
        migrations.AlterField(
            model_name="period",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.planversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", LIVE)),
                fields=("account", "plan"),
                name="subscription_one_active_per_account_and_plan",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state__in", LIVE)),
                    models.Q(("ended_at__isnull", False), ("state", "ended")),
                    _connector="OR",
                ),
                name="subscription_has_an_end_exactly_when_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("changes_at__isnull", True), ("next_version__isnull", True)),
                    models.Q(
                        ("changes_at__isnull", False),
                        ("next_version__isnull", False),
                        ("state__in", ["trialing", "active"]),
                    ),
                    _connector="OR",
                ),
                name="subscription_change_is_planned_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "trialing"), _negated=True), ("trial_ends_at__isnull", False), _connector="OR"
                ),
                name="subscription_trial_has_an_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cancels_at__isnull", True), models.Q(("state", "paused"), _negated=True), _connector="OR"
                ),
                name="subscription_paused_does_not_run_out",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("state", "trialing")), fields=["trial_ends_at"], name="subscription_on_trial"
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("changes_at__isnull", False)), fields=["changes_at"], name="subscription_to_change"
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("cancels_at__isnull", False)), fields=["cancels_at"], name="subscription_to_end"
            ),
        ),
        migrations.CreateModel(
            name="SubscriptionChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "move",
                    models.CharField(
                        choices=[
                            ("created", "created"),
                            ("trial_ended", "trial ended"),
                            ("plan_changed", "plan changed"),
                            ("change_planned", "plan change planned"),
                            ("change_undone", "planned change undone"),
                            ("paused", "paused"),
                            ("resumed", "resumed"),
                            ("end_planned", "end planned"),
                            ("end_undone", "planned end undone"),
                            ("ended", "ended"),
                            ("quantity_changed", "quantity changed"),
                        ],
                        max_length=20,
                        verbose_name="what",
                    ),
                ),
                ("before", models.CharField(blank=True, max_length=200, verbose_name="from")),
                ("after", models.CharField(blank=True, max_length=200, verbose_name="to")),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="billing.subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "subscription change",
                "verbose_name_plural": "subscription changes",
                "ordering": ["pk"],
            },
        ),
        migrations.RunSQL(PLAN_FOLLOWS, PLAN_FOLLOWS_NOT),
        migrations.RunSQL(HISTORY, HISTORY_AWAY),
    ]
