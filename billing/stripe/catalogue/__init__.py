"""Products, meters, prices, coupons and tax rates, as Stripe has to have them.

Each is a row (`StripeObject`) and a job. What this package gives to the others is in `lookup`.
"""
