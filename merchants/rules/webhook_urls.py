"""Which URLs and IP addresses webhooks may be sent to. Pure.

`ipaddress` alone is not enough: it calls shared address space (100.64/10, where clouds may serve their metadata),
NAT64, 6to4 and others global, or not private.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

URL_MAX = 500
_HOST_MAX, _LABEL_MAX = 253, 63
_DENIED_NETWORKS = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "224.0.0.0/3",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
]


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: the host and port to connect to, and the path to request."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public https on these ports; with `allow_local`, for development, also plain http and the local machine."""

    ports: frozenset[int] = frozenset({443})
    allow_local: bool = False

    def allows(self, address: str) -> bool:
        """Whether this IP address may be connected to."""
        ip = ip_address(address)
        inner = getattr(ip, "ipv4_mapped", None)
        ip = inner if inner is not None else ip
        return is_public(ip) or (self.allow_local and ip.is_loopback)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _DENIED_NETWORKS if network.version == address.version)
    )


@lru_cache(maxsize=4096)
def parse_webhook_url(url: str, policy: AddressPolicy) -> Target | None:
    """The parsed URL; None unless it is https (or http, with `allow_local`) to a valid host and permitted port."""
    parts = _split_url(url)
    if parts is None or parts.scheme not in ({"https", "http"} if policy.allow_local else {"https"}):
        return None
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not (policy.allow_local or port in policy.ports) or not _is_host(host):
        return None
    path = parts.path or "/"
    return Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)


def _split_url(url: str) -> SplitResult | None:
    """The URL's parts, if every parser would read the same ones: printable ASCII, no user, no fragment."""
    if not 0 < len(url) <= URL_MAX or not all("!" <= c <= "~" and c not in '\\^`{|}<>"' for c in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    port_text = parts.netloc.rpartition(":")[2] if port is not None else ""
    is_ambiguous = "@" in parts.netloc or "#" in url or "%" in parts.netloc or parts.netloc.endswith(":")
    return None if is_ambiguous or port == 0 or port_text != (str(port) if port else "") else parts


def _is_host(host: str) -> bool:
    """A name whose last label is not numeric, or an IP address in its canonical form; not `127.1` or `0x7f000001`."""
    try:
        return str(ip_address(host)) == host
    except ValueError:
        pass
    labels = host.split(".")
    return len(host) <= _HOST_MAX and all(map(_is_label, labels)) and not labels[-1][0].isdigit()


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    return 0 < len(label) <= _LABEL_MAX and plain.isalnum() and label[0] != "-" and label[-1] != "-"
