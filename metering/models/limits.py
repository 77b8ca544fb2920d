"""What an account may use, what it has used of that, and the levels it reached."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from metering.models.digits import QUANTITY, TOTAL


class Limit(models.Model):
    """What an account may use of one meter within [starts_at, ends_at), and what it has used so far.

    Billing hands the window over and renews it; ingestion adds to `used`. Without a quantity it is unlimited.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="limits", db_index=False)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    quantity = models.DecimalField(**QUANTITY, null=True, blank=True)
    is_hard = models.BooleanField(default=False)
    epoch = models.PositiveIntegerField(default=1, help_text="Grows with each change of the quantity.")
    used = models.DecimalField(**TOTAL, default=0)
    held = models.DecimalField(**TOTAL, default=0, db_default=0, help_text="By reservations that are open.")
    next_crossing = models.DecimalField(**QUANTITY, null=True, blank=True, help_text="The quantity that alerts next.")
    needs_check = models.BooleanField(default=True, help_text="Moved since the last check.")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Its period is final.")
    used_at_close = models.DecimalField(
        **TOTAL, null=True, blank=True, help_text="What was used then: what came later is in the adjustments."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "meter", "starts_at"], name="limit_one_per_window"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="limit_window_is_positive"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True) | Q(quantity__gte=0), name="limit_quantity_is_not_negative"
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="limit_holds_nothing_negative"),
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

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="alerts")
    meter = models.ForeignKey("metering.Meter", models.PROTECT)
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
