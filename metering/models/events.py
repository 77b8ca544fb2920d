"""What happened, what it came to by the hour, and what was corrected."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from metering.models.digits import MOMENT, SEALS, TOTAL


class Claim(models.Model):
    """A source and an id that an event has taken, for ever: also after the event itself was pruned."""

    claim = models.UUIDField(primary_key=True, help_text="16 bytes of SHA-256 over (source, id): an event counts once.")
    digest = models.BigIntegerField(help_text="8 bytes over the content: tells the same event from another.")
    received_at = models.DateTimeField(help_text="When its event was received: leads to its month and its place there.")

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")

    def __str__(self) -> str:
        return str(self.claim)


class Event(models.Model):
    """One action of one customer. Append-only by trigger; only an unmatched event may still learn its account.

    Partitioned by the month of `received_at`; the partitions are made by `metering_open_month`.
    """

    pk = models.CompositePrimaryKey("received_at", "source", "event_id")
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    account = models.ForeignKey("metering.Account", models.PROTECT, null=True, db_index=False, db_constraint=False)
    api_key = models.ForeignKey("metering.ApiKey", models.PROTECT, null=True, db_index=False, db_constraint=False)
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    subject = models.TextField()
    data = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            BrinIndex(fields=["happened_at"], name="event_brin_happened_at", pages_per_range=32),
            BrinIndex(fields=["received_at"], name="event_brin_received_at", pages_per_range=32, autosummarize=True),
            models.Index(fields=["subject"], condition=Q(account__isnull=True), name="event_unmatched_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class HourlyRollup(models.Model):
    """What one account used of one meter in one UTC hour, for one set of dimension values; equal to the raw events.

    `dimensions` is empty, or a JSON list of the values in the version's order. What an aggregation does not need is
    null. Triggers keep a meter and an account that were measured; foreign keys would lock both for each new hour.
    """

    pk = models.CompositePrimaryKey("account_id", "meter_id", "hour", "dimensions")
    account = models.ForeignKey("metering.Account", models.PROTECT, db_index=False, db_constraint=False)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, db_index=False, db_constraint=False)
    hour = models.DateTimeField()
    event_count = models.BigIntegerField()
    total = models.DecimalField(**TOTAL, help_text="Sum of the values; of a count, their number.")
    digest = models.DecimalField(
        **SEALS, null=True, help_text="Sum of its events' seals; null where some were counted before there were any."
    )
    moment = models.DecimalField(**MOMENT, null=True, help_text="Sum of value times seconds since the hour began.")
    minimum = models.DecimalField(**TOTAL, null=True)
    maximum = models.DecimalField(**TOTAL, null=True)
    latest = models.DecimalField(**TOTAL, null=True, help_text="The value at `latest_at`; of several, the greatest.")
    latest_at = models.DateTimeField(null=True)
    dimensions = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("hourly rollup")
        verbose_name_plural = _("hourly rollups")
        # Whatever happened in an hour, of whomever: a few pages of an index that no update has to touch.
        indexes = [BrinIndex(fields=["hour"], name="rollup_by_hour", pages_per_range=32)]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.hour:%Y-%m-%d %H:00}"


class ValueRollup(models.Model):
    """How often one value came in an hour: what distinct values and percentiles are read from."""

    pk = models.CompositePrimaryKey("account_id", "meter_id", "hour", "dimensions", "value")
    account = models.ForeignKey("metering.Account", models.PROTECT, db_index=False, db_constraint=False)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, db_index=False, db_constraint=False)
    hour = models.DateTimeField()
    event_count = models.BigIntegerField()
    dimensions = models.TextField(default="", blank=True)
    value = models.TextField(help_text="A number, or the JSON text of a value that is counted once.")

    class Meta:
        verbose_name = _("value rollup")
        verbose_name_plural = _("value rollups")

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.hour:%Y-%m-%d %H:00} {self.value}"


class CorrectionKind(models.TextChoices):
    RETRACT = "retract", _("retracted")
    REPLACE = "replace", _("replaced")


class Correction(models.Model):
    """An event that no longer counts, and what took its place. Append-only by trigger; an event is corrected once."""

    source = models.TextField(_("source"), help_text=_("Of the event that no longer counts."))
    event_id = models.TextField(_("event id"))
    account = models.ForeignKey(
        "metering.Account",
        models.PROTECT,
        verbose_name=_("account"),
        null=True,
        db_index=False,
        db_constraint=False,
        help_text=_("For which it was counted; none where it waited for its account."),
    )
    kind = models.CharField(_("kind"), max_length=8, choices=CorrectionKind.choices)
    replacement_source = models.TextField(_("replacement source"), blank=True)
    replacement_id = models.TextField(_("replacement id"), blank=True)
    reason = models.CharField(_("reason"), max_length=400)
    made_by = models.CharField(_("made by"), max_length=200, help_text=_("The API key or the person."))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="event_is_corrected_once"),
            models.CheckConstraint(
                condition=Q(kind="retract", replacement_id="") | (Q(kind="replace") & ~Q(replacement_id="")),
                name="correction_names_what_replaces",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "id"], name="correction_by_account"),
            models.Index(
                fields=["replacement_source", "replacement_id"],
                condition=~Q(replacement_id=""),
                name="correction_by_replacement",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source} {self.event_id}"


class AdjustmentCause(models.TextChoices):
    LATE = "late", _("usage that arrived late")
    CORRECTION = "correction", _("a correction")
    BACKFILL = "backfill", _("a meter that counted its past")


class Adjustment(models.Model):
    """What changed in a window after its period was final, for a later invoice. Append-only by trigger.

    By zero where usage moved between dimension values, or where what came changes nothing of the meter's quantity.
    """

    limit = models.ForeignKey("metering.Limit", models.PROTECT, verbose_name=_("limit"), related_name="adjustments")
    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"))
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"))
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    quantity = models.DecimalField(_("quantity"), **TOTAL, help_text=_("By how much the window's usage changed."))
    cause = models.CharField(_("cause"), max_length=12, choices=AdjustmentCause.choices)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.starts_at:%Y-%m-%d} {self.quantity}"


class Pruning(models.Model):
    """A month of raw events that was dropped. Hours up to `kept_after` can no longer be counted again."""

    month = models.DateField(unique=True, help_text="First day of the month in which the events were received.")
    event_count = models.BigIntegerField()
    unmatched_count = models.BigIntegerField(default=0, help_text="Of them, those that never found their account.")
    kept_after = models.DateTimeField(null=True, help_text="The latest time of the events that were dropped.")
    pruned_at = models.DateTimeField()

    class Meta:
        verbose_name = _("pruned month")
        verbose_name_plural = _("pruned months")

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
