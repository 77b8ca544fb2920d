"""Usage on its way to Stripe's meters, and which prices are charged by lines whatever they are."""

import django.db.models.deletion
from django.db import migrations, models

KEEP = """
CREATE FUNCTION billing_check_stripe_meter_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
        (NEW.period_id, NEW.meter_id, NEW.account_id, NEW.starts_at, NEW.ends_at, NEW.revision, NEW.part, NEW.value,
            NEW.timestamp, NEW.identifier, NEW.event_name, NEW.customer_id, NEW.formula, NEW.replaces_id, NEW.created_at)
        IS DISTINCT FROM
        (OLD.period_id, OLD.meter_id, OLD.account_id, OLD.starts_at, OLD.ends_at, OLD.revision, OLD.part, OLD.value,
            OLD.timestamp, OLD.identifier, OLD.event_name, OLD.customer_id, OLD.formula, OLD.replaces_id, OLD.created_at)
    THEN
        RAISE EXCEPTION 'Meter event % stays as it was queued; only what became of it changes.', OLD.identifier
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stripe_meter_event_stays_as_it_was';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stripe_meter_event_stays_as_it_was BEFORE UPDATE OR DELETE ON billing_stripemeterevent
    FOR EACH ROW EXECUTE FUNCTION billing_check_stripe_meter_event();
"""
FREE = """
DROP TRIGGER stripe_meter_event_stays_as_it_was ON billing_stripemeterevent;
DROP FUNCTION billing_check_stripe_meter_event;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0027_stripe_calls"),
        ("metering", "0014_names_since_when"),
    ]

    operations = [
        migrations.CreateModel(
            name="StripeMeterEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField(verbose_name="starts")),
                ("ends_at", models.DateTimeField(verbose_name="ends")),
                ("revision", models.PositiveIntegerField(default=1, verbose_name="revision")),
                ("part", models.PositiveSmallIntegerField(default=1, verbose_name="part")),
                ("value", models.DecimalField(decimal_places=12, max_digits=38, verbose_name="value")),
                ("timestamp", models.DateTimeField(verbose_name="time told to Stripe")),
                ("identifier", models.CharField(max_length=100, unique=True, verbose_name="identifier")),
                ("event_name", models.CharField(max_length=100, verbose_name="event name in Stripe")),
                ("customer_id", models.CharField(max_length=255, verbose_name="customer in Stripe")),
                (
                    "formula",
                    models.CharField(
                        choices=[("sum", "sum"), ("last", "last value")], max_length=4, verbose_name="formula"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "to be sent"),
                            ("sending", "being sent"),
                            ("accepted", "accepted"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("error_code", models.CharField(blank=True, max_length=100, verbose_name="error")),
                ("error_message", models.TextField(blank=True, verbose_name="what Stripe says")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("leased_until", models.DateTimeField(blank=True, null=True, verbose_name="leased until")),
                ("unsure_since", models.DateTimeField(blank=True, null=True, verbose_name="outcome unknown since")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("accepted_at", models.DateTimeField(blank=True, null=True, verbose_name="accepted")),
            ],
            options={
                "verbose_name": "meter event",
                "verbose_name_plural": "meter events",
            },
        ),
        migrations.CreateModel(
            name="StripeMode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "mode",
                    models.CharField(
                        choices=[("meters", "Stripe's meters"), ("lines", "lines of our own")],
                        max_length=6,
                        verbose_name="charged by",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=20, verbose_name="because")),
                ("ends_at", models.DateTimeField(verbose_name="period's end")),
                ("decided_at", models.DateTimeField(verbose_name="decided")),
            ],
            options={
                "verbose_name": "way a price is charged",
                "verbose_name_plural": "ways prices are charged",
            },
        ),
        migrations.CreateModel(
            name="StripeTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "formula",
                    models.CharField(
                        choices=[("sum", "sum"), ("last", "last value")], max_length=4, verbose_name="formula"
                    ),
                ),
                ("event_name", models.CharField(max_length=100, verbose_name="event name in Stripe")),
                ("customer_id", models.CharField(max_length=255, verbose_name="customer in Stripe")),
                ("queued", models.DecimalField(decimal_places=12, default=0, max_digits=38, verbose_name="queued")),
                ("collected_until", models.DateTimeField(verbose_name="collected until")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
            ],
            options={
                "verbose_name": "usage told to Stripe",
                "verbose_name_plural": "usage told to Stripe",
            },
        ),
        migrations.AddField(
            model_name="price",
            name="charged_by",
            field=models.CharField(
                choices=[("automatic", "Stripe's meters where they can, else lines"), ("lines", "lines of our own")],
                default="automatic",
                help_text="Of accounts that are charged through Stripe; it changes nothing of what they pay.",
                max_length=10,
                verbose_name="charged through Stripe by",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(("charged_by__in", ["automatic", "lines"])), name="price_charged_by_is_known"
            ),
        ),
        migrations.AddField(
            model_name="stripemeterevent",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="stripemeterevent",
            name="meter",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddField(
            model_name="stripemeterevent",
            name="period",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stripe_meter_events",
                to="billing.period",
                verbose_name="period",
            ),
        ),
        migrations.AddField(
            model_name="stripemeterevent",
            name="replaces",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replacement",
                to="billing.stripemeterevent",
                verbose_name="in place of",
            ),
        ),
        migrations.AddField(
            model_name="stripemode",
            name="period",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stripe_modes",
                to="billing.period",
                verbose_name="period",
            ),
        ),
        migrations.AddField(
            model_name="stripemode",
            name="price",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.price",
                verbose_name="price",
            ),
        ),
        migrations.AddField(
            model_name="stripetally",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="stripetally",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.meter", verbose_name="meter"
            ),
        ),
        migrations.AddField(
            model_name="stripetally",
            name="period",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stripe_tallies",
                to="billing.period",
                verbose_name="period",
            ),
        ),
        migrations.AddIndex(
            model_name="stripemeterevent",
            index=models.Index(
                condition=models.Q(("state", "queued")), fields=["due_at", "id"], name="stripe_meter_event_due"
            ),
        ),
        migrations.AddIndex(
            model_name="stripemeterevent",
            index=models.Index(fields=["account", "-timestamp"], name="stripe_meter_event_by_account"),
        ),
        migrations.AddIndex(
            model_name="stripemeterevent",
            index=models.Index(
                condition=models.Q(("state", "failed")), fields=["id"], name="stripe_meter_event_failed"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.UniqueConstraint(
                fields=("period", "meter", "starts_at", "revision", "part"), name="stripe_meter_event_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "sending")),
                fields=("account", "meter"),
                name="stripe_meter_event_one_on_its_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_at__lt", models.F("ends_at")),
                    ("timestamp__gte", models.F("starts_at")),
                    ("timestamp__lt", models.F("ends_at")),
                ),
                name="stripe_meter_event_is_within_its_slice",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("part__gte", 1), ("revision__gte", 1)), name="stripe_meter_event_numbered_from_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted_at__isnull", False), ("state__in", ["accepted", "cancelled"])),
                    models.Q(("accepted_at__isnull", True), ("state__in", ["queued", "sending"])),
                    ("state", "failed"),
                    _connector="OR",
                ),
                name="stripe_meter_event_has_a_time_once_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), _negated=True),
                    models.Q(("error_code", ""), _negated=True),
                    _connector="OR",
                ),
                name="stripe_meter_event_fails_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemeterevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("leased_until__isnull", False), ("state", "sending"), ("unsure_since__isnull", False)),
                    models.Q(models.Q(("state", "sending"), _negated=True), ("leased_until__isnull", True)),
                    _connector="OR",
                ),
                name="stripe_meter_event_is_leased_while_sending",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemode",
            constraint=models.UniqueConstraint(
                fields=("period", "price"), name="stripe_mode_once_per_period_and_price"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripemode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mode", "meters"), ("reason", "")),
                    models.Q(("mode", "lines"), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="stripe_mode_lines_have_a_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="stripetally",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["id"], name="stripe_tally_open"
            ),
        ),
        migrations.AddIndex(
            model_name="stripetally",
            index=models.Index(fields=["account", "meter"], name="stripe_tally_by_account"),
        ),
        migrations.AddConstraint(
            model_name="stripetally",
            constraint=models.UniqueConstraint(
                fields=("period", "meter"), name="stripe_tally_once_per_period_and_meter"
            ),
        ),
        migrations.AddConstraint(
            model_name="stripetally",
            constraint=models.CheckConstraint(
                condition=models.Q(("customer_id", ""), _negated=True), name="stripe_tally_is_of_a_customer"
            ),
        ),
        migrations.RunSQL(KEEP, FREE),
    ]
