"""How fast calls go out to Stripe, by all workers together."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0031_stripe_invoices_wait"),
    ]

    operations = [
        migrations.CreateModel(
            name="StripePace",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="calls")),
                ("free_at", models.DateTimeField(verbose_name="free from")),
            ],
            options={
                "verbose_name": "pace of calls to Stripe",
                "verbose_name_plural": "paces of calls to Stripe",
            },
        ),
    ]
