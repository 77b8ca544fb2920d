"""A key may be one account's own, may be held to a rate, and may get a new secret while the old one runs out.

Buckets are unlogged: each request of a key with a rate writes one, and what a crash forgets is a few seconds of it.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metering", "0008_reservations")]

    operations = [
        migrations.CreateModel(
            name="TokenBucket",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                (
                    "level",
                    models.DecimalField(decimal_places=6, help_text="Tokens left at `filled_at`.", max_digits=24),
                ),
                ("granted", models.PositiveIntegerField(help_text="Tokens that who asked last was given.")),
                ("filled_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL("ALTER TABLE metering_tokenbucket SET UNLOGGED", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="apikey",
            name="account",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose usage it may send and see; every account's when empty.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_keys",
                to="metering.account",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="previous_digest",
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="previous_expires_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Until when the secret before the last rotation is good.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_per_second",
            field=models.PositiveIntegerField(
                blank=True, help_text="Events a second, on average; as the settings say when empty.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate_per_second__isnull", True), ("rate_per_second__gt", 0), _connector="OR"),
                name="api_key_rate_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("previous_digest__isnull", True), ("previous_expires_at__isnull", True)),
                    models.Q(("previous_digest__isnull", False), ("previous_expires_at__isnull", False)),
                    _connector="OR",
                ),
                name="api_key_previous_secret_ends",
            ),
        ),
    ]
