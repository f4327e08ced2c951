"""Resolve names under localhost, which browsers map to this machine and most resolvers do not."""

from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"


def loopback(address: str) -> tuple[str, str]:
    """Return the URL to connect to and the Host header to send (RFC 6761, section 6.3).

    Both are taken from `address` unless its host is localhost or a name under it.
    """
    parts = urlsplit(address)
    name = parts.hostname or ""
    if name != "localhost" and not name.endswith(".localhost"):
        return address, parts.netloc
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{ADDRESS}{port}").geturl(), parts.netloc
