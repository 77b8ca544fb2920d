"""The address that a request comes from."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def find_address(request: HttpRequest) -> str | None:
    """Forwarded addresses are believed only from as many proxies as settings name."""
    proxies: int = getattr(settings, "ALLAUTH_TRUSTED_PROXY_COUNT", 0)
    if proxies > 0:
        header: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
        forwarded = [part.strip() for part in header.split(",")]
        if proxies <= len(forwarded):
            return forwarded[-proxies]
    address: str | None = request.META.get("REMOTE_ADDR")
    return address


def find_network(request: HttpRequest) -> str:
    """Whom to hold to account for a request: the address, or the /64 that one subscriber has of IPv6."""
    try:
        address = ip_address(find_address(request) or "")
    except ValueError:  # a unix socket has none, and a proxy may write what it likes
        return "unknown"
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
