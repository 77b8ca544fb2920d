"""Rules and levels of alerts, what became of an alert, who is told, forecasts, grades, and why limits changed."""

import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

TELL_STATES = """
ALTER TABLE metering_alert DISABLE TRIGGER alert_is_immutable;
UPDATE metering_alert SET state = 'superseded' WHERE is_superseded;
ALTER TABLE metering_alert ENABLE TRIGGER alert_is_immutable;
"""
TELL_SUPERSEDED = """
ALTER TABLE metering_alert DISABLE TRIGGER alert_is_immutable;
UPDATE metering_alert SET is_superseded = true WHERE state <> 'told';
ALTER TABLE metering_alert ENABLE TRIGGER alert_is_immutable;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0014_names_since_when"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("checked_at", models.DateTimeField(verbose_name="checked at")),
            ],
            options={
                "verbose_name": "check of limits",
                "verbose_name_plural": "checks of limits",
            },
        ),
        migrations.CreateModel(
            name="AlertLevel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.DecimalField(decimal_places=12, max_digits=50, verbose_name="level")),
                (
                    "severity",
                    models.CharField(
                        choices=[("info", "information"), ("warning", "warning"), ("critical", "critical")],
                        default="warning",
                        max_length=8,
                        verbose_name="severity",
                    ),
                ),
            ],
            options={
                "verbose_name": "level",
                "verbose_name_plural": "levels",
                "ordering": ["level"],
            },
        ),
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("usage", "usage"),
                            ("forecast", "forecast"),
                            ("spend", "spend"),
                            ("budget", "budget of the customer's own"),
                            ("credit", "credit balance"),
                            ("commitment", "pace of the commitment"),
                            ("anomaly", "anomaly"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[("percent", "percent"), ("absolute", "quantity or amount")],
                        default="percent",
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[("rising", "rising"), ("falling", "falling")],
                        default="rising",
                        max_length=8,
                        verbose_name="direction",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="is enabled")),
                (
                    "plan",
                    models.CharField(
                        blank=True, help_text="Its slug; empty for every plan.", max_length=50, verbose_name="plan"
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        blank=True,
                        help_text="Of amounts; empty where there are none.",
                        max_length=3,
                        verbose_name="currency",
                    ),
                ),
                (
                    "repeat_step",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="A level again at each such step beyond the outermost.",
                        max_digits=50,
                        null=True,
                        verbose_name="repeat every",
                    ),
                ),
                (
                    "rearm_points",
                    models.DecimalField(
                        decimal_places=12,
                        default=5,
                        help_text="A level speaks again once it was left by so much.",
                        max_digits=50,
                        verbose_name="re-arm below by",
                    ),
                ),
                (
                    "renotify_hours",
                    models.PositiveIntegerField(
                        default=24,
                        help_text="Hours in which the same level speaks once.",
                        verbose_name="not again within",
                    ),
                ),
                ("p_on", models.DecimalField(decimal_places=3, default="0.8", max_digits=4, verbose_name="alarm from")),
                ("p_off", models.DecimalField(decimal_places=3, default="0.5", max_digits=4, verbose_name="clear at")),
                ("confirmations", models.PositiveSmallIntegerField(default=2, verbose_name="runs in a row")),
                ("min_days", models.PositiveSmallIntegerField(default=7, verbose_name="days of data")),
                ("tells_rep", models.BooleanField(default=True, verbose_name="tells sales")),
                ("tells_members", models.BooleanField(default=True, verbose_name="tells the account's members")),
                ("tells_webhook", models.BooleanField(default=True, verbose_name="tells webhooks")),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="quiet from")),
                (
                    "quiet_until",
                    models.TimeField(
                        blank=True,
                        help_text="By the account's clock. What is critical speaks.",
                        null=True,
                        verbose_name="quiet until",
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        choices=[("none", "at once"), ("daily", "once a day"), ("weekly", "once a week")],
                        default="none",
                        max_length=8,
                        verbose_name="digest",
                    ),
                ),
            ],
            options={
                "verbose_name": "alert rule",
                "verbose_name_plural": "alert rules",
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "token",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        help_text="Its Message-ID is made of it.",
                        unique=True,
                        verbose_name="token",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("mail", "e-mail"), ("webhook", "webhook")], max_length=8, verbose_name="channel"
                    ),
                ),
                ("recipient", models.CharField(max_length=500, verbose_name="recipient")),
                ("language", models.CharField(blank=True, max_length=10, verbose_name="language")),
                ("subject", models.CharField(max_length=200, verbose_name="subject")),
                ("text", models.TextField(verbose_name="text")),
                ("html", models.TextField(blank=True, verbose_name="HTML")),
                ("headers", models.JSONField(blank=True, default=dict, verbose_name="headers")),
                (
                    "state",
                    models.CharField(
                        choices=[("queued", "queued"), ("sending", "sending"), ("sent", "sent"), ("failed", "failed")],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "rounds",
                    models.PositiveIntegerField(
                        default=1, help_text="How often it was promised to be sent.", verbose_name="rounds"
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("error", models.TextField(blank=True, help_text="Why the last attempt failed.", verbose_name="error")),
                (
                    "answer_status",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="status of the answer"),
                ),
                ("answer_text", models.CharField(blank=True, max_length=500, verbose_name="answer")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.CreateModel(
            name="Forecast",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("epoch", models.PositiveIntegerField(verbose_name="epoch")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("used", models.DecimalField(decimal_places=12, max_digits=50, verbose_name="used")),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="The limit then.",
                        max_digits=38,
                        null=True,
                        verbose_name="quantity",
                    ),
                ),
                (
                    "is_learning",
                    models.BooleanField(
                        default=False, help_text="Too few days of data to alarm.", verbose_name="is learning"
                    ),
                ),
                ("days_of_data", models.DecimalField(decimal_places=2, max_digits=7, verbose_name="days of data")),
                ("p_hit", models.DecimalField(decimal_places=3, max_digits=4, null=True, verbose_name="chance")),
                (
                    "hit_low",
                    models.DateTimeField(
                        help_text="10 % of the cases before.", null=True, verbose_name="reached at the earliest"
                    ),
                ),
                ("hit_mid", models.DateTimeField(null=True, verbose_name="reached at about")),
                (
                    "hit_high",
                    models.DateTimeField(
                        help_text="10 % of the cases after.", null=True, verbose_name="reached at the latest"
                    ),
                ),
                (
                    "total_low",
                    models.DecimalField(decimal_places=12, max_digits=50, verbose_name="total at close, low"),
                ),
                ("total_mid", models.DecimalField(decimal_places=12, max_digits=50, verbose_name="total at close")),
                (
                    "total_high",
                    models.DecimalField(decimal_places=12, max_digits=50, verbose_name="total at close, high"),
                ),
                (
                    "run_rate_total",
                    models.DecimalField(decimal_places=12, max_digits=50, verbose_name="total at close by run-rate"),
                ),
                ("reason", models.CharField(blank=True, max_length=30, verbose_name="reason")),
                ("reason_params", models.JSONField(default=dict, verbose_name="figures of the reason")),
                ("was_reached", models.BooleanField(null=True, verbose_name="was reached")),
                ("reached_at", models.DateTimeField(null=True, verbose_name="reached at")),
                (
                    "closing_total",
                    models.DecimalField(decimal_places=12, max_digits=50, null=True, verbose_name="total in the end"),
                ),
                ("graded_at", models.DateTimeField(null=True, verbose_name="graded at")),
            ],
            options={
                "verbose_name": "forecast",
                "verbose_name_plural": "forecasts",
            },
        ),
        migrations.CreateModel(
            name="ForecastCalibration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                (
                    "series_count",
                    models.PositiveIntegerField(help_text="Histories that it was learnt from.", verbose_name="series"),
                ),
                (
                    "data",
                    models.JSONField(
                        help_text="By the length of a bucket: sums that the maths can read.", verbose_name="data"
                    ),
                ),
            ],
            options={
                "verbose_name": "calibration of the forecast",
                "verbose_name_plural": "calibrations of the forecast",
            },
        ),
        migrations.CreateModel(
            name="LimitChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("epoch", models.PositiveIntegerField(help_text="That begins with it.", verbose_name="epoch")),
                (
                    "before",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="Empty: unlimited.",
                        max_digits=38,
                        null=True,
                        verbose_name="before",
                    ),
                ),
                (
                    "after",
                    models.DecimalField(
                        decimal_places=12, help_text="Empty: unlimited.", max_digits=38, null=True, verbose_name="after"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("upgrade", "a plan that allows more"),
                            ("downgrade", "a plan that allows less"),
                            ("topup", "more was bought"),
                            ("override", "set by hand"),
                            ("renewal", "another version of the plan"),
                        ],
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "change of a limit",
                "verbose_name_plural": "changes of limits",
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audience",
                    models.CharField(
                        choices=[("rep", "sales"), ("members", "the account's members"), ("webhook", "webhooks")],
                        max_length=8,
                        verbose_name="audience",
                    ),
                ),
                (
                    "occasion",
                    models.CharField(
                        choices=[
                            ("raised", "raised"),
                            ("reminded", "reminded"),
                            ("recovered", "recovered"),
                            ("test", "test"),
                        ],
                        max_length=10,
                        verbose_name="occasion",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("told", "told"),
                            ("nobody", "nobody to tell"),
                            ("superseded", "no longer worth telling"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        choices=[("none", "at once"), ("daily", "once a day"), ("weekly", "once a week")],
                        default="none",
                        max_length=8,
                        verbose_name="digest",
                    ),
                ),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                (
                    "due_at",
                    models.DateTimeField(
                        help_text="After quiet hours, or when its digest is written.", verbose_name="due at"
                    ),
                ),
                (
                    "decided_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When its messages were written, or none was.",
                        null=True,
                        verbose_name="decided at",
                    ),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
            },
        ),
        migrations.CreateModel(
            name="RuleSet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                ("is_live", models.BooleanField(default=False, verbose_name="is live")),
            ],
            options={
                "verbose_name": "rule set",
                "verbose_name_plural": "rule sets",
            },
        ),
        migrations.CreateModel(
            name="Snooze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateTimeField(blank=True, null=True, verbose_name="until")),
                (
                    "until_level",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="In percent of the limit.",
                        max_digits=50,
                        null=True,
                        verbose_name="until level",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("made_by", models.CharField(max_length=254, verbose_name="made by")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
            ],
            options={
                "verbose_name": "snooze",
                "verbose_name_plural": "snoozes",
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                ("url", models.URLField(max_length=500, verbose_name="address")),
                (
                    "occasions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("raised", "raised"),
                                ("reminded", "reminded"),
                                ("recovered", "recovered"),
                                ("test", "test"),
                            ],
                            max_length=10,
                        ),
                        blank=True,
                        default=list,
                        help_text="Everything when empty.",
                        size=None,
                        verbose_name="told of",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="is enabled")),
                ("secret", models.CharField(editable=False, max_length=100)),
                ("previous_secret", models.CharField(blank=True, editable=False, max_length=100)),
                (
                    "previous_until",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="Until when requests are signed by the secret before the last rotation as well.",
                        null=True,
                        verbose_name="previous until",
                    ),
                ),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created at")),
            ],
            options={
                "verbose_name": "webhook endpoint",
                "verbose_name_plural": "webhook endpoints",
            },
        ),
        migrations.RemoveConstraint(
            model_name="alert",
            name="alert_speaks_once",
        ),
        migrations.RemoveIndex(
            model_name="alert",
            name="alert_unclaimed",
        ),
        migrations.AddField(
            model_name="alert",
            name="acted_on_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When a person first did something about it.",
                null=True,
                verbose_name="acted on at",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="arming",
            field=models.PositiveIntegerField(
                db_default=1,
                default=1,
                help_text="Grows each time the level was left and armed again.",
                verbose_name="arming",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="cause",
            field=models.CharField(
                choices=[
                    ("usage", "usage"),
                    ("limit_changed", "the limit was changed"),
                    ("limit_is_new", "used before this limit was there"),
                    ("catch_up", "found late, after an outage"),
                ],
                db_default="usage",
                default="usage",
                max_length=14,
                verbose_name="cause",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="details",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="What its kind has: a forecast's dates, an anomaly's size.",
                verbose_name="details",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="graded_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="graded at"),
        ),
        migrations.AddField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("usage", "usage"),
                    ("forecast", "forecast"),
                    ("spend", "spend"),
                    ("budget", "budget of the customer's own"),
                    ("credit", "credit balance"),
                    ("commitment", "pace of the commitment"),
                    ("anomaly", "anomaly"),
                ],
                db_default="usage",
                default="usage",
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("reached", "the limit was reached"),
                    ("not_reached", "the limit was not reached"),
                    ("not_graded", "nothing to grade"),
                ],
                db_default="",
                default="",
                max_length=12,
                verbose_name="outcome",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="p_hit",
            field=models.DecimalField(
                decimal_places=3,
                help_text="Of reaching the limit, as forecast then.",
                max_digits=4,
                null=True,
                verbose_name="chance",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="plan",
            field=models.CharField(blank=True, db_default="", default="", max_length=50, verbose_name="plan"),
        ),
        migrations.AddField(
            model_name="alert",
            name="reached_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="limit reached at"),
        ),
        migrations.AddField(
            model_name="alert",
            name="recovery",
            field=models.CharField(
                blank=True,
                choices=[
                    ("fell", "fell below"),
                    ("limit_changed", "the limit was changed"),
                    ("forecast_fell", "no longer expected"),
                    ("window_ended", "its window ended"),
                ],
                db_default="",
                default="",
                max_length=14,
                verbose_name="resolved because",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="reminded_at",
            field=models.DateTimeField(
                blank=True, help_text="After a snooze, once.", null=True, verbose_name="reminded at"
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="resolved_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="resolved at"),
        ),
        migrations.AddField(
            model_name="alert",
            name="severity",
            field=models.CharField(
                choices=[("info", "information"), ("warning", "warning"), ("critical", "critical")],
                db_default="warning",
                default="warning",
                max_length=8,
                verbose_name="severity",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="silence",
            field=models.CharField(
                blank=True,
                choices=[
                    ("flap", "spoke a short while ago"),
                    ("snoozed", "snoozed"),
                    ("late", "late, its period is final"),
                ],
                db_default="",
                default="",
                max_length=10,
                verbose_name="kept silent because",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="state",
            field=models.CharField(
                choices=[
                    ("told", "told"),
                    ("superseded", "superseded by a higher level"),
                    ("suppressed", "kept silent"),
                ],
                db_default="told",
                default="told",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="subject",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What it is about, where no meter says so: a currency, a budget, a subscription.",
                max_length=100,
                verbose_name="subject",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="time_zone",
            field=models.CharField(db_default="UTC", default="UTC", max_length=60, verbose_name="time zone"),
        ),
        migrations.AddField(
            model_name="alert",
            name="unit",
            field=models.CharField(
                choices=[("percent", "percent"), ("absolute", "quantity or amount")],
                db_default="percent",
                default="percent",
                max_length=10,
                verbose_name="unit",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="forecast_at",
            field=models.DateTimeField(
                blank=True,
                help_text="The hour of the last forecast; empty before the first.",
                null=True,
                verbose_name="forecast at",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="graded_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="graded at"),
        ),
        migrations.AddField(
            model_name="limit",
            name="needs_forecast",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Moved since the last forecast.",
                verbose_name="needs a forecast",
            ),
        ),
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
        migrations.AddField(
            model_name="limit",
            name="plan",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Whose terms they are: its slug.",
                max_length=50,
                verbose_name="plan",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="reached_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="limit reached at"),
        ),
        migrations.AddField(
            model_name="limit",
            name="time_zone",
            field=models.CharField(
                db_default="UTC",
                default="UTC",
                help_text="Of the account's own calendar.",
                max_length=60,
                verbose_name="time zone",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="used_at_change",
            field=models.DecimalField(
                db_default=0,
                decimal_places=12,
                default=0,
                help_text="When its present quantity was set.",
                max_digits=50,
                verbose_name="used at change",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="was_reached",
            field=models.BooleanField(
                blank=True,
                help_text="In the end; nothing of an unlimited window.",
                null=True,
                verbose_name="was reached",
            ),
        ),
        migrations.AddField(
            model_name="limit",
            name="was_to_end_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Of a window that was cut, by a change of the plan.",
                null=True,
                verbose_name="was to end at",
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="level",
            field=models.DecimalField(decimal_places=12, max_digits=50, verbose_name="level"),
        ),
        migrations.AlterField(
            model_name="alert",
            name="limit",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, to="metering.limit", verbose_name="limit"
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="meter",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, to="metering.meter", verbose_name="meter"
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="quantity",
            field=models.DecimalField(
                decimal_places=12,
                help_text="The limit or other base then; none of an absolute level.",
                max_digits=50,
                null=True,
                verbose_name="quantity",
            ),
        ),
        migrations.AlterField(
            model_name="limit",
            name="next_crossing",
            field=models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="The quantity that alerts next.",
                max_digits=50,
                null=True,
                verbose_name="next crossing",
            ),
        ),
        migrations.AddIndex(
            model_name="hourlyrollup",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["hour"], name="rollup_by_hour", pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(condition=models.Q(("needs_forecast", True)), fields=["id"], name="limit_to_forecast"),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(
                condition=models.Q(("graded_at__isnull", True)), fields=["ends_at"], name="limit_ungraded"
            ),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(
                condition=models.Q(("graded_at__isnull", False)), fields=["ends_at"], name="limit_graded"
            ),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(condition=models.Q(("needs_rating", True)), fields=["id"], name="limit_to_rate"),
        ),
        migrations.AddIndex(
            model_name="limit",
            index=models.Index(
                condition=models.Q(("plan", ""), _negated=True),
                fields=["plan", "meter", "-ends_at"],
                name="limit_by_plan",
            ),
        ),
        migrations.AddConstraint(
            model_name="limit",
            constraint=models.CheckConstraint(
                condition=models.Q(("graded_at__isnull", False), ("was_reached__isnull", True), _connector="OR"),
                name="limit_is_graded_at_a_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="limit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reached_at__isnull", False), ("was_reached", True)),
                    models.Q(
                        ("reached_at__isnull", True),
                        models.Q(("was_reached", False), ("was_reached__isnull", True), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="limit_has_a_moment_exactly_when_reached",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcheck",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="alert_check_is_one"),
        ),
        migrations.AddField(
            model_name="alertrule",
            name="account",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="alertrule",
            name="meter",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="metering.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddField(
            model_name="alertlevel",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="levels",
                to="metering.alertrule",
                verbose_name="rule",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="rule",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="metering.alertrule",
                verbose_name="rule",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("claimed_at__isnull", True), ("state", "told")),
                fields=["id"],
                name="alert_unclaimed",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["account", "-detected_at"], name="alert_by_account"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["limit", "epoch"], name="alert_by_limit"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("graded_at__isnull", True)), fields=["ends_at"], name="alert_ungraded"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("resolved_at__isnull", True)), fields=["ends_at"], name="alert_standing"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                fields=("account", "kind", "unit", "meter", "subject", "starts_at", "epoch", "level", "arming"),
                name="alert_speaks_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "suppressed"), models.Q(("silence", ""), _negated=True)),
                    models.Q(models.Q(("state", "suppressed"), _negated=True), ("silence", "")),
                    _connector="OR",
                ),
                name="alert_says_why_it_is_silent",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("recovery", ""), ("resolved_at__isnull", True)),
                    models.Q(("resolved_at__isnull", False), models.Q(("recovery", ""), _negated=True)),
                    _connector="OR",
                ),
                name="alert_says_why_it_is_resolved",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("graded_at__isnull", True), ("outcome", "")),
                    models.Q(("graded_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="alert_says_what_it_was_worth",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="alert_window_is_positive"
            ),
        ),
        migrations.AddField(
            model_name="forecast",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="forecast",
            name="limit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="forecasts",
                to="metering.limit",
                verbose_name="limit",
            ),
        ),
        migrations.AddField(
            model_name="forecast",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.meter", verbose_name="meter"
            ),
        ),
        migrations.AddField(
            model_name="forecastcalibration",
            name="meter",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="metering.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddField(
            model_name="limitchange",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="limitchange",
            name="limit",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="metering.limit",
                verbose_name="limit",
            ),
        ),
        migrations.AddField(
            model_name="limitchange",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.meter", verbose_name="meter"
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="account",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="alert",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notices",
                to="metering.alert",
                verbose_name="alert",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="first_notice",
            field=models.ForeignKey(
                help_text="The oldest that it covers: no other message to this recipient does.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="metering.notice",
                verbose_name="first notice",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="notices",
            field=models.ManyToManyField(related_name="deliveries", to="metering.notice", verbose_name="notices"),
        ),
        migrations.AddConstraint(
            model_name="ruleset",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_live", True)), fields=("is_live",), name="rule_set_one_is_live"
            ),
        ),
        migrations.AddField(
            model_name="alertrule",
            name="rule_set",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="metering.ruleset",
                verbose_name="rule set",
            ),
        ),
        migrations.AddField(
            model_name="snooze",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="snoozes",
                to="metering.account",
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            model_name="snooze",
            name="meter",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty for all.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="metering.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("secret", ""), _negated=True), name="webhook_endpoint_has_a_secret"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("previous_secret", ""), ("previous_until__isnull", True)),
                    models.Q(models.Q(("previous_secret", ""), _negated=True), ("previous_until__isnull", False)),
                    _connector="OR",
                ),
                name="webhook_endpoint_previous_secret_ends",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="endpoint",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="metering.webhookendpoint",
                verbose_name="webhook endpoint",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertlevel",
            constraint=models.UniqueConstraint(fields=("rule", "level"), name="alert_level_once_per_rule"),
        ),
        migrations.AddConstraint(
            model_name="alertlevel",
            constraint=models.CheckConstraint(
                condition=models.Q(("level__gte", 0)), name="alert_level_is_not_negative"
            ),
        ),
        migrations.AddIndex(
            model_name="forecast",
            index=models.Index(fields=["limit", "-made_at"], name="forecast_by_limit"),
        ),
        migrations.AddIndex(
            model_name="forecast",
            index=models.Index(
                condition=models.Q(("graded_at__isnull", True)), fields=["made_at"], name="forecast_ungraded"
            ),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.UniqueConstraint(fields=("limit", "epoch", "made_at"), name="forecast_one_per_moment"),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("p_hit__isnull", True), models.Q(("p_hit__gte", 0), ("p_hit__lte", 1)), _connector="OR"
                ),
                name="forecast_chance_is_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closing_total__isnull", True), ("graded_at__isnull", True)),
                    models.Q(("closing_total__isnull", False), ("graded_at__isnull", False)),
                    _connector="OR",
                ),
                name="forecast_is_graded_by_its_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("total_low__lte", models.F("total_mid")), ("total_mid__lte", models.F("total_high"))
                ),
                name="forecast_totals_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("hit_high__isnull", True), ("hit_low__isnull", True), ("hit_mid__isnull", True)),
                    models.Q(
                        ("hit_high__isnull", False),
                        ("hit_low__isnull", False),
                        ("hit_low__lte", models.F("hit_mid")),
                        ("hit_mid__isnull", False),
                        ("hit_mid__lte", models.F("hit_high")),
                    ),
                    _connector="OR",
                ),
                name="forecast_dates_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="forecastcalibration",
            constraint=models.UniqueConstraint(fields=("meter",), name="calibration_one_each", nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name="limitchange",
            constraint=models.UniqueConstraint(
                fields=("account", "meter", "at", "limit", "epoch"),
                name="limit_change_is_told_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="limitchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("before", models.F("after")), _negated=True),
                    models.Q(("before__isnull", False), ("after__isnull", False), _connector="OR"),
                ),
                name="limit_change_changes",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("state", "waiting"), models.Q(("digest", "none"), _negated=True)),
                fields=["account", "audience", "due_at"],
                name="notice_waiting_for_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                fields=("alert", "audience", "occasion"), name="notice_once_per_audience_and_occasion"
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("alert__isnull", True), ("occasion", "test")),
                    models.Q(
                        models.Q(("occasion", "test"), _negated=True),
                        ("account__isnull", False),
                        ("alert__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="notice_has_an_alert_unless_it_is_a_test",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("state", "waiting")),
                    models.Q(models.Q(("state", "waiting"), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="notice_is_decided_once_it_waits_no_more",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.UniqueConstraint(fields=("rule_set", "name"), name="alert_rule_one_per_name"),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("account__isnull", True), ("plan", ""), _connector="OR"),
                name="alert_rule_has_one_scope",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("repeat_step__isnull", True), ("repeat_step__gt", 0), _connector="OR"),
                name="alert_rule_step_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("rearm_points__gte", 0)), name="alert_rule_rearms_at_or_below"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("p_off__gte", 0), ("p_off__lt", models.F("p_on")), ("p_on__lte", 1)),
                name="alert_rule_chances_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmations__gte", 1)), name="alert_rule_confirms_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_from__isnull", True), ("quiet_until__isnull", True)),
                    models.Q(
                        ("quiet_from__isnull", False),
                        ("quiet_until__isnull", False),
                        models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="alert_rule_quiet_has_both_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="snooze",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__isnull", False), ("until_level__isnull", False), _connector="OR"),
                name="snooze_has_an_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="snooze",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("account", "meter"),
                name="snooze_one_runs",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["-made_at"], name="delivery_by_time"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                fields=("first_notice", "channel", "recipient"), name="delivery_once_per_notice_and_recipient"
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("sent_at__isnull", False), ("state", "sent")),
                    models.Q(models.Q(("state", "sent"), _negated=True), ("sent_at__isnull", True)),
                    _connector="OR",
                ),
                name="delivery_has_a_time_exactly_when_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), _negated=True),
                    models.Q(("error", ""), _negated=True),
                    _connector="OR",
                ),
                name="delivery_says_why_it_failed",
            ),
        ),
        migrations.RunSQL(TELL_STATES, TELL_SUPERSEDED),
        migrations.RemoveField(
            model_name="alert",
            name="is_superseded",
        ),
    ]
