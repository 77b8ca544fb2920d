"""How soon a lead wants a call, how bad the worst of it was, and signals that came too soon after a loss."""

from django.db import migrations, models
from django.db.models import Q

IS_OPEN = ~Q(stage__in=["won", "lost"])

# What was one number is two: the level stays, the severity is that of the alerts. Closed leads are told as well.
RANK = """
ALTER TABLE crm_lead DISABLE TRIGGER crm_lead_stays_closed;
UPDATE crm_lead SET
    severity = coalesce((
        SELECT max(array_position(ARRAY['info', 'warning', 'critical'], alert.severity::text))
        FROM crm_signal signal JOIN metering_alert alert ON alert.id = signal.alert_id
        WHERE signal.lead_id = crm_lead.id
    ), 2),
    priority = CASE WHEN level >= 100 THEN 3 ELSE 2 END;
ALTER TABLE crm_lead ENABLE TRIGGER crm_lead_stays_closed;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0002_frozen_history"),
        ("metering", "0016_alerts_say_what_became_of_them"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="lead", name="lead_open_by_severity"),
        migrations.RenameField(model_name="lead", old_name="severity", new_name="level"),
        migrations.AlterField(
            model_name="lead",
            name="level",
            field=models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="The highest level of a limit that was reached, in percent; none where no limit is meant.",
                max_digits=50,
                null=True,
                verbose_name="level",
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="severity",
            field=models.PositiveSmallIntegerField(
                choices=[(1, "information"), (2, "warning"), (3, "critical")],
                default=2,
                help_text="That of the worst alert that joined.",
                verbose_name="severity",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="lead",
            name="priority",
            field=models.PositiveSmallIntegerField(
                choices=[(1, "low"), (2, "normal"), (3, "high")],
                default=2,
                help_text="By what stands at the moment.",
                verbose_name="priority",
            ),
        ),
        migrations.AddField(
            model_name="signal",
            name="is_cooled",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Came too soon after the lead was lost.",
                verbose_name="cooled",
            ),
        ),
        migrations.RunSQL(RANK, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(condition=Q(("priority__in", [1, 2, 3])), name="lead_priority_is_known"),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(condition=Q(("severity__in", [1, 2, 3])), name="lead_severity_is_known"),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=IS_OPEN, fields=["-priority", "-severity", "opened_at"], name="lead_open_by_rank"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(fields=["account", "-closed_at"], name="lead_by_account"),
        ),
    ]
