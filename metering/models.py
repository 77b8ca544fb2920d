from typing import TypedDict

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary, RangeOperators
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q


class Digits(TypedDict):
    max_digits: int
    decimal_places: int


QUANTITY: Digits = {"max_digits": 38, "decimal_places": 12}
TOTAL: Digits = {
    "max_digits": 50,
    "decimal_places": 12,
}  # sums of the greatest quantities, a trillion of them

validate_account_key = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,119}\Z",
    "Use 1 to 120 letters, digits and . _ : @ - and begin with a letter or a digit.",
)


class Account(models.Model):
    """The measured party: whoever the vendor's usage is counted for."""

    key = models.CharField(max_length=120, unique=True, validators=[validate_account_key])
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name or self.key


class Alias(models.Model):
    """A name by which events may call an account. The account's own key is one, so that no alias can shadow a key."""

    name = models.CharField(max_length=120, primary_key=True, validators=[validate_account_key])
    account = models.ForeignKey(Account, models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A bearer key. Only its prefix and the SHA-256 of the whole are kept; the key itself is shown once."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Aggregation(models.TextChoices):
    COUNT = "count", "count of events"
    SUM = "sum", "sum of a property"


class Meter(models.Model):
    """How events of one type become a quantity. Frozen by trigger once it has counted."""

    key = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    event_type = models.CharField(max_length=120)
    aggregation = models.CharField(max_length=20, choices=Aggregation.choices)
    value_property = models.CharField(max_length=120, blank=True, help_text="The property of `data` that is summed.")
    unit = models.CharField(max_length=40, help_text="What one is: request, byte, seat.")
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(aggregation="count", value_property="") | (Q(aggregation="sum") & ~Q(value_property="")),
                name="meter_sums_a_property_and_counts_none",
            ),
        ]
        indexes = [models.Index(fields=["event_type"], name="meter_by_event_type")]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One action of one customer. Append-only by trigger; only an unmatched event may still learn its account."""

    claim = models.UUIDField(primary_key=True, help_text="16 bytes of SHA-256 over (source, id): an event counts once.")
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    subject = models.TextField()
    account = models.ForeignKey(Account, models.PROTECT, null=True, db_index=False, db_constraint=False)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.JSONField(default=dict)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, db_index=False, db_constraint=False)

    class Meta:
        indexes = [
            BrinIndex(fields=["happened_at"], name="event_brin_happened_at", pages_per_range=32),
            models.Index(fields=["subject"], condition=Q(account__isnull=True), name="event_unmatched_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class HourlyRollup(models.Model):
    """What one account used of one meter in one UTC hour. Additive; always equal to the raw events.

    Triggers keep a meter and an account that were measured; foreign keys would lock both for each new hour.
    """

    pk = models.CompositePrimaryKey("account_id", "meter_id", "hour")
    account = models.ForeignKey(Account, models.PROTECT, db_index=False, db_constraint=False)
    meter = models.ForeignKey(Meter, models.PROTECT, db_index=False, db_constraint=False)
    hour = models.DateTimeField()
    event_count = models.BigIntegerField()
    total = models.DecimalField(**TOTAL)

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.hour:%Y-%m-%d %H:00}"


class Limit(models.Model):
    """What an account may use of one meter within [starts_at, ends_at), and what it has used so far.

    Billing hands the window over and renews it; ingestion adds to `used`. Without a quantity it is unlimited.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="limits", db_index=False)
    meter = models.ForeignKey(Meter, models.PROTECT, db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    quantity = models.DecimalField(**QUANTITY, null=True, blank=True)
    is_hard = models.BooleanField(default=False)
    epoch = models.PositiveIntegerField(default=1, help_text="Grows with each change of the quantity.")
    used = models.DecimalField(**TOTAL, default=0)
    next_crossing = models.DecimalField(**QUANTITY, null=True, blank=True, help_text="The quantity that alerts next.")
    needs_check = models.BooleanField(default=True, help_text="Moved since the last check.")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Its period is final.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "meter", "starts_at"], name="limit_one_per_window"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="limit_window_is_positive"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True) | Q(quantity__gte=0), name="limit_quantity_is_not_negative"
            ),
            ExclusionConstraint(
                # A one-value range stands for equality, which GiST lacks for integers without btree_gist.
                name="limit_windows_do_not_overlap",
                expressions=[
                    (Func("account_id", "account_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    (Func("meter_id", "meter_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    (
                        Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(needs_check=True), name="limit_to_check")]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.starts_at:%Y-%m-%d}"


class Alert(models.Model):
    """A level of a limit was reached. Once per account, meter, window, epoch and level, by constraint."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="alerts")
    meter = models.ForeignKey(Meter, models.PROTECT)
    limit = models.ForeignKey(Limit, models.PROTECT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    epoch = models.PositiveIntegerField()
    level = models.DecimalField(max_digits=7, decimal_places=2, help_text="Percent of the limit.")
    used = models.DecimalField(**TOTAL, help_text="When the level was seen.")
    quantity = models.DecimalField(**QUANTITY, help_text="The limit at that time.")
    crossed_at = models.DateTimeField(help_text="Start of the hour whose events reached the level.")
    detected_at = models.DateTimeField()
    is_superseded = models.BooleanField(
        default=False, help_text="Silent: a higher level was reached at the same time, or it spoke before a raise."
    )
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When sales took it up.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "meter", "starts_at", "epoch", "level"], name="alert_speaks_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(claimed_at__isnull=True, is_superseded=False), name="alert_unclaimed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.level} %"


class UsageImport(models.Model):
    """How far one file has been read. Moves on in the transaction that stores the events, so a restart is exact."""

    source = models.CharField(max_length=200, unique=True, help_text="The events' source; names the file's content.")
    file_name = models.CharField(max_length=400)
    offset = models.PositiveBigIntegerField(default=0, help_text="Bytes read.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the bytes read.")
    lines = models.PositiveBigIntegerField(default=0)
    accepted = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    unmatched = models.PositiveBigIntegerField(default=0, help_text="Of clients that are no account yet.")
    shift_seconds = models.BigIntegerField(default=0, help_text="Added to the file's times.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.file_name


class RejectedLine(models.Model):
    """A line of an imported file that is no usage, with the reason."""

    usage_import = models.ForeignKey(UsageImport, models.CASCADE, related_name="rejected_lines", db_index=False)
    line_number = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=200)
    text = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["usage_import", "line_number"], name="rejected_line_reported_once"),
        ]

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"
