"""Products, prices, coupons, promotion codes and tax rates: see `stripe_simulator.catalogue`."""

from stripe_simulator.catalogue import coupons, plans, prices, products, promotion_codes, tax_rates

__all__ = ["coupons", "plans", "prices", "products", "promotion_codes", "tax_rates"]
