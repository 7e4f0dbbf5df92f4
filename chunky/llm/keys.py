"""Keys: from the environment only, held as SecretStr, and struck out of every text that leaves a provider.

A vendor's key goes to the vendor alone. Any other server has a variable of its own, named after its host
(`CHUNKY_KEY_OPENROUTER_AI`), so that a mistyped address is never sent the key of a vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from chunky.errors import PrerequisiteError, SettingsError

_STRUCK = "[key]"
# What keys look like, for those that are not ours: a gateway may echo its own.
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|key)-[A-Za-z0-9_-]{8,}|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_SHORTEST = 6  # shorter "keys" are placeholders, and striking them out would garble texts


def is_local(base_url: str) -> bool:
    """Whether the server is this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def variable_of(base_url: str) -> str:
    """Environment variable that holds the key for a server that is no vendor's own."""
    host = urlsplit(base_url).hostname or ""
    return "CHUNKY_KEY_" + re.sub(r"[^A-Z0-9]+", "_", host.upper()).strip("_")


def find_key(environ: Mapping[str, str], vendor_variable: str, base_url: str | None) -> SecretStr:
    """Key for a vendor's server (`base_url` None) or another one; PrerequisiteError names the variable to set.

    A server on this machine needs none.
    """
    variable = vendor_variable if base_url is None else variable_of(base_url)
    key = environ.get(variable, "").strip()
    if not key and base_url is not None and is_local(base_url):
        key = "none"
    if not key:
        raise PrerequisiteError(f"there is no key for {base_url or 'this model'}", f"set the variable {variable}")
    if not key.isascii() or not key.isprintable():
        raise PrerequisiteError(f"the key in {variable} holds characters that no key has", "copy it again")
    return SecretStr(key)


def check_url(base_url: str) -> str:
    """The address of a server without its last slash; SettingsError when it is none, or carries a password."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{base_url!r} is no address of a server", "write it as http://host:port or https://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(
            f"the address of {parts.hostname} holds more than a place",
            f"leave out names, passwords and questions; a key goes into the variable {variable_of(base_url)}",
        )
    return base_url.rstrip("/")


def scrub(text: str, *keys: SecretStr) -> str:
    """`text` without the keys and without anything that looks like one."""
    for key in keys:
        secret = key.get_secret_value()
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _STRUCK)
    return _KEY_LIKE.sub(_STRUCK, text)
