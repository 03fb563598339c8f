"""What every account has: a session, a token nobody sees, a cache, an end.

Knows how an account is opened, shown and closed, and that some accounts can run jobs. Must not know
any service; each is a subclass in a package of its own.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypedDict
from urllib.parse import urlsplit

from cupixgeo.errors import OutputError
from cupixgeo.net.auth import Auth
from cupixgeo.net.credentials import Ladder, find_credential
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.transfer import Expected, download
from cupixgeo.net.wire import is_loopback, origin_of
from cupixgeo.progress import ProgressFn

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike
    from cupixgeo.photos.listing import PhotosLike
    from cupixgeo.photos.preflight import Preflight
    from cupixgeo.services.driver import JobDriver
    from cupixgeo.services.plan import Plan


class AccountOptions(TypedDict, total=False):
    """Options every account takes; see `Account`."""

    cache_dir: str | os.PathLike[str] | None
    settings: NetSettings | None
    plain_http: bool


class Account:
    """A way into one service, for one token.

    Use it as a context manager, or close it. It cannot be pickled: connect again in another
    process.

    Parameters
    ----------
    base_url : str
        Full API root.
    token : str, Secret or None
        None looks in the environment and the keyring, then asks.
    cache_dir : path or None
        Where files opened from the service are kept. None: the user's cache folder; for a service
        on this machine (the emulator), a folder that lasts as long as the process.
    settings : NetSettings
        Timeouts and retries.
    plain_http : bool
        Send the token unencrypted over a network, knowingly.

    Raises
    ------
    CredentialError
        If there is no token, or none that can be sent.
    ArgumentError
        If `base_url` is no http or https address.
    """

    service: ClassVar[str]
    token_variable: ClassVar[str]
    token_header: ClassVar[str]
    token_is_optional: ClassVar[bool] = False
    holdings: ClassVar[str] = ""
    """Name of the method that lists what the account holds at the service; empty without one."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | Secret | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        settings: NetSettings | None = None,
        plain_http: bool = False,
    ) -> None:
        token = Secret.wrap(token)
        ladder = Ladder(
            service=self.service,
            variable=self.token_variable,
            keyring_service=f"cupixgeo:{self.service}",
            keyring_user=str(urlsplit(origin_of(base_url)).hostname),
            help=self.token_page(base_url),
            is_optional=self.token_is_optional,
        )
        self._credential = find_credential(ladder, token=token)
        self.settings = settings or NetSettings()
        self.session = Session(
            base_url,
            service=self.service,
            auth=self.make_auth(self._credential.secret, base_url),
            settings=self.settings,
            read_error=self.read_error,
            plain_http=plain_http,
        )
        self._cache_dir = Path(cache_dir) if cache_dir is not None else None

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the service's error code and message in the decoded body of an error."""
        return None, None

    def make_auth(self, token: Secret, base_url: str) -> Mapping[str, Secret] | Auth:
        """Say how the token is sent; as the header `token_header` unless overridden."""
        return {self.token_header: token}

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say where a token for this address is made; empty where that is not known."""
        return ""

    @property
    def base_url(self) -> str:
        """Full API root."""
        return self.session.base_url

    @property
    def cache_dir(self) -> Path:
        """Where files opened from the service are kept; made when first asked for.

        Raises
        ------
        OutputError
            If it cannot be made.
        """
        if self._cache_dir is None:
            self._cache_dir = _default_cache(self.service, self.base_url)
        try:
            self._cache_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the cache folder {self._cache_dir} cannot be made ({error.strerror}). "
                "Give another one as cache_dir=."
            ) from error
        return self._cache_dir

    def close(self) -> None:
        """Close the connections. What was opened from the cache stays usable."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if "session" not in vars(self):  # shown by the traceback of its own construction
            return f"<{type(self).__name__}, not connected>"
        token, source = self._credential.secret, self._credential.source
        return f"<{type(self).__name__} {self.base_url}, token {token} from {source}>"

    def _repr_html_(self) -> str:
        rows = (
            ("service", self.service),
            ("address", self.base_url),
            ("token", f"{self._credential.secret} from {self._credential.source}"),
        )
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in rows
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{cells}</table>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} holds open connections and a token, and is not pickled: "
            "connect again in the other process"
        )

    def _save(
        self,
        path: str,
        to: Path,
        *,
        name: str,
        suffixes: tuple[str, ...] | None = None,
        progress: ProgressFn | None = None,
    ) -> Path:
        """Save what an endpoint redirects to; the storage never sees the token.

        Parameters
        ----------
        path : str
            Endpoint below the API root; asked again when the link it gave expires.
        to : Path
            Final name, complete only if `suffixes` is None.
        name : str
            What messages and progress call it.
        suffixes : tuple of str or None
            Extensions one of which is added to `to`.
        progress : callable
            Watcher.
        """
        return download(
            lambda: self.session.location(path),
            to,
            expected=Expected(
                name=name, suffixes=suffixes, plain_http=not self.session.is_encrypted
            ),
            settings=self.settings,
            progress=progress,
        )


class JobAccount(Account):
    """An account at a service that reconstructs: it can plan and launch jobs."""

    @abstractmethod
    def driver(self) -> JobDriver:
        """Give a fresh driver for one job, over this account's session."""

    def reconnect_options(self) -> dict[str, Any]:
        """Give the constructor's arguments that a job needs to connect again, as JSON.

        The ledger keeps them beside `base_url`: a project, an edition; never a token.
        """
        return {}

    def plan(
        self,
        photos: PhotosLike | Preflight,
        *,
        name: str,
        crs: CrsLike | None = None,
        products: Iterable[str] = (),
        **parameters: Any,
    ) -> Plan:
        """Look at photos and limits, and say what a launch would do. Sends none of it.

        Parameters
        ----------
        photos : path, iterable of paths, or Preflight
            A folder of photos, a glob, photos, or what `cupixgeo.photos.preflight.preflight` found.
        name : str
            Name of the job.
        crs : CrsLike or None
            CRS of the results, where the service can choose one.
        products : iterable of str
            What to make; empty for the service's default.
        **parameters
            The service's own, listed on its page.

        Returns
        -------
        Plan
            ``plan.launch()`` sends it.

        Raises
        ------
        ArgumentError
            If a product or parameter makes no sense, or there is no photo.
        ServiceError
            If the service is asked about limits or cost and does not answer.
        """
        from cupixgeo.services.driver import JobRequest
        from cupixgeo.services.plan import make_plan

        request = JobRequest(name, crs, tuple(products), parameters)
        return make_plan(self, photos, request)


def _default_cache(service: str, base_url: str) -> Path:
    """Choose a cache folder: one for each address, so that nothing crosses regions."""
    origin = origin_of(base_url)
    if is_loopback(origin):
        folder = tempfile.mkdtemp(prefix=f"cupixgeo-{service}-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)
    from platformdirs import user_cache_path

    digest = hashlib.sha256(base_url.encode()).hexdigest()[:8]
    return user_cache_path("cupixgeo") / service / f"{urlsplit(origin).hostname}-{digest}"
