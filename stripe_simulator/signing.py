"""The `Stripe-Signature` header: https://docs.stripe.com/webhooks#verify-manually"""

import hashlib
import hmac
from collections.abc import Iterable


def sign(body: bytes, secrets: Iterable[str], timestamp: int) -> str:
    """`t=…,v1=…`, one signature for each secret: two while a secret is being rolled."""
    text = b"%d." % timestamp + body
    signatures = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={signature}" for signature in signatures)])
