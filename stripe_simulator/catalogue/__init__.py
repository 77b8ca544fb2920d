"""What is sold and at what price: products, prices, plans, coupons, promotion codes, tax rates."""
