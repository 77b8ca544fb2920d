"""Which events a line priced: the digest of their set, null for the lines of before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_held_add_ons"),
        ("metering", "0013_digests_of_hours"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoiceline",
            name="event_digest",
            field=models.CharField(
                help_text="Of the set of events that the line prices, in hexadecimal.", max_length=64, null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("event_digest__isnull", True),
                    models.Q(("event_digest__regex", "^[0-9a-f]{64}$"), ("meter__isnull", False)),
                    _connector="OR",
                ),
                name="invoice_line_digest_is_of_metered_events",
            ),
        ),
    ]
