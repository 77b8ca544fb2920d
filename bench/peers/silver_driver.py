# mypy: ignore-errors
# ruff: noqa: S106, S311, I001
"""Run by `silver` in the peer's own environment: set customers up, let its generator bill them, print the rate as JSON.

The same invoice as the others: a flat fee and metered lines with free units and a tax. Nothing of ours is imported.
"""

import datetime as dt
import json
import logging
import os
import random
import sys
import time
from decimal import Decimal

import django
from django.conf import settings
from django.core.management import call_command

FIRST_DAY, LAST_DAY, NEXT_MONTH = dt.date(2026, 10, 1), dt.date(2026, 10, 31), dt.date(2026, 11, 1)
METERS = 3


def configure():
    from cryptography.fernet import Fernet

    settings.configure(
        SECRET_KEY="bench",
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": os.environ["SILVER_HOST"],
                "USER": "postgres",
                "NAME": os.environ["SILVER_DATABASE"],
                "CONN_MAX_AGE": None,
            }
        },
        INSTALLED_APPS=[
            "dal",
            "dal_select2",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.admin",
            "rest_framework",
            "django_filters",
            "silver",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        ROOT_URLCONF="silver.urls",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SILVER_DEFAULT_DUE_DAYS=5,
        SILVER_DOCUMENT_PREFIX="documents/",
        SILVER_DOCUMENT_STORAGE=None,
        SILVER_PAYMENT_TOKEN_EXPIRATION=None,
        SILVER_AUTOMATICALLY_CREATE_TRANSACTIONS=True,
        SILVER_SHOW_PDF_STORAGE_URL=True,
        PAYMENT_METHOD_SECRET=Fernet.generate_key(),
        PAYMENT_PROCESSORS={},
        PAYMENT_DUE_DAYS=5,
        SILENCED_SYSTEM_CHECKS=["admin.E403", "admin.E404", "admin.E408", "admin.E409", "admin.E410"],
    )
    django.setup()
    logging.disable(logging.CRITICAL)
    call_command("migrate", verbosity=0)


def make_customers(count):
    from silver.models import (
        Customer, MeteredFeature, MeteredFeatureUnitsLog, Plan, ProductCode, Provider, Subscription,
    )  # fmt: skip

    provider = Provider.objects.create(
        name="Vendor", company="Vendor", address_1="Street", country="RO", city="City", flow="invoice",
        invoice_series="INV", invoice_starting_number=1, proforma_series="PRO", proforma_starting_number=1,
        default_document_state="issued",
    )  # fmt: skip
    fee, *codes = [ProductCode.objects.create(value=f"code-{number}") for number in range(METERS + 1)]
    plan = Plan.objects.create(
        name="Growth", interval="month", interval_count=1, amount=Decimal(49), currency="EUR", generate_after=0,
        product_code=fee, provider=provider, enabled=True,
    )  # fmt: skip
    meters = [
        MeteredFeature.objects.create(
            name=code.value, unit="unit", price_per_unit=Decimal("0.05"), included_units=50, product_code=code
        )
        for code in codes
    ]
    plan.metered_features.add(*meters)
    draw = random.Random(1)
    customers = []
    for number in range(count):
        customer = Customer.objects.create(
            first_name="First", last_name=f"Last {number}", company="Company", address_1="Street", country="RO",
            city="City", currency="EUR", sales_tax_number="RO1", sales_tax_percent=Decimal(20), sales_tax_name="VAT",
            consolidated_billing=True, payment_due_days=5,
        )  # fmt: skip
        subscription = Subscription.objects.create(plan=plan, customer=customer, start_date=FIRST_DAY)
        subscription.activate(start_date=FIRST_DAY)
        subscription.save()
        for meter in meters:
            MeteredFeatureUnitsLog.objects.create(
                metered_feature=meter, subscription=subscription, start_date=FIRST_DAY, end_date=LAST_DAY,
                consumed_units=Decimal(draw.randint(50, 5_000)),
            )  # fmt: skip
        customers.append(customer)
    return customers


def main():
    configure()
    customers = make_customers(int(sys.argv[1]))
    from silver.documents_generator import DocumentsGenerator
    from silver.models import Invoice

    began = time.perf_counter()
    for customer in customers:
        DocumentsGenerator().generate(billing_date=NEXT_MONTH, customers=[customer])
    took = time.perf_counter() - began
    made = Invoice.objects.count()
    if made != len(customers):
        raise SystemExit(f"{made} invoices for {len(customers)} customers")
    print(json.dumps({"rate": made / took}))


if __name__ == "__main__":
    main()
