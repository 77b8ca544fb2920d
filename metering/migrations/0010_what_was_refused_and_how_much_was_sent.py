"""Refused rows with their reasons and bodies, and the figures of each key by the hour."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0009_keys_of_accounts_and_how_fast_they_may_ask"),
    ]

    operations = [
        migrations.CreateModel(
            name="IngestionFigure",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "api_key_id", "hour", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicate", models.BigIntegerField(default=0)),
                ("conflict", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("unmatched", models.BigIntegerField(default=0)),
                ("late", models.BigIntegerField(default=0)),
                ("skipped", models.BigIntegerField(default=0)),
                (
                    "api_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="figures",
                        to="metering.apikey",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["hour"], name="ingestion_figure_by_hour")],
            },
        ),
        migrations.CreateModel(
            name="RejectedEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.UUIDField(help_text="16 bytes of SHA-256 over all that was sent.")),
                ("received_at", models.DateTimeField(help_text="When it was first received.")),
                ("last_at", models.DateTimeField(help_text="When it was received most recently.")),
                ("times", models.PositiveBigIntegerField(default=1)),
                ("source", models.TextField(blank=True)),
                ("event_id", models.TextField(blank=True)),
                ("code", models.CharField(max_length=60)),
                ("field", models.TextField(blank=True)),
                ("message", models.TextField()),
                ("body", models.BinaryField(help_text="What was sent, as far as it is kept.")),
                (
                    "is_whole",
                    models.BooleanField(default=False, help_text="Of a request whose rows could not be told apart."),
                ),
                (
                    "is_cut",
                    models.BooleanField(
                        default=False, help_text="More was sent than is kept, so it cannot be replayed."
                    ),
                ),
                ("replayed_at", models.DateTimeField(null=True)),
                (
                    "replay_fate",
                    models.CharField(blank=True, help_text="What became of it when it was replayed.", max_length=12),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The key's own.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="metering.account",
                    ),
                ),
                (
                    "api_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected_events",
                        to="metering.apikey",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["api_key", "received_at"], name="rejected_event_by_key"),
                    models.Index(fields=["account", "received_at"], name="rejected_event_by_account"),
                    models.Index(
                        condition=models.Q(("event_id", ""), _negated=True),
                        fields=["source", "event_id"],
                        name="rejected_event_by_name",
                    ),
                    models.Index(fields=["last_at"], name="rejected_event_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("api_key", "digest"), name="rejected_event_is_kept_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("replay_fate", ""), ("replayed_at__isnull", True)),
                            models.Q(("replayed_at__isnull", False), models.Q(("replay_fate", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="rejected_event_replayed_has_a_fate",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="correction",
            index=models.Index(
                condition=models.Q(("replacement_id", ""), _negated=True),
                fields=["replacement_source", "replacement_id"],
                name="correction_by_replacement",
            ),
        ),
    ]
