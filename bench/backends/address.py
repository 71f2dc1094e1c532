"""A target's configuration turned into an address, headers and the strings that must stay secret."""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from bench.backends.base import Target
from bench.errors import BackendError


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a target is and how to be let in.

    `root` has no trailing slash and no `/v1`; `secrets` are what must not reach any text that is kept.
    """

    root: str
    host: str
    port: int
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def resolve(target: Target, base_url: str | None = None) -> Address:
    """Read a target's address.

    Args:
        target: the target.
        base_url: the address to use instead of the target's own (a managed server's, known after its start).

    Raises:
        BackendError: no address, not http(s), credentials in it, or a header that HTTP does not allow.
    """
    url = base_url or target.base_url
    if not url:
        raise BackendError(f"target '{target.name}' has no base_url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BackendError(f"target '{target.name}': base_url is not an address: {error}") from error
    if "@" in url or parts.query or parts.fragment:
        # An address is shown in reasons, rows and reports; what lets us in must not be a part of it.
        raise BackendError(
            f"target '{target.name}': base_url must hold no user name, password or query; "
            "write them as api_key or headers, with ${NAME} from the environment"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BackendError(
            f"target '{target.name}': base_url must look like http://HOST:PORT, not '{parts.scheme or url}'"
        )
    headers, secrets = _credentials(target)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return Address(
        root=f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}",
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        headers=headers,
        secrets=secrets,
    )


def _credentials(target: Target) -> tuple[dict[str, str], tuple[str, ...]]:
    """Headers that let us in, the target's own ones last, and every string in them worth hiding."""
    headers: dict[str, str] = {}
    secrets: list[str] = []
    if target.api_key:
        headers["Authorization"] = f"Bearer {target.api_key}"
        secrets.append(target.api_key)
    headers.update(target.headers)
    for name, value in headers.items():
        if not (name.isascii() and value.isascii() and value.isprintable() and name.isprintable()):
            raise BackendError(
                f"target '{target.name}': header '{name}' has characters that HTTP does not allow"
            )
        secrets.extend([value, value.rpartition(" ")[2]])
    return headers, tuple(dict.fromkeys(s for s in secrets if s))


def is_here(host: str) -> bool:
    """Whether `host` is this machine: loopback, or an address of one of its interfaces.

    A name that does not resolve is not here. May ask the name service: not for the token path.
    """
    try:
        found = {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    own = {a.address.partition("%")[0] for addresses in psutil.net_if_addrs().values() for a in addresses}
    return bool(found) and all(ipaddress.ip_address(a).is_loopback or a in own for a in found)


def accepts_connections(address: Address, timeout_s: float) -> bool:
    """Whether something accepts TCP connections there; a server too busy to answer HTTP still does."""
    try:
        socket.create_connection((address.host, address.port), timeout=timeout_s).close()
    except (OSError, UnicodeError):
        return False
    return True
