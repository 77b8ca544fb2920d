"""When each name was given; null for those of before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0013_digests_of_hours"),
    ]

    operations = [
        migrations.AddField(
            model_name="alias",
            name="named_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When it was given: events that waited for it count since.",
                null=True,
                verbose_name="named at",
            ),
        ),
    ]
