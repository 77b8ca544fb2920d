from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metering", "0005_every_aggregation_and_every_fate")]

    operations = [
        migrations.AddField(
            "usageimport",
            "unused",
            models.PositiveBigIntegerField(default=0, help_text="Sound, with nothing to count in them."),
        ),
        migrations.AlterField(
            "usageimport",
            "unmatched",
            models.PositiveBigIntegerField(default=0, help_text="Of subjects that are no account yet."),
        ),
    ]
