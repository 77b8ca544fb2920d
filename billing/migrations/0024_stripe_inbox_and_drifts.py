"""What Stripe told, as it came; and where the two do not say the same, with what was done about it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KEEP = """
CREATE FUNCTION billing_check_stripe_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - ARRAY['state', 'reason', 'handled_at', 'replays']
        <> to_jsonb(OLD) - ARRAY['state', 'reason', 'handled_at', 'replays']
    THEN
        RAISE EXCEPTION 'Event % stays as it came; only what became of it changes.', OLD.stripe_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_event_stays_as_it_came';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_event_stays_as_it_came BEFORE UPDATE OR DELETE ON billing_stripeevent
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_event();

CREATE FUNCTION billing_check_stripe_drift() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'open' THEN
        RAISE EXCEPTION 'Drift % is closed, or cannot be removed.', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_drift_stays_once_closed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_drift_stays_once_closed BEFORE UPDATE OR DELETE ON billing_stripedrift
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_drift();
CREATE TRIGGER stripe_drift_move_is_append_only BEFORE UPDATE OR DELETE ON billing_stripedriftmove
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""
FREE = """
DROP TRIGGER stripe_drift_move_is_append_only ON billing_stripedriftmove;
DROP TRIGGER stripe_drift_stays_once_closed ON billing_stripedrift;
DROP TRIGGER stripe_event_stays_as_it_came ON billing_stripeevent;
DROP FUNCTION billing_check_stripe_drift, billing_check_stripe_event;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0023_paid_at_once"),
        ("metering", "0014_names_since_when"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StripeCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=50, unique=True, verbose_name="name")),
                ("reached_at", models.DateTimeField(verbose_name="reached")),
            ],
            options={
                "verbose_name": "cursor in Stripe's lists",
                "verbose_name_plural": "cursors in Stripe's lists",
            },
        ),
        migrations.CreateModel(
            name="StripeDrift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("key", models.CharField(max_length=200, verbose_name="about")),
                ("ours", models.TextField(verbose_name="Palier says")),
                ("theirs", models.TextField(verbose_name="Stripe says")),
                ("difference_minor", models.BigIntegerField(blank=True, null=True, verbose_name="difference")),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("cause", models.TextField(verbose_name="cause")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("repaired", "repaired"), ("accepted", "accepted")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("opened_at", models.DateTimeField(verbose_name="found")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "drift from Stripe",
                "verbose_name_plural": "drifts from Stripe",
                "permissions": [("repair_drift", "Can repair and accept drifts from Stripe")],
            },
        ),
        migrations.CreateModel(
            name="StripeDriftMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("opened", "found"),
                            ("changed", "changed"),
                            ("resent", "sent again"),
                            ("adjusted", "adjusted"),
                            ("repaired", "gone"),
                            ("accepted", "accepted"),
                        ],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="when")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who",
                    ),
                ),
                (
                    "drift",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.stripedrift",
                        verbose_name="drift",
                    ),
                ),
            ],
            options={
                "verbose_name": "move of a drift",
                "verbose_name_plural": "moves of drifts",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="StripeEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stripe_id", models.CharField(max_length=255, unique=True, verbose_name="id")),
                ("type", models.CharField(max_length=200, verbose_name="type")),
                ("is_thin", models.BooleanField(default=False, verbose_name="thin")),
                ("livemode", models.BooleanField(verbose_name="live")),
                ("account", models.CharField(blank=True, max_length=255, verbose_name="account at Stripe")),
                ("api_version", models.CharField(blank=True, max_length=60, verbose_name="API version")),
                ("object_type", models.CharField(blank=True, max_length=100, verbose_name="object")),
                ("object_id", models.CharField(blank=True, max_length=255, verbose_name="object's id")),
                ("created_at", models.DateTimeField(verbose_name="created at Stripe")),
                ("payload", models.TextField(verbose_name="body")),
                (
                    "origin",
                    models.CharField(
                        choices=[("webhook", "told by Stripe"), ("catch_up", "found by asking Stripe")],
                        max_length=10,
                        verbose_name="how it came",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "to be handled"),
                            ("handled", "handled"),
                            ("ignored", "ignored"),
                            ("failed", "failed"),
                        ],
                        default="received",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.TextField(
                        blank=True, help_text="Why it was ignored, or could not be handled.", verbose_name="reason"
                    ),
                ),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("handled_at", models.DateTimeField(null=True, verbose_name="handled")),
                ("replays", models.PositiveIntegerField(default=0, verbose_name="replays")),
            ],
            options={
                "verbose_name": "event from Stripe",
                "verbose_name_plural": "events from Stripe",
                "indexes": [
                    models.Index(fields=["-received_at"], name="stripe_event_newest"),
                    models.Index(fields=["object_id"], name="stripe_event_by_object"),
                    models.Index(
                        condition=models.Q(("state__in", ["received", "failed"])),
                        fields=["state"],
                        name="stripe_event_waiting",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("handled_at__isnull", False), ("state", "handled")),
                            models.Q(models.Q(("state", "handled"), _negated=True), ("handled_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="stripe_event_has_a_time_exactly_when_handled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), ("state__in", ["received", "handled"])),
                            models.Q(("state__in", ["ignored", "failed"]), models.Q(("reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="stripe_event_says_why_it_was_not_handled",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="stripedrift",
            index=models.Index(fields=["kind", "key"], name="stripe_drift_about"),
        ),
        migrations.AddIndex(
            model_name="stripedrift",
            index=models.Index(fields=["account", "-opened_at"], name="stripe_drift_by_account"),
        ),
        migrations.AddConstraint(
            model_name="stripedrift",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("kind", "key"), name="stripe_drift_open_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripedrift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("difference_minor__isnull", True), models.Q(("currency", ""), _negated=True), _connector="OR"
                ),
                name="stripe_drift_amount_has_a_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripedrift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("closed_at__isnull", True), ("closed_by__isnull", True), ("reason", ""), ("state", "open")
                    ),
                    models.Q(("closed_at__isnull", False), ("state", "repaired")),
                    models.Q(
                        ("closed_at__isnull", False),
                        ("closed_by__isnull", False),
                        ("state", "accepted"),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="stripe_drift_is_accepted_by_somebody_with_a_reason",
            ),
        ),
        migrations.RunSQL(KEEP, FREE),
    ]
