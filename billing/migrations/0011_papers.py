"""What an invoice freezes for its paper: from whom, to whom and in which language."""

from django.db import migrations, models

import billing.models.profiles
import billing.sellers


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0010_reminders"),
    ]

    operations = [
        migrations.AddField(
            model_name="billingprofile",
            name="address",
            field=models.TextField(
                blank=True,
                help_text="As on an envelope, without the name and the country.",
                max_length=500,
                verbose_name="address",
            ),
        ),
        migrations.AddField(
            model_name="billingprofile",
            name="language",
            field=models.CharField(
                choices=billing.models.profiles.list_languages,
                default=billing.models.profiles.find_language,
                help_text="Of the documents to come; an issued one keeps its own.",
                max_length=10,
                verbose_name="language",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="customer_address",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="invoice",
            name="customer_country",
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name="invoice",
            name="customer_tax_number",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="invoice",
            name="language",
            field=models.CharField(default=billing.models.profiles.find_language, max_length=10),
        ),
        migrations.AddField(
            model_name="invoice",
            name="seller",
            field=models.JSONField(
                default=billing.sellers.name_seller, help_text="Who asks, and how it is paid: billing.sellers."
            ),
        ),
    ]
