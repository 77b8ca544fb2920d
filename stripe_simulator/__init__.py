"""A local Stripe: a stateful HTTP server that speaks Stripe's API. It and the apps import nothing of each other."""

API_VERSION = "2026-10-28.endive"
ACCOUNT = "acct_1PalierSimulator"
