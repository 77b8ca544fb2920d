"""What people read of models and fields on the screens of the back-office. The database does not change."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from config.migrating import RenameForPeople


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0010_what_was_refused_and_how_much_was_sent"),
    ]

    operations = [
        RenameForPeople(
            state_operations=[
                migrations.AlterModelOptions(
                    name="account",
                    options={"verbose_name": "account", "verbose_name_plural": "accounts"},
                ),
                migrations.AlterModelOptions(
                    name="adjustment",
                    options={"verbose_name": "adjustment", "verbose_name_plural": "adjustments"},
                ),
                migrations.AlterModelOptions(
                    name="alert",
                    options={"verbose_name": "alert", "verbose_name_plural": "alerts"},
                ),
                migrations.AlterModelOptions(
                    name="alias",
                    options={"verbose_name": "alias", "verbose_name_plural": "aliases"},
                ),
                migrations.AlterModelOptions(
                    name="apikey",
                    options={"verbose_name": "API key", "verbose_name_plural": "API keys"},
                ),
                migrations.AlterModelOptions(
                    name="backfill",
                    options={
                        "verbose_name": "count of a meter's past",
                        "verbose_name_plural": "counts of meters' past",
                    },
                ),
                migrations.AlterModelOptions(
                    name="catalogue",
                    options={"verbose_name": "catalogue of meters", "verbose_name_plural": "catalogues of meters"},
                ),
                migrations.AlterModelOptions(
                    name="claim",
                    options={"verbose_name": "claim", "verbose_name_plural": "claims"},
                ),
                migrations.AlterModelOptions(
                    name="correction",
                    options={"verbose_name": "correction", "verbose_name_plural": "corrections"},
                ),
                migrations.AlterModelOptions(
                    name="event",
                    options={"verbose_name": "event", "verbose_name_plural": "events"},
                ),
                migrations.AlterModelOptions(
                    name="hourlyrollup",
                    options={"verbose_name": "hourly rollup", "verbose_name_plural": "hourly rollups"},
                ),
                migrations.AlterModelOptions(
                    name="ingestionfigure",
                    options={"verbose_name": "ingestion figure", "verbose_name_plural": "ingestion figures"},
                ),
                migrations.AlterModelOptions(
                    name="limit",
                    options={"verbose_name": "limit", "verbose_name_plural": "limits"},
                ),
                migrations.AlterModelOptions(
                    name="meter",
                    options={"verbose_name": "meter", "verbose_name_plural": "meters"},
                ),
                migrations.AlterModelOptions(
                    name="meterversion",
                    options={"verbose_name": "meter version", "verbose_name_plural": "meter versions"},
                ),
                migrations.AlterModelOptions(
                    name="pruning",
                    options={"verbose_name": "pruned month", "verbose_name_plural": "pruned months"},
                ),
                migrations.AlterModelOptions(
                    name="rejectedevent",
                    options={"verbose_name": "rejected event", "verbose_name_plural": "rejected events"},
                ),
                migrations.AlterModelOptions(
                    name="rejectedline",
                    options={"verbose_name": "rejected line", "verbose_name_plural": "rejected lines"},
                ),
                migrations.AlterModelOptions(
                    name="reservation",
                    options={"verbose_name": "reservation", "verbose_name_plural": "reservations"},
                ),
                migrations.AlterModelOptions(
                    name="tokenbucket",
                    options={"verbose_name": "token bucket", "verbose_name_plural": "token buckets"},
                ),
                migrations.AlterModelOptions(
                    name="usageimport",
                    options={"verbose_name": "usage import", "verbose_name_plural": "usage imports"},
                ),
                migrations.AlterModelOptions(
                    name="valuerollup",
                    options={"verbose_name": "value rollup", "verbose_name_plural": "value rollups"},
                ),
                migrations.AlterField(
                    model_name="account",
                    name="created_at",
                    field=models.DateTimeField(verbose_name="created at"),
                ),
                migrations.AlterField(
                    model_name="account",
                    name="key",
                    field=models.CharField(
                        max_length=120,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,119}\\Z",
                                "Use 1 to 120 letters, digits and . _ : @ - and begin with a letter or a digit.",
                            )
                        ],
                        verbose_name="key",
                    ),
                ),
                migrations.AlterField(
                    model_name="account",
                    name="name",
                    field=models.CharField(max_length=200, verbose_name="name"),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="metering.account", verbose_name="account"
                    ),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="cause",
                    field=models.CharField(
                        choices=[
                            ("late", "usage that arrived late"),
                            ("correction", "a correction"),
                            ("backfill", "a meter that counted its past"),
                        ],
                        max_length=12,
                        verbose_name="cause",
                    ),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="ends_at",
                    field=models.DateTimeField(verbose_name="ends at"),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="limit",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="metering.limit",
                        verbose_name="limit",
                    ),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="made_at",
                    field=models.DateTimeField(verbose_name="made at"),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="meter",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="metering.meter", verbose_name="meter"
                    ),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="quantity",
                    field=models.DecimalField(
                        decimal_places=12,
                        help_text="By how much the window's usage changed.",
                        max_digits=50,
                        verbose_name="quantity",
                    ),
                ),
                migrations.AlterField(
                    model_name="adjustment",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts at"),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="claimed_at",
                    field=models.DateTimeField(
                        blank=True, help_text="When sales took it up.", null=True, verbose_name="claimed at"
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="crossed_at",
                    field=models.DateTimeField(
                        help_text="When the event happened with which it was reached; where usage adds up, the start of its hour.",
                        verbose_name="crossed at",
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="detected_at",
                    field=models.DateTimeField(verbose_name="detected at"),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="ends_at",
                    field=models.DateTimeField(verbose_name="ends at"),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="epoch",
                    field=models.PositiveIntegerField(verbose_name="epoch"),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="is_superseded",
                    field=models.BooleanField(
                        default=False,
                        help_text="Silent: a higher level was reached at the same time, or it spoke before a raise.",
                        verbose_name="is superseded",
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="level",
                    field=models.DecimalField(
                        decimal_places=2, help_text="Percent of the limit.", max_digits=7, verbose_name="level"
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="limit",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="metering.limit", verbose_name="limit"
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="meter",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="metering.meter", verbose_name="meter"
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="quantity",
                    field=models.DecimalField(
                        decimal_places=12, help_text="The limit at that time.", max_digits=38, verbose_name="quantity"
                    ),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts at"),
                ),
                migrations.AlterField(
                    model_name="alert",
                    name="used",
                    field=models.DecimalField(
                        decimal_places=12, help_text="When the level was seen.", max_digits=50, verbose_name="used"
                    ),
                ),
                migrations.AlterField(
                    model_name="alias",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="aliases",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="alias",
                    name="name",
                    field=models.CharField(
                        max_length=120,
                        primary_key=True,
                        serialize=False,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,119}\\Z",
                                "Use 1 to 120 letters, digits and . _ : @ - and begin with a letter or a digit.",
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="account",
                    field=models.ForeignKey(
                        blank=True,
                        help_text="Whose usage it may send and see; every account's when empty.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="created_at",
                    field=models.DateTimeField(editable=False, verbose_name="created at"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="digest",
                    field=models.BinaryField(max_length=32, verbose_name="digest"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="expires_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="expires at"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="name",
                    field=models.CharField(max_length=120, verbose_name="name"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="prefix",
                    field=models.CharField(editable=False, max_length=12, unique=True, verbose_name="prefix"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="previous_digest",
                    field=models.BinaryField(max_length=32, null=True, verbose_name="previous digest"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="previous_expires_at",
                    field=models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="Until when the secret before the last rotation is good.",
                        null=True,
                        verbose_name="previous expires at",
                    ),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="rate_per_second",
                    field=models.PositiveIntegerField(
                        blank=True,
                        help_text="Events a second, on average; as the settings say when empty.",
                        null=True,
                        verbose_name="rate per second",
                    ),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="revoked_at",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="revoked at"),
                ),
                migrations.AlterField(
                    model_name="apikey",
                    name="scopes",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None, verbose_name="scopes"
                    ),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="account",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="For which it was counted; none where it waited for its account.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="event_id",
                    field=models.TextField(verbose_name="event id"),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="kind",
                    field=models.CharField(
                        choices=[("retract", "retracted"), ("replace", "replaced")], max_length=8, verbose_name="kind"
                    ),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="made_at",
                    field=models.DateTimeField(verbose_name="made at"),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="made_by",
                    field=models.CharField(
                        help_text="The API key or the person.", max_length=200, verbose_name="made by"
                    ),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="reason",
                    field=models.CharField(max_length=400, verbose_name="reason"),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="replacement_id",
                    field=models.TextField(blank=True, verbose_name="replacement id"),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="replacement_source",
                    field=models.TextField(blank=True, verbose_name="replacement source"),
                ),
                migrations.AlterField(
                    model_name="correction",
                    name="source",
                    field=models.TextField(help_text="Of the event that no longer counts.", verbose_name="source"),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="account",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="closed_at",
                    field=models.DateTimeField(
                        blank=True, help_text="Its period is final.", null=True, verbose_name="closed at"
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="ends_at",
                    field=models.DateTimeField(verbose_name="ends at"),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="epoch",
                    field=models.PositiveIntegerField(
                        default=1, help_text="Grows with each change of the quantity.", verbose_name="epoch"
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="held",
                    field=models.DecimalField(
                        db_default=0,
                        decimal_places=12,
                        default=0,
                        help_text="By reservations that are open.",
                        max_digits=50,
                        verbose_name="held",
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="is_hard",
                    field=models.BooleanField(default=False, verbose_name="is hard"),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="meter",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="needs_check",
                    field=models.BooleanField(
                        default=True, help_text="Moved since the last check.", verbose_name="needs check"
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="next_crossing",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="The quantity that alerts next.",
                        max_digits=38,
                        null=True,
                        verbose_name="next crossing",
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="quantity",
                    field=models.DecimalField(
                        blank=True, decimal_places=12, max_digits=38, null=True, verbose_name="quantity"
                    ),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="starts_at",
                    field=models.DateTimeField(verbose_name="starts at"),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="used",
                    field=models.DecimalField(decimal_places=12, default=0, max_digits=50, verbose_name="used"),
                ),
                migrations.AlterField(
                    model_name="limit",
                    name="used_at_close",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="What was used then: what came later is in the adjustments.",
                        max_digits=50,
                        null=True,
                        verbose_name="used at close",
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="aggregation",
                    field=models.CharField(
                        choices=[
                            ("count", "count of events"),
                            ("sum", "sum of values"),
                            ("min", "smallest value"),
                            ("max", "greatest value"),
                            ("avg", "average value"),
                            ("latest", "latest value"),
                            ("unique", "number of distinct values"),
                            ("weighted_sum", "level, weighted by time"),
                            ("percentile", "percentile of values"),
                        ],
                        max_length=20,
                        verbose_name="aggregation",
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="carries_over",
                    field=models.BooleanField(
                        default=False,
                        help_text="Its level stays from one period to the next: storage, seats.",
                        verbose_name="carries over",
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="created_at",
                    field=models.DateTimeField(editable=False, verbose_name="created at"),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="key",
                    field=models.SlugField(max_length=60, unique=True, verbose_name="key"),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="name",
                    field=models.CharField(max_length=120, verbose_name="name"),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="percentile",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=3,
                        help_text="Of a percentile alone: above 0, at most 100; nearest rank.",
                        max_digits=6,
                        null=True,
                        verbose_name="percentile",
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="rounding",
                    field=models.CharField(
                        blank=True,
                        choices=[("", "none"), ("round", "half away from zero"), ("ceil", "up"), ("floor", "down")],
                        help_text="Of the quantity of a reading, not of each event.",
                        max_length=8,
                        verbose_name="rounding",
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="rounding_places",
                    field=models.SmallIntegerField(
                        default=0, help_text="Decimals that rounding keeps.", verbose_name="rounding places"
                    ),
                ),
                migrations.AlterField(
                    model_name="meter",
                    name="unit",
                    field=models.CharField(
                        help_text="What one is: request, byte, seat.", max_length=40, verbose_name="unit"
                    ),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="created_at",
                    field=models.DateTimeField(editable=False, verbose_name="created at"),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="dimensions",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120),
                        blank=True,
                        default=list,
                        help_text="Properties to break the quantity down by.",
                        size=None,
                        verbose_name="dimensions",
                    ),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="event_type",
                    field=models.CharField(max_length=120, verbose_name="event type"),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="filter",
                    field=models.JSONField(
                        blank=True,
                        help_text="Which events count; empty for all of the type.",
                        null=True,
                        verbose_name="filter",
                    ),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="meter",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="number",
                    field=models.PositiveIntegerField(verbose_name="number"),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="starts_at",
                    field=models.DateTimeField(
                        blank=True,
                        help_text="A full hour; empty for the first version.",
                        null=True,
                        verbose_name="starts at",
                    ),
                ),
                migrations.AlterField(
                    model_name="meterversion",
                    name="value",
                    field=models.CharField(
                        blank=True,
                        help_text="A property of the data, as in bytes or request.bytes, or arithmetic over them: ceil(ms / 1000).",
                        max_length=500,
                        verbose_name="value",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="account",
                    field=models.ForeignKey(
                        db_index=False,
                        help_text="The key's own.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="api_key",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected_events",
                        to="metering.apikey",
                        verbose_name="API key",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="body",
                    field=models.BinaryField(help_text="What was sent, as far as it is kept.", verbose_name="body"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="code",
                    field=models.CharField(max_length=60, verbose_name="code"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="digest",
                    field=models.UUIDField(
                        help_text="16 bytes of SHA-256 over all that was sent.", verbose_name="digest"
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="event_id",
                    field=models.TextField(blank=True, verbose_name="event id"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="field",
                    field=models.TextField(blank=True, verbose_name="field"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="is_cut",
                    field=models.BooleanField(
                        default=False,
                        help_text="More was sent than is kept, so it cannot be replayed.",
                        verbose_name="is cut",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="is_whole",
                    field=models.BooleanField(
                        default=False,
                        help_text="Of a request whose rows could not be told apart.",
                        verbose_name="is whole",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="last_at",
                    field=models.DateTimeField(help_text="When it was received most recently.", verbose_name="last at"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="message",
                    field=models.TextField(verbose_name="message"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="received_at",
                    field=models.DateTimeField(help_text="When it was first received.", verbose_name="received at"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="replay_fate",
                    field=models.CharField(
                        blank=True,
                        help_text="What became of it when it was replayed.",
                        max_length=12,
                        verbose_name="replay fate",
                    ),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="replayed_at",
                    field=models.DateTimeField(null=True, verbose_name="replayed at"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="source",
                    field=models.TextField(blank=True, verbose_name="source"),
                ),
                migrations.AlterField(
                    model_name="rejectedevent",
                    name="times",
                    field=models.PositiveBigIntegerField(default=1, verbose_name="times"),
                ),
                migrations.AlterField(
                    model_name="rejectedline",
                    name="line_number",
                    field=models.PositiveBigIntegerField(verbose_name="line number"),
                ),
                migrations.AlterField(
                    model_name="rejectedline",
                    name="reason",
                    field=models.CharField(max_length=200, verbose_name="reason"),
                ),
                migrations.AlterField(
                    model_name="rejectedline",
                    name="text",
                    field=models.CharField(max_length=500, verbose_name="text"),
                ),
                migrations.AlterField(
                    model_name="rejectedline",
                    name="usage_import",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected_lines",
                        to="metering.usageimport",
                        verbose_name="usage import",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="account",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reservations",
                        to="metering.account",
                        verbose_name="account",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="api_key",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.apikey",
                        verbose_name="API key",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="created_at",
                    field=models.DateTimeField(verbose_name="created at"),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="ended_at",
                    field=models.DateTimeField(
                        blank=True,
                        help_text="When it was settled, released or expired.",
                        null=True,
                        verbose_name="ended at",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="expires_at",
                    field=models.DateTimeField(verbose_name="expires at"),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="idempotency_key",
                    field=models.CharField(
                        blank=True,
                        help_text="The caller's own name for it.",
                        max_length=255,
                        verbose_name="idempotency key",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="limit",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reservations",
                        to="metering.limit",
                        verbose_name="limit",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="meter",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.meter",
                        verbose_name="meter",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="passes_limit",
                    field=models.BooleanField(
                        default=False, help_text="Granted beyond the limit, which is soft.", verbose_name="passes limit"
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="quantity",
                    field=models.DecimalField(decimal_places=12, max_digits=38, verbose_name="quantity"),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="settled_quantity",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="What its settlement counted; empty where events do not add up.",
                        max_digits=50,
                        null=True,
                        verbose_name="settled quantity",
                    ),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("held", "held"),
                            ("settled", "settled"),
                            ("released", "released"),
                            ("expired", "expired"),
                        ],
                        default="held",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="accepted",
                    field=models.PositiveBigIntegerField(default=0, verbose_name="accepted"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="digest",
                    field=models.CharField(
                        blank=True, help_text="SHA-256 of the bytes read.", max_length=64, verbose_name="digest"
                    ),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="duplicates",
                    field=models.PositiveBigIntegerField(default=0, verbose_name="duplicates"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="file_name",
                    field=models.CharField(max_length=400, verbose_name="file name"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="finished_at",
                    field=models.DateTimeField(null=True, verbose_name="finished at"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="lines",
                    field=models.PositiveBigIntegerField(default=0, verbose_name="lines"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="offset",
                    field=models.PositiveBigIntegerField(default=0, help_text="Bytes read.", verbose_name="offset"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="rejected",
                    field=models.PositiveBigIntegerField(default=0, verbose_name="rejected"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="shift_seconds",
                    field=models.BigIntegerField(
                        default=0, help_text="Added to the file's times.", verbose_name="shift seconds"
                    ),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="source",
                    field=models.CharField(
                        help_text="The events' source; names the file's content.",
                        max_length=200,
                        unique=True,
                        verbose_name="source",
                    ),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="started_at",
                    field=models.DateTimeField(verbose_name="started at"),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="unmatched",
                    field=models.PositiveBigIntegerField(
                        default=0, help_text="Of subjects that are no account yet.", verbose_name="unmatched"
                    ),
                ),
                migrations.AlterField(
                    model_name="usageimport",
                    name="unused",
                    field=models.PositiveBigIntegerField(
                        default=0, help_text="Sound, with nothing to count in them.", verbose_name="unused"
                    ),
                ),
            ],
        ),
    ]
