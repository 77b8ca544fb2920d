"""Reminders that were sent. Rows are only added."""

import django.db.models.deletion
from django.db import migrations, models

KEPT = """
CREATE TRIGGER reminder_kept BEFORE UPDATE OR DELETE ON billing_reminder
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""

KEPT_AWAY = "DROP TRIGGER reminder_kept ON billing_reminder;"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0009_moves_and_credit_notes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "email",
                    models.EmailField(
                        blank=True, help_text="Where it went; empty where nobody's address is known.", max_length=254
                    ),
                ),
                ("sent_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="billing.invoice"
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
                "verbose_name_plural": "reminders",
                "constraints": [models.UniqueConstraint(fields=("invoice", "number"), name="reminder_sent_once")],
            },
        ),
        migrations.RunSQL(KEPT, KEPT_AWAY),
    ]
