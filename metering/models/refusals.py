"""What was sent and not kept, and how many events each key sent with which fate."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class RejectedEvent(models.Model):
    """A refused row of a request, or a whole body that held no rows: what was sent, and why it was refused.

    The same body sent again by the same key is the same row. Bounded by key and hour, and pruned by a schedule.
    """

    api_key = models.ForeignKey(
        "metering.ApiKey", models.CASCADE, verbose_name=_("API key"), related_name="rejected_events", db_index=False
    )
    account = models.ForeignKey(
        "metering.Account",
        models.CASCADE,
        verbose_name=_("account"),
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("The key's own."),
    )
    digest = models.UUIDField(_("digest"), help_text=_("16 bytes of SHA-256 over all that was sent."))
    received_at = models.DateTimeField(_("received at"), help_text=_("When it was first received."))
    last_at = models.DateTimeField(_("last at"), help_text=_("When it was received most recently."))
    times = models.PositiveBigIntegerField(_("times"), default=1)
    source = models.TextField(_("source"), blank=True)
    event_id = models.TextField(_("event id"), blank=True)
    code = models.CharField(_("code"), max_length=60)
    field = models.TextField(_("field"), blank=True)
    message = models.TextField(_("message"))
    body = models.BinaryField(_("body"), help_text=_("What was sent, as far as it is kept."))
    is_whole = models.BooleanField(
        _("is whole"), default=False, help_text=_("Of a request whose rows could not be told apart.")
    )
    is_cut = models.BooleanField(
        _("is cut"), default=False, help_text=_("More was sent than is kept, so it cannot be replayed.")
    )
    replayed_at = models.DateTimeField(_("replayed at"), null=True)
    replay_fate = models.CharField(
        _("replay fate"), max_length=12, blank=True, help_text=_("What became of it when it was replayed.")
    )

    class Meta:
        verbose_name = _("rejected event")
        verbose_name_plural = _("rejected events")
        constraints = [
            models.UniqueConstraint(fields=["api_key", "digest"], name="rejected_event_is_kept_once"),
            models.CheckConstraint(
                condition=Q(replayed_at__isnull=True, replay_fate="")
                | (Q(replayed_at__isnull=False) & ~Q(replay_fate="")),
                name="rejected_event_replayed_has_a_fate",
            ),
        ]
        indexes = [
            models.Index(fields=["api_key", "received_at"], name="rejected_event_by_key"),
            models.Index(fields=["account", "received_at"], name="rejected_event_by_account"),
            models.Index(fields=["source", "event_id"], condition=~Q(event_id=""), name="rejected_event_by_name"),
            models.Index(fields=["last_at"], name="rejected_event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.source} {self.event_id}".rstrip()


class IngestionFigure(models.Model):
    """How many events one key sent in one UTC hour, by their fate. Gathered in each process, added every few seconds.

    `skipped` counts values that a meter could not use; their events are counted under their fate as well.
    """

    pk = models.CompositePrimaryKey("api_key_id", "hour")
    api_key = models.ForeignKey("metering.ApiKey", models.CASCADE, related_name="figures", db_index=False)
    hour = models.DateTimeField()
    accepted = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    conflict = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    unmatched = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("ingestion figure")
        verbose_name_plural = _("ingestion figures")
        indexes = [models.Index(fields=["hour"], name="ingestion_figure_by_hour")]

    def __str__(self) -> str:
        return f"{self.api_key_id} {self.hour:%Y-%m-%d %H:00}"
