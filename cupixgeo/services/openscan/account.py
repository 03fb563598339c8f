"""The OpenScanCloud account: what the token is good for, projects, and the way to make new ones.

The service speaks plain http only, every request is a GET, and everything goes into the query: who
listens on the way reads token and links. So an account is opened with ``plain_http=True`` or not at
all. There is no list of projects; `cx.jobs()` has those that were launched here.

Sources: OpenScan-org/OpenScanCloud README and its fork by Jajaho (queue estimate, status); the
uploader and OpenScan3 (address, Basic credentials).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from cupixgeo.errors import (
    ArgumentError,
    CredentialError,
    CupixGeoWarning,
    NotFoundError,
    NotReadyError,
)
from cupixgeo.net.auth import Auth, FixedAuth, basic
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.transfer import Expected, download
from cupixgeo.net.wire import is_loopback, origin_of
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import AccountOptions, JobAccount
from cupixgeo.services.openscan import wire
from cupixgeo.services.openscan.settings import OpenScanSettings
from cupixgeo.services.openscan.wire import ProjectInfo
from cupixgeo.services.tables import INTEGER, Column, TableSchema

if TYPE_CHECKING:
    import os

    from cupixgeo.services.driver import JobDriver

API_ROOT = "http://openscanfeedback.dnsuser.de:1334"
USER, PASSWORD = "openscan", "free"
"""Basic credentials of everybody; fixed and public. The token is what tells accounts apart."""

PRIVATE_TOKEN_LENGTH = 14
"""Characters a personal token has at least: the OpenScan Mini refuses shorter ones."""

TOKEN_INFO = TableSchema(
    "token_info",
    (
        Column("credit", INTEGER, "byte", "what may still be uploaded"),
        Column("limit_filesize", INTEGER, "byte", "largest set of photos"),
        Column("limit_photos", INTEGER, "photo", "most photos in a set"),
    ),
)


class OpenScanAccount(JobAccount):
    """An account at OpenScanCloud.

    Parameters
    ----------
    token : str, Secret or None
        Personal token; None looks in ``OPENSCANCLOUD_TOKEN`` and the keyring, then asks.
    base_url : str or None
        Address of the service; None is the public one.
    region : None
        OpenScanCloud has no regions.
    assume : OpenScanSettings or mapping or None
        What the service does not say; see there.
    **options
        As for `cupixgeo.services.base.Account`. ``plain_http=True`` is needed for the public
        address, which has no encryption.

    Raises
    ------
    ArgumentError
        If an argument makes no sense.
    CredentialError
        If there is no token, or it would go unencrypted over a network and nobody said it may.

    Warns
    -----
    CupixGeoWarning
        If the token looks like one that is shared: whoever has it and knows the name of a project
        can fetch its result.
    """

    service = "openscan"
    token_variable = "OPENSCANCLOUD_TOKEN"
    token_header = ""

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        assume: OpenScanSettings | Mapping[str, Any] | None = None,
        **options: Unpack[AccountOptions],
    ) -> None:
        token = Secret.wrap(token)
        if region is not None:
            raise ArgumentError("openscan has no regions: leave region= away.")
        self.assume = _assumptions(assume)
        root = base_url or API_ROOT
        _check_open(root, accepted=bool(options.get("plain_http")))
        super().__init__(root, token=token, **options)
        if len(self._credential.secret.reveal()) < PRIVATE_TOKEN_LENGTH:
            warnings.warn(
                "this OpenScanCloud token is so short that it looks like a shared one: whoever has "
                "it and knows the name of a project can fetch its result. Names are random unless "
                "you choose them.",
                CupixGeoWarning,
                stacklevel=2,
            )

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the service's error code and message in the decoded body of an error."""
        return wire.read_error(body)

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say where a token is made."""
        return "OpenScanCloud, by e-mail (cupixgeo.services.openscan.account.request_token)"

    def make_auth(self, token: Secret, base_url: str) -> Auth:
        """Send the token in the query and everybody's password in the header."""
        return FixedAuth({"Authorization": basic(USER, PASSWORD)}, params={"token": token})

    def reconnect_options(self) -> dict[str, Any]:
        """Give what a job needs to connect again, besides the address."""
        is_open = not (self.session.is_encrypted or is_loopback(self.session.origin))
        return {"assume": self.assume.to_dict(), **({"plain_http": True} if is_open else {})}

    def driver(self) -> JobDriver:
        """Give a fresh driver for one job."""
        from cupixgeo.services.openscan.driver import OpenScanDriver

        return OpenScanDriver(self.session, assume=self.assume)

    # -- the token --------------------------------------------------------------------------------

    def token_info(self) -> pd.DataFrame:
        """Show what the token is good for: one row. The cheapest test of a token.

        Raises
        ------
        BadRequestError
            If there is no such token.
        """
        return TOKEN_INFO.to_frame([ask_token(self.session)], service=self.service)

    def queue_estimate_s(self) -> float:
        """Ask how long a new project would wait [s]."""
        answer = self.session.json("GET", "getQueueEstimate")
        value = answer.get("estimated_time_seconds") if isinstance(answer, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wire.misunderstood(self.session, "GET /getQueueEstimate", "no time")
        return float(value)

    def is_online(self) -> bool:
        """Ask whether the service is up."""
        answer = self.session.json("GET", "status")
        return isinstance(answer, Mapping) and answer.get("status") == "online"

    # -- projects ---------------------------------------------------------------------------------

    def project(self, name: str) -> ProjectInfo:
        """Ask about a project.

        Raises
        ------
        NotFoundError
            If the service has none of this name for this token.
        """
        found = wire.ask_project(self.session, name)
        if found is None:
            raise NotFoundError(
                f"OpenScanCloud has no project {name!r} for this token. Look at the spelling; a "
                "project that was reset is gone.",
                service=self.service,
            )
        return found

    def reset(self, name: str) -> None:
        """Drop a project: its place in the queue, models and downloads. The name is free again.

        Sent once and never repeated: it is a GET that changes something.

        Raises
        ------
        BadRequestError
            If there is no such project.
        """
        params = {"project": wire.as_name(name)}
        self.session.json("GET", "resetProject", params=params, safe_to_repeat=False)

    def download(
        self, name: str, to: str | os.PathLike[str], *, progress: ProgressFn | None = None
    ) -> Path:
        """Download the result of a project: one zip with a textured OBJ.

        Parameters
        ----------
        name : str
            The project.
        to : path
            An existing folder.
        progress : callable
            Watcher.

        Returns
        -------
        Path
            The zip that was written. It is not unpacked.

        Raises
        ------
        NotFoundError, NotReadyError
            If there is no such project, or no result (yet).
        TransferError, OutputError
            If it cannot be fetched or written.
        """
        final = Path(to) / f"openscan-{wire.as_name(name)}"
        return fetch_result(self.session, name, final, progress=progress)


def request_token(
    mail: str,
    forename: str,
    lastname: str,
    *,
    base_url: str = API_ROOT,
    plain_http: bool = False,
) -> None:
    """Ask for a token; it comes by e-mail within days, issued by hand.

    Parameters
    ----------
    mail, forename, lastname : str
        Who asks. They go over the network as they are.
    base_url : str
        Address of the service.
    plain_http : bool
        Accept that: the public address has no encryption.

    Raises
    ------
    ArgumentError
        If something is blank.
    CredentialError
        If it would go unencrypted over a network and nobody said it may.
    BadRequestError
        If the service refuses it.
    """
    wanted: dict[str, str | int] = {"mail": mail, "forename": forename, "lastname": lastname}
    blank = [name for name, value in wanted.items() if not str(value).strip()]
    if blank:
        raise ArgumentError(f"OpenScanCloud needs {', '.join(blank)} to make a token.")
    _check_open(base_url, accepted=plain_http)
    auth = FixedAuth({"Authorization": basic(USER, PASSWORD)})
    session = Session(base_url, service="openscan", auth=auth, plain_http=plain_http)
    try:
        session.json("GET", "requestToken", params=wanted, safe_to_repeat=False)
    finally:
        session.close()


def ask_token(session: Session) -> Mapping[str, Any]:
    """Ask what a token is good for: credit and limits."""
    answer = session.json("GET", "getTokenInfo")
    if not isinstance(answer, Mapping):
        raise wire.misunderstood(session, "GET /getTokenInfo", "no object")
    return answer


def fetch_result(
    session: Session, name: str, to: Path, *, progress: ProgressFn | None = None
) -> Path:
    """Download a project's result to the file `to`; no token goes along.

    Raises
    ------
    NotFoundError, NotReadyError
        If there is no such project, or no result (yet).
    """

    def link() -> Secret:
        info = wire.ask_project(session, name)
        if info is None:
            raise NotFoundError(f"OpenScanCloud has no project {name!r}.", service="openscan")
        if info.result is None:
            why = "is not kept any more" if info.status.lower() == "expired" else "is not there yet"
            raise NotReadyError(
                f"the result of project {name} {why} (it is {info.status!r}). A link may also have "
                "come by e-mail.",
                service="openscan",
            )
        return wire.direct_link(info.result, session.origin)

    return download(
        link,
        to,
        expected=Expected(name=f"result of {name}", plain_http=not session.is_encrypted),
        settings=session.settings,
        progress=progress,
    )


def _check_open(base_url: str, *, accepted: bool) -> None:
    """Make sure that nobody sends a token into the open without knowing."""
    origin = origin_of(base_url)
    if origin.startswith("https:") or is_loopback(origin) or accepted:
        return
    raise CredentialError(
        f"OpenScanCloud at {origin} has no encryption: everybody on the way can read the token and "
        "the links to photos and results. Say plain_http=True to accept that."
    )


def _assumptions(given: OpenScanSettings | Mapping[str, Any] | None) -> OpenScanSettings:
    if isinstance(given, OpenScanSettings):
        return given
    try:
        return replace(OpenScanSettings(), **dict(given or {}))
    except TypeError:
        names = ", ".join(OpenScanSettings().to_dict())
        unknown = f"assume= knows {names}, and not {sorted(given or ())}."
    raise ArgumentError(unknown)
