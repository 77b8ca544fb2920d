"""Billing runs take the place of one job for each period; what was promised so and not done is due, and in the next run."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

DROP_OLD_PROMISES = "DELETE FROM jobs_job WHERE kind = 'billing.close_period' AND state <> 'done'"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_withdrawn_items"),
        ("jobs", "0001_initial"),
        ("metering", "0011_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("previewing", "being previewed"),
                            ("awaiting", "awaits approval"),
                            ("issuing", "being issued"),
                            ("done", "done"),
                            ("cancelled", "cancelled"),
                        ],
                        default="previewing",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="opened")),
                ("entry_count", models.PositiveIntegerField(default=0, verbose_name="periods")),
                ("is_automatic", models.BooleanField(default=False, verbose_name="automatic")),
                ("approved_at", models.DateTimeField(blank=True, null=True, verbose_name="approved")),
                (
                    "approved_count",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="invoices approved"),
                ),
                ("approved_totals", models.JSONField(blank=True, default=dict, verbose_name="totals approved")),
                (
                    "retries",
                    models.PositiveIntegerField(default=0, help_text="How often what had failed was tried again."),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="approved by",
                    ),
                ),
                (
                    "cancelled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="cancelled by",
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="opened by",
                    ),
                ),
            ],
            options={
                "verbose_name": "billing run",
                "verbose_name_plural": "billing runs",
                "permissions": [("run_billing", "Can open, approve, cancel and retry billing runs")],
            },
        ),
        migrations.CreateModel(
            name="BillingRunEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("is_free", models.BooleanField(default=False)),
                ("currency", models.CharField(max_length=3)),
                ("part", models.CharField(max_length=60)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "to be billed"),
                            ("done", "billed"),
                            ("failed", "failed"),
                            ("skipped", "left out"),
                            ("gone", "nothing to bill any more"),
                        ],
                        default="pending",
                        max_length=8,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("closed", "somebody else had billed it meanwhile"),
                            ("changed", "its subscription was changed meanwhile; the next run bills what became of it"),
                            ("cancelled", "the run was cancelled"),
                        ],
                        max_length=10,
                    ),
                ),
                ("error", models.TextField(blank=True, help_text="Why it could not be billed, or not even previewed.")),
                ("attempts", models.PositiveIntegerField(default=0, help_text="How often billing it has failed.")),
                ("retry_at", models.DateTimeField(help_text="When it is tried again by itself.", null=True)),
                ("previewed_at", models.DateTimeField(null=True)),
                ("previewed_minor", models.BigIntegerField(null=True)),
                ("billed_minor", models.BigIntegerField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.account"
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="run_entries",
                        to="billing.invoice",
                    ),
                ),
                (
                    "last_invoice",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.invoice"
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="run_entries",
                        to="billing.period",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="billing.billingrun"
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.subscription"
                    ),
                ),
            ],
            options={
                "verbose_name": "entry of a billing run",
                "verbose_name_plural": "entries of billing runs",
            },
        ),
        migrations.AddIndex(
            model_name="billingrun",
            index=models.Index(
                condition=models.Q(("state__in", ["previewing", "awaiting", "issuing"])),
                fields=["state"],
                name="billing_run_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at__isnull", True), ("state__in", ["previewing", "awaiting"])),
                    models.Q(("approved_at__isnull", False), ("state__in", ["issuing", "done"])),
                    ("state", "cancelled"),
                    _connector="OR",
                ),
                name="billing_run_issues_what_was_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("approved_at__isnull", True), ("approved_by__isnull", True), ("approved_count__isnull", True)
                    ),
                    models.Q(("approved_at__isnull", False), ("approved_count__isnull", False)),
                    _connector="OR",
                ),
                name="billing_run_says_what_was_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", True), ("state__in", ["previewing", "awaiting", "issuing"])),
                    models.Q(("finished_at__isnull", False), ("state__in", ["done", "cancelled"])),
                    _connector="OR",
                ),
                name="billing_run_has_an_end_exactly_when_finished",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("cancelled_by__isnull", True), ("state", "cancelled"), _connector="OR"),
                name="billing_run_cancelled_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="billingrunentry",
            index=models.Index(
                condition=models.Q(("state", "pending")), fields=["part"], name="billing_run_entry_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="billingrunentry",
            index=models.Index(
                condition=models.Q(("state", "failed")), fields=["run"], name="billing_run_entry_failed"
            ),
        ),
        migrations.AddIndex(
            model_name="billingrunentry",
            index=models.Index(
                condition=models.Q(("retry_at__isnull", False)), fields=["retry_at"], name="billing_run_entry_retry"
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["pending", "failed"])),
                fields=("period",),
                name="billing_run_entry_period_in_one_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.UniqueConstraint(fields=("run", "period"), name="billing_run_entry_period_once_in_a_run"),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "gone")),
                fields=("run", "subscription"),
                name="billing_run_entry_gone_once_in_a_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="billing_run_entry_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("billed_minor__isnull", False),
                        ("error", ""),
                        ("state", "done"),
                        models.Q(
                            models.Q(("billed_minor", 0), ("invoice__isnull", True), ("is_free", True)),
                            models.Q(("invoice__isnull", False), ("is_free", False)),
                            _connector="OR",
                        ),
                    ),
                    models.Q(
                        models.Q(("state", "done"), _negated=True),
                        ("billed_minor__isnull", True),
                        ("invoice__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="billing_run_entry_billed_exactly_when_done",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), models.Q(("error", ""), _negated=True), ("attempts__gt", 0)),
                    models.Q(models.Q(("state", "failed"), _negated=True), ("retry_at__isnull", True)),
                    _connector="OR",
                ),
                name="billing_run_entry_says_why_it_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "skipped"), models.Q(("reason", ""), _negated=True)),
                    models.Q(models.Q(("state", "skipped"), _negated=True), ("reason", "")),
                    _connector="OR",
                ),
                name="billing_run_entry_says_why_it_was_left_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "gone"), _negated=True),
                    models.Q(("last_invoice__isnull", False), ("period__isnull", True)),
                    _connector="OR",
                ),
                name="billing_run_entry_gone_had_an_invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrunentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("previewed_minor__isnull", True), ("previewed_at__isnull", False), _connector="OR"),
                name="billing_run_entry_previewed_at_some_time",
            ),
        ),
        migrations.RunSQL(DROP_OLD_PROMISES, migrations.RunSQL.noop),
    ]
