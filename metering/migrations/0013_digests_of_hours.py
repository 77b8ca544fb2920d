"""Each hour's digest of its events; null for the hours that were counted before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0012_adjustments_by_zero"),
    ]

    operations = [
        migrations.AddField(
            model_name="hourlyrollup",
            name="digest",
            field=models.DecimalField(
                decimal_places=0,
                help_text="Sum of its events' seals; null where some were counted before there were any.",
                max_digits=90,
                null=True,
            ),
        ),
    ]
