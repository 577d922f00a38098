"""Which network a visitor comes from, as coarse as limits need it."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

PREFIXES = {4: 24, 6: 48}


def network_of(request: HttpRequest) -> str:
    """„198.51.100.0/24“ or „2001:db8:5::/48“; "" when the address is nobody's on the internet.

    A local or private address is a proxy that TRUSTED_PROXIES does not name. Everybody would seem
    to come from it, so a limit on it would lock everybody out at once.
    """
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global:
        return ""
    return str(ipaddress.ip_network((address, PREFIXES[address.version]), strict=False))
