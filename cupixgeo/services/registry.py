"""Services by name: one row each, loaded when first connected to.

A new service is a package with an account class and a row in `SERVICES`. Must not know any of
them.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from cupixgeo.errors import ArgumentError
from cupixgeo.net.secret import Secret

if TYPE_CHECKING:
    from cupixgeo.services.cupix.account import CupixAccount

SERVICES: dict[str, str] = {
    "cupix": "cupixgeo.services.cupix.account:CupixAccount",
    "flighthub": "cupixgeo.services.flighthub.account:FlightHubAccount",
    "openscan": "cupixgeo.services.openscan.account:OpenScanAccount",
    "teleport": "cupixgeo.services.teleport.account:TeleportAccount",
    "altizure": "cupixgeo.services.altizure.account:AltizureAccount",
    "nodeodm": "cupixgeo.services.nodeodm.account:NodeodmAccount",
}
"""Name and dotted name of the account class."""


class EmulatorLike(Protocol):
    """A running emulator: anything that knows where it emulates a service."""

    def endpoint(self, service: str, /) -> Any:
        """Give base_url and token of an emulated service."""
        ...


@overload
def connect(
    service: Literal["cupix"],
    token: str | Secret | None = None,
    *,
    base_url: str | None = None,
    region: str | None = None,
    emulator: EmulatorLike | None = None,
    **options: Any,
) -> CupixAccount: ...


@overload
def connect(
    service: str,
    token: str | Secret | None = None,
    *,
    base_url: str | None = None,
    region: str | None = None,
    emulator: EmulatorLike | None = None,
    **options: Any,
) -> Any: ...


def connect(
    service: str,
    token: str | Secret | None = None,
    *,
    base_url: str | None = None,
    region: str | None = None,
    emulator: EmulatorLike | None = None,
    **options: Any,
) -> Any:
    """Connect to a service. Nothing is sent before the first call.

    Parameters
    ----------
    service : str
        ``"cupix"``, ``"flighthub"``, ``"altizure"``, ``"openscan"``, ``"teleport"``,
        ``"nodeodm"``.
    token : str, Secret or None
        None looks in the service's environment variable (``CUPIX_TOKEN``) and the system keyring,
        then asks.
    base_url : str or None
        Full API root, for example ``"https://myteam.cupix.works/api/v1"``.
    region : str or None
        Region of the service, where it has several; instead of `base_url`.
    emulator : Emulator or None
        A running emulator to connect to, with its own address and token.
    **options
        Further options of the account class (``cache_dir``, ``settings``, ...).

    Returns
    -------
    Account
        Of the service's own class; close it, or use it as a context manager.

    Raises
    ------
    ArgumentError
        If there is no such service, or the arguments contradict each other.
    CredentialError
        If no token was found.

    Examples
    --------
    >>> from cupixgeo.emulator import Emulator
    >>> with Emulator(seed=7) as emu, connect("cupix", emulator=emu) as account:
    ...     account.pointclouds(record_id=602)["kind"].value_counts()["sub"]
    np.int64(7)
    """
    token = Secret.wrap(token)
    kind = _account_class(service)
    if emulator is not None:
        if base_url is not None or region is not None:
            raise ArgumentError(
                "an emulator has its own address: leave base_url= and region= away, or emulator=."
            )
        base_url = str(emulator.endpoint(service).base_url)
        token = token or Secret(emulator.endpoint(service).token)
    if base_url is not None and region is not None:
        raise ArgumentError(
            f"base_url={base_url!r} and region={region!r} both say where {service} is: give one."
        )
    return kind(token, base_url=base_url, region=region, **options)


def _account_class(service: str) -> Any:
    try:
        module, _, name = SERVICES[service].partition(":")
    except (KeyError, TypeError):
        known = ", ".join(repr(name) for name in SERVICES)
        near = get_close_matches(str(service).lower(), SERVICES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        unknown = f"there is no service {service!r}: {hint}There is {known}."
    else:
        return getattr(import_module(module), name)
    raise ArgumentError(unknown)
