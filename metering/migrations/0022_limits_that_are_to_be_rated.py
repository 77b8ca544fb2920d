"""Which limits moved since billing last asked what they cost."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0021_tests_of_no_account"),
    ]

    operations = [
        migrations.AddField(
            model_name="limit",
            name="needs_rating",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Moved since billing last asked what it costs.",
                verbose_name="needs rating",
            ),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(condition=models.Q(("needs_rating", True)), fields=["id"], name="limit_to_rate"),
        ),
    ]
