"""Reservations, and what they hold of a limit. What was agreed never changes, and what has ended stays so, by trigger."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

RESERVATION_STANDS = """
CREATE FUNCTION metering_keep_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'held' THEN
            RETURN OLD;
        END IF;
    ELSIF (NEW.id, NEW.account_id, NEW.meter_id, NEW.limit_id, NEW.api_key_id, NEW.idempotency_key, NEW.quantity,
            NEW.passes_limit, NEW.created_at, NEW.expires_at)
        IS NOT DISTINCT FROM (OLD.id, OLD.account_id, OLD.meter_id, OLD.limit_id, OLD.api_key_id, OLD.idempotency_key,
            OLD.quantity, OLD.passes_limit, OLD.created_at, OLD.expires_at)
        AND (OLD.state = 'held' OR (OLD.state = 'expired' AND NEW.state = 'settled'))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'reservation % stands: % refused', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER reservation_stands BEFORE UPDATE OR DELETE ON metering_reservation
    FOR EACH ROW EXECUTE FUNCTION metering_keep_reservation();
"""

RESERVATION_IS_FREE = """
DROP TRIGGER reservation_stands ON metering_reservation;
DROP FUNCTION metering_keep_reservation();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0007_corrections_and_backfills"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "idempotency_key",
                    models.CharField(blank=True, help_text="The caller's own name for it.", max_length=255),
                ),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=38)),
                (
                    "passes_limit",
                    models.BooleanField(default=False, help_text="Granted beyond the limit, which is soft."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("settled", "settled"),
                            ("released", "released"),
                            ("expired", "expired"),
                        ],
                        default="held",
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="When it was settled, released or expired.", null=True),
                ),
                (
                    "settled_quantity",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="What its settlement counted; empty where events do not add up.",
                        max_digits=50,
                        null=True,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="limit",
            name="held",
            field=models.DecimalField(
                db_default=0, decimal_places=12, default=0, help_text="By reservations that are open.", max_digits=50
            ),
        ),
        migrations.AddConstraint(
            model_name="limit",
            constraint=models.CheckConstraint(
                condition=models.Q(("held__gte", 0)), name="limit_holds_nothing_negative"
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reservations", to="metering.account"
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="api_key",
            field=models.ForeignKey(
                blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="metering.apikey"
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="limit",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reservations",
                to="metering.limit",
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="meter",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="metering.meter"),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                condition=models.Q(("state", "held")), fields=["expires_at"], name="reservation_held_until"
            ),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                condition=models.Q(("state", "held")), fields=["limit"], name="reservation_held_of_limit"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key", ""), _negated=True),
                fields=("api_key", "idempotency_key"),
                name="reservation_once_per_idempotency_key",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="reservation_holds_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="reservation_lasts"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state", "held")),
                    models.Q(models.Q(("state", "held"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="reservation_ended_unless_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "settled"), ("settled_quantity__isnull", True), _connector="OR"),
                name="reservation_quantity_once_settled",
            ),
        ),
        migrations.RunSQL(RESERVATION_STANDS, RESERVATION_IS_FREE),
    ]
