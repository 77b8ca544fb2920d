"""Metering in the back-office: who is measured, by what, and how far their limits are used."""

from metering.admin.accounts import AccountAdmin
from metering.admin.alert_rules import AlertRuleAdmin, RuleSetAdmin
from metering.admin.alerts import AlertAdmin
from metering.admin.corrections import AdjustmentAdmin, CorrectionAdmin
from metering.admin.forecasts import ForecastAdmin
from metering.admin.imports import RejectedLineAdmin, UsageImportAdmin
from metering.admin.keys import ApiKeyAdmin
from metering.admin.limits import LimitAdmin
from metering.admin.meters import MeterAdmin
from metering.admin.notices import DeliveryAdmin
from metering.admin.refusals import RejectedEventAdmin
from metering.admin.reservations import ReservationAdmin
from metering.admin.snoozes import SnoozeAdmin
from metering.admin.webhooks import WebhookEndpointAdmin

__all__ = [
    "AccountAdmin",
    "AdjustmentAdmin",
    "AlertAdmin",
    "AlertRuleAdmin",
    "ApiKeyAdmin",
    "CorrectionAdmin",
    "DeliveryAdmin",
    "ForecastAdmin",
    "LimitAdmin",
    "MeterAdmin",
    "RejectedEventAdmin",
    "RejectedLineAdmin",
    "ReservationAdmin",
    "RuleSetAdmin",
    "SnoozeAdmin",
    "UsageImportAdmin",
    "WebhookEndpointAdmin",
]
