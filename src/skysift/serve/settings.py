"""The settings of a service: flags before the environment before the defaults, checked together."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from skysift.base.errors import OptionError
from skysift.base.settings import named
from skysift.io.sql import database_url
from skysift.jobs.options import LimitOptions
from skysift.serve.options import ServeOptions

__all__ = [
    "by_tokens",
    "database_of",
    "folder_of",
    "limits_of",
    "names_of",
    "on_this_machine",
    "serve_settings",
]


def serve_settings(
    flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None
) -> ServeOptions:
    """What a service is told.

    Parameters
    ----------
    flags
        Values by name; None counts as not given.
    environment
        The variables; those of the process by default.

    Raises
    ------
    OptionError
        A setting does not exist or is not allowed, or the service would be open to all.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    told = ServeOptions.parse({**named("serve", environment), **given})
    reached = _reached_by_others(told)
    if told.sign_in == "local" and reached:
        raise OptionError(
            "a service that others can reach needs to know who asks",
            got=f"{reached}, sign_in local",
            allowed="sign_in auto or tokens",
            todo="make tokens by `skysift token add USER --data DIR`, or leave host, public_url and hosts alone",
        )
    return told


def on_this_machine(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def by_tokens(settings: ServeOptions) -> bool:
    """Whether people are known by their tokens; else everybody is the local user."""
    return settings.sign_in == "tokens" or bool(_reached_by_others(settings))


def _reached_by_others(settings: ServeOptions) -> str:
    """The setting by which other machines reach the service, itself or through a server before it; or nothing."""
    if not on_this_machine(settings.host):
        return f"host {settings.host}"
    if settings.public_url and not on_this_machine(urlsplit(settings.public_url).hostname or ""):
        return f"public_url {settings.public_url}"
    others = [name for name in _told_names(settings) if not on_this_machine(name)]
    return f"hosts {','.join(others)}" if others else ""


def limits_of(settings: ServeOptions) -> LimitOptions:
    """What the jobs of the service may use."""
    return LimitOptions(**{name: getattr(settings, name) for name in LimitOptions.model_fields})


def folder_of(settings: ServeOptions) -> Path:
    """The folder of the data."""
    return Path(settings.data).expanduser().resolve()


def database_of(settings: ServeOptions) -> str:
    """The address of the database."""
    return settings.database or database_url(folder_of(settings))


def names_of(settings: ServeOptions) -> frozenset[str]:
    """The names (header Host, without port) that the service answers to; empty for every name."""
    names = set(_told_names(settings))
    if "*" in names:
        return frozenset()
    if settings.public_url:
        names.add((urlsplit(settings.public_url).hostname or "").lower())
    names |= {"localhost", "127.0.0.1", "::1"}
    if settings.host not in ("0.0.0.0", "::"):
        names.add(settings.host.strip("[]").lower())
    return frozenset(names)


def _told_names(settings: ServeOptions) -> list[str]:
    """The names of the setting `hosts`."""
    names = [name.strip().strip("[]").lower() for name in settings.hosts.split(",")]
    return [name for name in names if name]
