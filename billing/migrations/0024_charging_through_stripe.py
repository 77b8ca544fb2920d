"""Everything of charging through Stripe: who, by which subscriptions, what was told and asked, and where they differ."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0023_paid_at_once"),
        ("metering", "0014_names_since_when"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="price",
            name="charged_by",
            field=models.CharField(
                choices=[("automatic", "Stripe's meters where they can, else lines"), ("lines", "lines of our own")],
                default="automatic",
                help_text="Of accounts that are charged through Stripe; it changes nothing of what they pay.",
                max_length=10,
                verbose_name="charged through Stripe by",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(("charged_by__in", ["automatic", "lines"])), name="price_charged_by_is_known"
            ),
        ),
        migrations.CreateModel(
            name="StripeCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                (
                    "key",
                    models.CharField(
                        help_text="What the call is about; one effect per operation and key.",
                        max_length=200,
                        verbose_name="key",
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=60, unique=True, verbose_name="idempotency key")),
                ("former_keys", models.JSONField(blank=True, default=list, verbose_name="former keys")),
                (
                    "is_key_spent",
                    models.BooleanField(
                        default=False,
                        help_text="Stripe answers this key with a stored failure, whatever is done.",
                        verbose_name="key spent",
                    ),
                ),
                ("params", models.JSONField(default=dict, verbose_name="parameters")),
                (
                    "fingerprint",
                    models.CharField(
                        help_text="Of the parameters (SHA-256).", max_length=64, verbose_name="fingerprint"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sent", "being sent"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("unknown", "outcome unknown"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="times sent")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("first_sent_at", models.DateTimeField(verbose_name="first sent")),
                (
                    "leased_until",
                    models.DateTimeField(
                        help_text="Until then nobody else sends it.", null=True, verbose_name="lease until"
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered")),
                ("stripe_id", models.CharField(blank=True, max_length=255, verbose_name="id at Stripe")),
                ("request_id", models.CharField(blank=True, max_length=100, verbose_name="request id")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                ("error_code", models.CharField(blank=True, max_length=100, verbose_name="error code")),
                ("error_param", models.CharField(blank=True, max_length=200, verbose_name="parameter in error")),
                ("error_message", models.TextField(blank=True, verbose_name="error")),
                ("answer", models.JSONField(null=True, verbose_name="answer")),
            ],
            options={
                "verbose_name": "call to Stripe",
                "verbose_name_plural": "calls to Stripe",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "done"), _negated=True),
                        fields=["first_sent_at"],
                        name="stripe_call_open",
                    ),
                    models.Index(
                        condition=models.Q(("answer__isnull", False)),
                        fields=["answered_at"],
                        name="stripe_call_answer_age",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("operation", "key"), name="stripe_call_once_per_operation_and_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("leased_until__isnull", False), ("state", "sent")),
                            models.Q(models.Q(("state", "sent"), _negated=True), ("leased_until__isnull", True)),
                            _connector="OR",
                        ),
                        name="stripe_call_has_a_lease_exactly_while_sent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(("answered_at__isnull", False), ("error_message", "")),
                            _connector="OR",
                        ),
                        name="stripe_call_done_was_answered",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "refused"), _negated=True),
                            models.Q(("answered_at__isnull", False), models.Q(("error_message", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="stripe_call_refused_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeCheckout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.UUIDField(unique=True, verbose_name="token")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waiting for the card"),
                            ("done", "plan changed"),
                            ("expired", "expired"),
                            ("refused", "refused"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "stripe_id",
                    models.CharField(
                        blank=True, max_length=255, null=True, unique=True, verbose_name="session in Stripe"
                    ),
                ),
                ("url", models.URLField(blank=True, max_length=2000, verbose_name="page")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                ("asked_at", models.DateTimeField(blank=True, null=True, verbose_name="Stripe asked")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
            ],
            options={
                "verbose_name": "checkout",
                "verbose_name_plural": "checkouts",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="stripe_checkout_has_an_end_exactly_when_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "done", "expired", "refused"])),
                        name="stripe_checkout_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "refused"), models.Q(("reason", ""), _negated=True)),
                            models.Q(models.Q(("state", "refused"), _negated=True), ("reason", "")),
                            _connector="OR",
                        ),
                        name="stripe_checkout_says_why_it_was_refused",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stripe_id__isnull", True), ("stripe_id__startswith", "cs_"), _connector="OR"
                        ),
                        name="stripe_checkout_id_is_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=50, unique=True, verbose_name="name")),
                ("reached_at", models.DateTimeField(verbose_name="reached")),
            ],
            options={
                "verbose_name": "cursor in Stripe's lists",
                "verbose_name_plural": "cursors in Stripe's lists",
            },
        ),
        migrations.CreateModel(
            name="StripeCustomer",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "stripe_id",
                    models.CharField(
                        blank=True, max_length=255, null=True, unique=True, verbose_name="customer in Stripe"
                    ),
                ),
                ("number", models.PositiveIntegerField(default=1, verbose_name="number")),
                (
                    "former_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=255),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="former customers in Stripe",
                    ),
                ),
                ("fingerprint", models.CharField(blank=True, max_length=64, verbose_name="fingerprint")),
                ("revision", models.PositiveIntegerField(default=0, verbose_name="revision")),
                ("told_revision", models.PositiveIntegerField(default=0, verbose_name="revision that Stripe knows")),
                ("synced_at", models.DateTimeField(blank=True, null=True, verbose_name="told Stripe")),
                (
                    "tax_number",
                    models.CharField(blank=True, max_length=40, verbose_name="tax number that Stripe knows"),
                ),
                ("tax_id", models.CharField(blank=True, max_length=255, verbose_name="tax number in Stripe")),
                (
                    "payment_method_id",
                    models.CharField(blank=True, max_length=255, verbose_name="payment method in Stripe"),
                ),
                ("card_brand", models.CharField(blank=True, max_length=40, verbose_name="brand of the card")),
                ("card_last4", models.CharField(blank=True, max_length=4, verbose_name="last digits of the card")),
                (
                    "card_expires",
                    models.DateField(
                        blank=True,
                        help_text="The first day of the month in which it does.",
                        null=True,
                        verbose_name="card expires",
                    ),
                ),
                (
                    "problem",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("deleted", "deleted in Stripe"),
                            ("merged", "merged into another customer in Stripe"),
                            ("ambiguous", "several customers in Stripe say that they are this account"),
                            ("refused", "refused by Stripe"),
                        ],
                        max_length=10,
                        verbose_name="problem",
                    ),
                ),
                ("problem_detail", models.TextField(blank=True, verbose_name="what happened")),
                ("problem_at", models.DateTimeField(blank=True, null=True, verbose_name="problem since")),
                ("asked_at", models.DateTimeField(verbose_name="asked for")),
            ],
            options={
                "verbose_name": "Stripe customer",
                "verbose_name_plural": "Stripe customers",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stripe_id__isnull", True), ("stripe_id__startswith", "cus_"), _connector="OR"
                        ),
                        name="stripe_customer_id_is_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("problem__in", ["", "deleted", "merged", "ambiguous", "refused"])),
                        name="stripe_customer_problem_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("problem", ""), ("problem_at__isnull", True), ("problem_detail", "")),
                            models.Q(models.Q(("problem", ""), _negated=True), ("problem_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="stripe_customer_problem_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("card_brand", ""),
                                ("card_expires__isnull", True),
                                ("card_last4", ""),
                                ("payment_method_id", ""),
                            ),
                            models.Q(("payment_method_id", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="stripe_customer_card_is_of_a_payment_method",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("payment_method_id", ""), ("stripe_id__isnull", False), _connector="OR"),
                        name="stripe_customer_has_an_id_before_a_card",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1)), name="stripe_customer_numbered_from_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("told_revision__lte", models.F("revision"))),
                        name="stripe_customer_told_what_there_is",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeDrift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("key", models.CharField(max_length=200, verbose_name="about")),
                ("ours", models.TextField(verbose_name="Palier says")),
                ("theirs", models.TextField(verbose_name="Stripe says")),
                ("difference_minor", models.BigIntegerField(blank=True, null=True, verbose_name="difference")),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("cause", models.TextField(verbose_name="cause")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("repaired", "repaired"), ("accepted", "accepted")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("opened_at", models.DateTimeField(verbose_name="found")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "drift from Stripe",
                "verbose_name_plural": "drifts from Stripe",
                "permissions": [("repair_drift", "Can repair and accept drifts from Stripe")],
                "indexes": [
                    models.Index(fields=["kind", "key"], name="stripe_drift_about"),
                    models.Index(fields=["account", "-opened_at"], name="stripe_drift_by_account"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")), fields=("kind", "key"), name="stripe_drift_open_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("difference_minor__isnull", True),
                            models.Q(("currency", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="stripe_drift_amount_has_a_currency",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_at__isnull", True),
                                ("closed_by__isnull", True),
                                ("reason", ""),
                                ("state", "open"),
                            ),
                            models.Q(("closed_at__isnull", False), ("state", "repaired")),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("closed_by__isnull", False),
                                ("state", "accepted"),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="stripe_drift_is_accepted_by_somebody_with_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stripe_id", models.CharField(max_length=255, unique=True, verbose_name="id")),
                ("type", models.CharField(max_length=200, verbose_name="type")),
                ("is_thin", models.BooleanField(default=False, verbose_name="thin")),
                ("livemode", models.BooleanField(verbose_name="live")),
                ("account", models.CharField(blank=True, max_length=255, verbose_name="account at Stripe")),
                ("api_version", models.CharField(blank=True, max_length=60, verbose_name="API version")),
                ("object_type", models.CharField(blank=True, max_length=100, verbose_name="object")),
                ("object_id", models.CharField(blank=True, max_length=255, verbose_name="object's id")),
                ("created_at", models.DateTimeField(verbose_name="created at Stripe")),
                ("payload", models.TextField(verbose_name="body")),
                (
                    "origin",
                    models.CharField(
                        choices=[("webhook", "told by Stripe"), ("catch_up", "found by asking Stripe")],
                        max_length=10,
                        verbose_name="how it came",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "to be handled"),
                            ("handled", "handled"),
                            ("ignored", "ignored"),
                            ("failed", "failed"),
                        ],
                        default="received",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.TextField(
                        blank=True, help_text="Why it was ignored, or could not be handled.", verbose_name="reason"
                    ),
                ),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("handled_at", models.DateTimeField(null=True, verbose_name="handled")),
                ("replays", models.PositiveIntegerField(default=0, verbose_name="replays")),
            ],
            options={
                "verbose_name": "event from Stripe",
                "verbose_name_plural": "events from Stripe",
                "indexes": [
                    models.Index(fields=["-received_at"], name="stripe_event_newest"),
                    models.Index(fields=["object_id"], name="stripe_event_by_object"),
                    models.Index(
                        condition=models.Q(("state__in", ["received", "failed"])),
                        fields=["state"],
                        name="stripe_event_waiting",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("handled_at__isnull", False), ("state", "handled")),
                            models.Q(models.Q(("state", "handled"), _negated=True), ("handled_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="stripe_event_has_a_time_exactly_when_handled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), ("state__in", ["received", "handled"])),
                            models.Q(("state__in", ["ignored", "failed"]), models.Q(("reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="stripe_event_says_why_it_was_not_handled",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeMeterEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField(verbose_name="starts")),
                ("ends_at", models.DateTimeField(verbose_name="ends")),
                ("revision", models.PositiveIntegerField(default=1, verbose_name="revision")),
                ("part", models.PositiveSmallIntegerField(default=1, verbose_name="part")),
                ("value", models.DecimalField(decimal_places=12, max_digits=38, verbose_name="value")),
                ("timestamp", models.DateTimeField(verbose_name="time told to Stripe")),
                ("identifier", models.CharField(max_length=100, unique=True, verbose_name="identifier")),
                ("event_name", models.CharField(max_length=100, verbose_name="event name in Stripe")),
                ("customer_id", models.CharField(max_length=255, verbose_name="customer in Stripe")),
                (
                    "formula",
                    models.CharField(
                        choices=[("sum", "sum"), ("last", "last value")], max_length=4, verbose_name="formula"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "to be sent"),
                            ("sending", "being sent"),
                            ("accepted", "accepted"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("error_code", models.CharField(blank=True, max_length=100, verbose_name="error")),
                ("error_message", models.TextField(blank=True, verbose_name="what Stripe says")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("leased_until", models.DateTimeField(blank=True, null=True, verbose_name="leased until")),
                ("unsure_since", models.DateTimeField(blank=True, null=True, verbose_name="outcome unknown since")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("accepted_at", models.DateTimeField(blank=True, null=True, verbose_name="accepted")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_meter_events",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                (
                    "replaces",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replacement",
                        to="billing.stripemeterevent",
                        verbose_name="in place of",
                    ),
                ),
            ],
            options={
                "verbose_name": "meter event",
                "verbose_name_plural": "meter events",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "queued")), fields=["due_at", "id"], name="stripe_meter_event_due"
                    ),
                    models.Index(fields=["account", "-timestamp"], name="stripe_meter_event_by_account"),
                    models.Index(
                        condition=models.Q(("state", "failed")), fields=["id"], name="stripe_meter_event_failed"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("period", "meter", "starts_at", "revision", "part"), name="stripe_meter_event_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "sending")),
                        fields=("account", "meter"),
                        name="stripe_meter_event_one_on_its_way",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("starts_at__lt", models.F("ends_at")),
                            ("timestamp__gte", models.F("starts_at")),
                            ("timestamp__lt", models.F("ends_at")),
                        ),
                        name="stripe_meter_event_is_within_its_slice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("part__gte", 1), ("revision__gte", 1)),
                        name="stripe_meter_event_numbered_from_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("accepted_at__isnull", False), ("state__in", ["accepted", "cancelled"])),
                            models.Q(("accepted_at__isnull", True), ("state__in", ["queued", "sending"])),
                            ("state", "failed"),
                            _connector="OR",
                        ),
                        name="stripe_meter_event_has_a_time_once_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "failed"), _negated=True),
                            models.Q(("error_code", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="stripe_meter_event_fails_for_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("leased_until__isnull", False), ("state", "sending"), ("unsure_since__isnull", False)
                            ),
                            models.Q(models.Q(("state", "sending"), _negated=True), ("leased_until__isnull", True)),
                            _connector="OR",
                        ),
                        name="stripe_meter_event_is_leased_while_sending",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeMirroring",
            fields=[
                (
                    "subscription",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("change_id", models.BigIntegerField(default=0, verbose_name="change looked at")),
                ("due_at", models.DateTimeField(blank=True, null=True, verbose_name="looks again")),
                ("number", models.PositiveIntegerField(default=0, verbose_name="number")),
                ("problem", models.TextField(blank=True, verbose_name="problem")),
            ],
            options={
                "verbose_name": "mirroring of a subscription",
                "verbose_name_plural": "mirroring of subscriptions",
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="stripe_mirroring_by_due"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeMode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "mode",
                    models.CharField(
                        choices=[("meters", "Stripe's meters"), ("lines", "lines of our own")],
                        max_length=6,
                        verbose_name="charged by",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=20, verbose_name="because")),
                ("ends_at", models.DateTimeField(verbose_name="period's end")),
                ("decided_at", models.DateTimeField(verbose_name="decided")),
                (
                    "period",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_modes",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                (
                    "price",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.price",
                        verbose_name="price",
                    ),
                ),
            ],
            options={
                "verbose_name": "way a price is charged",
                "verbose_name_plural": "ways prices are charged",
                "constraints": [
                    models.UniqueConstraint(fields=("period", "price"), name="stripe_mode_once_per_period_and_price"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mode", "meters"), ("reason", "")),
                            models.Q(("mode", "lines"), models.Q(("reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="stripe_mode_lines_have_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeObject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("product", "product"),
                            ("meter", "meter"),
                            ("price", "metered price"),
                            ("fee", "flat fee"),
                            ("carrier", "price of nothing"),
                            ("coupon", "coupon"),
                            ("tax_rate", "tax rate"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("key", models.CharField(max_length=40, verbose_name="key")),
                ("stripe_id", models.CharField(blank=True, max_length=255, verbose_name="id in Stripe")),
                (
                    "former_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=255),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="former ids in Stripe",
                    ),
                ),
                ("label", models.CharField(blank=True, max_length=250, verbose_name="name in Stripe")),
                ("fingerprint", models.CharField(blank=True, max_length=64, verbose_name="fingerprint")),
                ("is_active", models.BooleanField(default=True, verbose_name="active in Stripe")),
                ("revision", models.PositiveIntegerField(default=0, verbose_name="revision")),
                ("told", models.PositiveIntegerField(default=0, verbose_name="revision told")),
                ("synced_at", models.DateTimeField(blank=True, null=True, verbose_name="told Stripe")),
                ("problem", models.TextField(blank=True, verbose_name="problem")),
            ],
            options={
                "verbose_name": "catalogue object in Stripe",
                "verbose_name_plural": "catalogue objects in Stripe",
                "ordering": ["kind", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "key"), name="stripe_object_once_per_kind_and_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_id", ""), _negated=True),
                        fields=("stripe_id",),
                        name="stripe_object_id_is_of_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["product", "meter", "price", "fee", "carrier", "coupon", "tax_rate"])
                        ),
                        name="stripe_object_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("told__lte", models.F("revision"))),
                        name="stripe_object_told_within_revision",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stripe_id", ""), ("synced_at__isnull", False), _connector="OR"),
                        name="stripe_object_with_an_id_was_told",
                    ),
                ],
            },
        ),
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
        migrations.CreateModel(
            name="StripeReads",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True, verbose_name="day")),
                ("count", models.PositiveBigIntegerField(default=0, verbose_name="reads")),
            ],
            options={
                "verbose_name": "reads from Stripe",
                "verbose_name_plural": "reads from Stripe",
            },
        ),
        migrations.CreateModel(
            name="StripeSubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("customer_id", models.CharField(max_length=255, verbose_name="customer in Stripe")),
                (
                    "stripe_id",
                    models.CharField(
                        blank=True, max_length=255, null=True, unique=True, verbose_name="subscription in Stripe"
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="starts")),
                ("trial_ends_at", models.DateTimeField(blank=True, null=True, verbose_name="trial ends")),
                ("anchor", models.DateTimeField(verbose_name="anchor")),
                (
                    "anchor_day",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="day of the month"),
                ),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("cycle_starts_at", models.DateTimeField(blank=True, null=True, verbose_name="first cycle starts")),
                ("items", models.JSONField(blank=True, default=dict, verbose_name="items")),
                ("status", models.CharField(blank=True, max_length=30, verbose_name="status in Stripe")),
                ("collection_method", models.CharField(blank=True, max_length=30, verbose_name="collection")),
                ("lost_items", models.JSONField(blank=True, default=list, verbose_name="items gone")),
                ("is_backdated", models.BooleanField(default=False, verbose_name="backdated")),
                ("revision", models.PositiveIntegerField(default=0, verbose_name="revision")),
                ("told_revision", models.PositiveIntegerField(default=0, verbose_name="revision that Stripe knows")),
                ("told_ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends in Stripe")),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_subscriptions",
                        to="billing.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.planversion",
                        verbose_name="version",
                    ),
                ),
            ],
            options={
                "verbose_name": "Stripe subscription",
                "verbose_name_plural": "Stripe subscriptions",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("subscription",),
                        name="stripe_subscription_one_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stripe_id__isnull", True), ("stripe_id__startswith", "sub_"), _connector="OR"
                        ),
                        name="stripe_subscription_id_is_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("customer_id__startswith", "cus_")),
                        name="stripe_subscription_is_of_a_customer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("ends_at__gte", models.F("starts_at")), _connector="OR"
                        ),
                        name="stripe_subscription_ends_after_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("anchor__gte", models.F("starts_at"))),
                        name="stripe_subscription_anchor_not_before_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("trial_ends_at__isnull", True),
                            models.Q(
                                ("trial_ends_at__gt", models.F("starts_at")), ("trial_ends_at__lte", models.F("anchor"))
                            ),
                            _connector="OR",
                        ),
                        name="stripe_subscription_trial_before_its_anchor",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("closed_at__isnull", True),
                            models.Q(("closed_at__gte", models.F("ends_at")), ("ends_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="stripe_subscription_closed_at_its_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("told_revision__lte", models.F("revision"))),
                        name="stripe_subscription_told_what_there_is",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("anchor_day__isnull", True),
                            models.Q(("anchor_day__gte", 1), ("anchor_day__lte", 31)),
                            _connector="OR",
                        ),
                        name="stripe_subscription_anchor_day_is_of_a_month",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("cycle_starts_at__isnull", True),
                                ("items", {}),
                                ("status", ""),
                                ("stripe_id__isnull", True),
                            ),
                            models.Q(
                                ("cycle_starts_at__isnull", False),
                                ("stripe_id__isnull", False),
                                models.Q(("status", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="stripe_subscription_is_known_whole",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            (
                                models.Func(
                                    "subscription_id", "subscription_id", template="int8range(%(expressions)s, '[]')"
                                ),
                                "&&",
                            ),
                            (
                                models.Func(
                                    "starts_at",
                                    "ends_at",
                                    django.contrib.postgres.fields.ranges.RangeBoundary(),
                                    function="TSTZRANGE",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="stripe_subscriptions_do_not_overlap",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "formula",
                    models.CharField(
                        choices=[("sum", "sum"), ("last", "last value")], max_length=4, verbose_name="formula"
                    ),
                ),
                ("event_name", models.CharField(max_length=100, verbose_name="event name in Stripe")),
                ("customer_id", models.CharField(max_length=255, verbose_name="customer in Stripe")),
                ("queued", models.DecimalField(decimal_places=12, default=0, max_digits=38, verbose_name="queued")),
                ("collected_until", models.DateTimeField(verbose_name="collected until")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_tallies",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
            ],
            options={
                "verbose_name": "usage told to Stripe",
                "verbose_name_plural": "usage told to Stripe",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)), fields=["id"], name="stripe_tally_open"
                    ),
                    models.Index(fields=["account", "meter"], name="stripe_tally_by_account"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("period", "meter"), name="stripe_tally_once_per_period_and_meter"),
                    models.CheckConstraint(
                        condition=models.Q(("customer_id", ""), _negated=True), name="stripe_tally_is_of_a_customer"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeDriftMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("opened", "found"),
                            ("changed", "changed"),
                            ("resent", "sent again"),
                            ("adjusted", "adjusted"),
                            ("repaired", "gone"),
                            ("accepted", "accepted"),
                        ],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="when")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who",
                    ),
                ),
                (
                    "drift",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.stripedrift",
                        verbose_name="drift",
                    ),
                ),
            ],
            options={
                "verbose_name": "move of a drift",
                "verbose_name_plural": "moves of drifts",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="StripeInvoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("cycle", "drawn by Stripe as the period ended"),
                            ("own", "made for an invoice"),
                            ("rest", "made for what came too late for another"),
                        ],
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                ("stripe_id", models.CharField(max_length=255, unique=True, verbose_name="Stripe's id")),
                ("number", models.CharField(blank=True, max_length=100, verbose_name="Stripe's number")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("open", "open"),
                            ("paid", "paid"),
                            ("uncollectible", "uncollectible"),
                            ("void", "void"),
                            ("deleted", "deleted"),
                        ],
                        default="draft",
                        max_length=14,
                        verbose_name="state at Stripe",
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("filled", "filled"),
                            ("compared", "compared"),
                            ("finalised", "finalised"),
                            ("stopped", "stopped"),
                        ],
                        default="held",
                        max_length=10,
                        verbose_name="step",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("total_minor", models.BigIntegerField(default=0, verbose_name="total")),
                ("paid_minor", models.BigIntegerField(default=0, verbose_name="paid")),
                ("refunded_minor", models.BigIntegerField(default=0, verbose_name="refunded")),
                ("hosted_invoice_url", models.TextField(blank=True, verbose_name="Stripe's page")),
                ("attempt_count", models.PositiveIntegerField(default=0, verbose_name="attempts to collect it")),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True, verbose_name="next attempt")),
                ("error_code", models.CharField(blank=True, max_length=100, verbose_name="code of the last error")),
                ("error_message", models.TextField(blank=True, verbose_name="last error")),
                (
                    "needs_action",
                    models.BooleanField(default=False, verbose_name="the customer has to confirm the payment"),
                ),
                (
                    "dispute",
                    models.CharField(
                        choices=[("none", "none"), ("open", "open"), ("won", "won"), ("lost", "lost")],
                        default="none",
                        max_length=10,
                        verbose_name="dispute",
                    ),
                ),
                (
                    "refused_count",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="What was refused is asked again under another key.",
                        verbose_name="refused calls",
                    ),
                ),
                (
                    "waiting_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="For usage that Stripe does not show yet.",
                        null=True,
                        verbose_name="waiting since",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("read_at", models.DateTimeField(help_text="Stripe's state as of then.", verbose_name="read")),
                ("finalised_at", models.DateTimeField(blank=True, null=True, verbose_name="finalised")),
                ("paid_at", models.DateTimeField(blank=True, null=True, verbose_name="paid at")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_invoices",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_invoices",
                        to="billing.period",
                        verbose_name="period",
                    ),
                ),
                (
                    "mirror",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.stripesubscription",
                        verbose_name="Stripe subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "Stripe invoice",
                "verbose_name_plural": "Stripe invoices",
                "permissions": [("charge_invoice", "Can try again what Stripe refused")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("step__in", ["held", "filled", "compared"])),
                        fields=["period"],
                        name="stripe_invoices_under_way",
                    ),
                    models.Index(
                        condition=models.Q(("state", "open")), fields=["invoice"], name="stripe_invoices_open"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("role__in", ["cycle", "own"]), models.Q(("state", "deleted"), _negated=True)
                        ),
                        fields=("invoice",),
                        name="stripe_invoice_one_per_invoice",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("role", "rest"), models.Q(("state", "deleted"), _negated=True)),
                        fields=("invoice",),
                        name="stripe_invoice_one_rest_per_invoice",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("role", "cycle"), models.Q(("state", "deleted"), _negated=True)),
                        fields=("period",),
                        name="stripe_invoice_one_cycle_per_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("period__isnull", False), ("role", "cycle")),
                            models.Q(("invoice__isnull", False), ("role__in", ["own", "rest"])),
                            _connector="OR",
                        ),
                        name="stripe_invoice_is_of_a_period_or_an_invoice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("invoice__isnull", False), ("step__in", ["held", "stopped"]), _connector="OR"
                        ),
                        name="stripe_invoice_goes_on_for_an_invoice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("step", "finalised"), _negated=True),
                            ("state__in", ["open", "paid", "uncollectible", "void"]),
                            _connector="OR",
                        ),
                        name="stripe_invoice_finalised_is_no_draft",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("paid_minor__gte", 0), ("refunded_minor__gte", 0)),
                        name="stripe_invoice_amounts_are_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeCreditNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_correction", models.BooleanField(default=False, verbose_name="correction")),
                ("stripe_id", models.CharField(max_length=255, unique=True, verbose_name="Stripe's id")),
                ("number", models.CharField(blank=True, max_length=100, verbose_name="Stripe's number")),
                ("total_minor", models.BigIntegerField(verbose_name="total")),
                ("due_minor", models.BigIntegerField(default=0, verbose_name="taken off what is due")),
                ("refund_minor", models.BigIntegerField(default=0, verbose_name="refunded")),
                ("outside_minor", models.BigIntegerField(default=0, verbose_name="given back outside of Stripe")),
                ("is_void", models.BooleanField(default=False, verbose_name="void")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                (
                    "note",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_notes",
                        to="billing.creditnote",
                        verbose_name="credit note",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stripe_notes",
                        to="billing.payment",
                        verbose_name="payment",
                    ),
                ),
                (
                    "stripe_invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
                        to="billing.stripeinvoice",
                        verbose_name="Stripe invoice",
                    ),
                ),
            ],
            options={
                "verbose_name": "Stripe credit note",
                "verbose_name_plural": "Stripe credit notes",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("total_minor__gt", 0)), name="stripe_credit_note_is_positive"
                    ),
                    models.UniqueConstraint(fields=("stripe_invoice", "note"), name="stripe_credit_note_once_per_note"),
                    models.UniqueConstraint(
                        fields=("stripe_invoice", "payment"), name="stripe_credit_note_once_per_payment"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_correction", True)),
                        fields=("stripe_invoice",),
                        name="stripe_credit_note_corrects_once",
                    ),
                ],
            },
        ),
    ]
