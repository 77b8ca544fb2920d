"""Every event that Stripe's CLI can trigger, and what we make of it: a test compares with its help."""


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Scripts of the CLI that the contract accepts as they are.
STRICT = names(
    """
    billing_portal.configuration.created billing_portal.configuration.updated billing_portal.session.created
    checkout.session.expired
    coupon.created coupon.deleted coupon.updated
    credit_note.created credit_note.updated credit_note.voided
    customer.created customer.deleted customer.source.created customer.source.updated customer.updated
    customer.subscription.created customer.subscription.deleted customer.subscription.paused
    customer.subscription.trial_will_end customer.subscription.updated
    invoice.created invoice.deleted invoice.finalized invoice.marked_uncollectible invoice.paid
    invoice.payment_action_required invoice.payment_failed invoice.payment_succeeded invoice.sent invoice.updated
    invoice.voided invoiceitem.created invoiceitem.deleted
    payment_intent.canceled payment_method.attached payment_method.detached payment_method.updated
    plan.created plan.deleted plan.updated price.created price.updated product.created product.deleted product.updated
    setup_intent.requires_action
    subscription.payment_failed subscription.payment_succeeded
    subscription_schedule.aborted
    tax_rate.created tax_rate.updated
    test_helpers.test_clock.advancing test_helpers.test_clock.created test_helpers.test_clock.deleted
    test_helpers.test_clock.ready
    """
)

# Scripts with a parameter that Stripe has removed since: let through by the compat mode, each alone.
DRIFTED = {
    "payment_method_types": names(
        """
        charge.captured charge.dispute.created charge.failed charge.refund.updated charge.refunded charge.succeeded
        payment_intent.amount_capturable_updated payment_intent.created payment_intent.payment_failed
        payment_intent.requires_action payment_intent.succeeded
        setup_intent.canceled setup_intent.created setup_intent.setup_failed setup_intent.succeeded
        """
    ),
    "coupon": names(
        """
        customer.discount.created customer.discount.deleted customer.discount.updated
        promotion_code.created promotion_code.updated
        """
    ),
    "phases.iterations": names(
        """
        subscription_schedule.canceled subscription_schedule.created subscription_schedule.released
        subscription_schedule.updated
        """
    ),
}

# Scripts whose name is no event, or not the one that Stripe documents for what they do: what comes out instead.
NAMED_OTHERWISE = {
    "subscription_schedule.aborted": "subscription_schedule.canceled",  # it cancels; aborted is for who does not pay
    "subscription.payment_failed": "invoice.payment_failed",
    "subscription.payment_succeeded": "invoice.payment_succeeded",
}

METER_HOST = "the CLI sends its meter events to meter-events.stripe.com, whatever its base"
DISPUTES = "asks /v1/disputes, which the contract does not hold"
DEBIT = "pays by a bank debit; the simulator knows cards"
FUNDING = "funds a cash balance by a route that the contract does not hold"
NOT_COVERED = {
    "checkout.session.completed": "pays by /v1/payment_pages, which is the page's own and in no contract",
    "v1.billing.meter.error_report_triggered": METER_HOST,
    "v1.billing.meter.no_meter_found": METER_HOST,
    "subscription_schedule.completed": "its customer has no card, so that dunning ends the subscription before",
    "subscription_schedule.expiring": "stops nine days before the end, and Stripe documents seven",
    "charge.dispute.closed": DISPUTES,
    "charge.dispute.updated": DISPUTES,
    "checkout.session.async_payment_failed": DEBIT,
    "checkout.session.async_payment_succeeded": DEBIT,
    "payment_intent.processing": DEBIT,
    "payment_intent.partially_funded": "pays by bank transfer, of a type that is no longer in Stripe's enum",
    "cash_balance.funds_available": FUNDING,
    "customer_cash_balance_transaction.created": FUNDING,
}

# Families that are no billing.
FAR = (
    "account.", "balance.", "identity.", "issuing_", "payment_link.", "payout.", "quote.", "reporting.", "topup.",
    "transfer.",
)  # fmt: skip
