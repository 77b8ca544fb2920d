"""The groups of the back-office and what each may do. Permissions of other apps are named, never imported."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

SALES_REP, SALES_MANAGER, FINANCE = "Sales rep", "Sales manager", "Finance"

REP_PERMISSIONS = (
    "crm.view_lead",
    "crm.change_lead",
    "metering.view_snooze",
    "metering.add_snooze",
    "metering.change_snooze",
)
MANAGER_PERMISSIONS = (
    *REP_PERMISSIONS,
    "crm.view_all_leads",
    "crm.assign_lead",
    "crm.view_repprofile",
    "crm.add_repprofile",
    "crm.change_repprofile",
    "metering.view_account",
    "metering.view_meter",
    "metering.view_limit",
    "metering.view_alert",
    "metering.view_alertrule",
    "metering.view_alertlevel",
    "metering.view_ruleset",
    "metering.view_notice",
    "metering.view_delivery",
    "billing.view_plan",
    "billing.view_planversion",
    "billing.view_subscription",
)
FINANCE_PERMISSIONS = (
    "billing.view_billingprofile",
    "billing.add_billingprofile",
    "billing.change_billingprofile",
    "billing.view_taxrate",
    "billing.add_taxrate",
    "billing.change_taxrate",
    "billing.view_plan",
    "billing.add_plan",
    "billing.change_plan",
    "billing.view_planversion",
    "billing.add_planversion",
    "billing.change_planversion",
    "billing.view_price",
    "billing.add_price",
    "billing.change_price",
    "billing.delete_price",
    "billing.view_tier",
    "billing.add_tier",
    "billing.change_tier",
    "billing.delete_tier",
    "billing.view_pricerow",
    "billing.add_pricerow",
    "billing.change_pricerow",
    "billing.delete_pricerow",
    "billing.view_planlimit",
    "billing.add_planlimit",
    "billing.change_planlimit",
    "billing.delete_planlimit",
    "billing.view_addon",
    "billing.add_addon",
    "billing.change_addon",
    "billing.delete_addon",
    "billing.view_coupon",
    "billing.add_coupon",
    "billing.change_coupon",
    "billing.view_discount",
    "billing.add_discount",
    "billing.change_discount",
    "billing.view_subscription",
    "billing.add_subscription",
    "billing.change_subscription",
    "billing.view_subscriptionchange",
    "billing.view_budget",
    "billing.view_budgetchange",
    "billing.view_period",
    "billing.view_invoice",
    "billing.view_invoiceline",
    "billing.view_billingrun",
    "billing.view_billingrunentry",
    "billing.run_billing",
    "billing.issue_invoice",
    "billing.void_invoice",
    "billing.settle_invoice",
    "billing.credit_invoice",
    "billing.view_payment",
    "billing.view_creditnote",
    "billing.view_creditnoteline",
    "billing.view_reminder",
    "billing.view_invoicemove",
    "billing.view_stripecall",
    "billing.view_stripecustomer",
    "billing.view_stripedrift",
    "billing.repair_drift",
    "billing.view_stripeevent",
    "billing.view_stripeinvoice",
    "billing.view_stripemeterevent",
    "billing.view_stripeobject",
    "billing.view_stripesubscription",
    "billing.view_stripecreditnote",
    "billing.charge_invoice",
    "billing.view_latechange",
    "billing.view_invoiceitem",
    "billing.add_invoiceitem",
    "billing.delete_invoiceitem",
    "billing.view_creditgrant",
    "billing.add_creditgrant",
    "billing.void_creditgrant",
    "billing.view_creditentry",
    "billing.view_topup",
    "billing.view_topuprule",
    "billing.add_topuprule",
    "billing.change_topuprule",
    "metering.view_account",
    "metering.view_meter",
    "metering.view_event",
)
ROLES = {SALES_REP: REP_PERMISSIONS, SALES_MANAGER: MANAGER_PERMISSIONS, FINANCE: FINANCE_PERMISSIONS}


def grant_roles(sender: AppConfig, **_signal: Any) -> None:
    """After an app has migrated, give each group its permissions in that app. Adds what is missing, takes nothing away.

    Each app's permissions exist only once that app has migrated, so every app calls and gets its own part.
    """
    for name, labels in ROLES.items():
        codenames = [label.split(".")[1] for label in labels if label.split(".")[0] == sender.label]
        if codenames:
            group, _created = Group.objects.get_or_create(name=name)
            is_named = Q(content_type__app_label=sender.label, codename__in=codenames)
            group.permissions.add(*Permission.objects.filter(is_named))
