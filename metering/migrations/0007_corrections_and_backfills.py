"""Backfills, what was used when a window was closed, and how much of a pruned month was never matched."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0006_imports_tell_what_they_did_not_use"),
    ]

    operations = [
        migrations.AddField(
            model_name="limit",
            name="used_at_close",
            field=models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="What was used then: what came later is in the adjustments.",
                max_digits=50,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="pruning",
            name="unmatched_count",
            field=models.BigIntegerField(default=0, help_text="Of them, those that never found their account."),
        ),
        migrations.AddField(
            model_name="correction",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="For which it was counted; none where it waited for its account.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="metering.account",
            ),
        ),
        migrations.AddIndex(
            model_name="correction",
            index=models.Index(fields=["account", "id"], name="correction_by_account"),
        ),
        migrations.CreateModel(
            name="Backfill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "starts_at",
                    models.DateTimeField(help_text="The hour of the first event of its types that was stored."),
                ),
                ("ends_at", models.DateTimeField(help_text="The end of the hour of the last one.")),
                ("done_until", models.DateTimeField(help_text="The hours before it are counted.")),
                ("event_estimate", models.BigIntegerField(help_text="How many events there were when it began.")),
                ("events_done", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "meter",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="backfill", to="metering.meter"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done_until__lte", models.F("ends_at")), ("starts_at__lte", models.F("done_until"))
                        ),
                        name="backfill_stays_within_its_past",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("done_until__lt", models.F("ends_at")), ("finished_at__isnull", True)),
                            models.Q(("done_until", models.F("ends_at")), ("finished_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="backfill_is_finished_at_its_end",
                    ),
                ],
            },
        ),
    ]
