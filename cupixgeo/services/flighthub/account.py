"""The FlightHub 2 account: projects, reconstructions, models, and the way to make new ones.

Each method is thin: calls are in `wire`, columns in `schema`, jobs in `driver`.

Sources: DJI FlightHub 2 OpenAPI, "Start reconstruction task"; flighthub2-cli 0.1.2; aerosight.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from cupixgeo.errors import ArgumentError, NotReadyError
from cupixgeo.net.auth import Auth
from cupixgeo.net.objectstore import open_store
from cupixgeo.net.secret import Secret
from cupixgeo.net.transfer import Expected, download
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import AccountOptions, JobAccount
from cupixgeo.services.flighthub import regions, wire
from cupixgeo.services.flighthub.auth import FlightHubAuth
from cupixgeo.services.flighthub.limits import TASKS
from cupixgeo.services.flighthub.parameters import table as parameter_table
from cupixgeo.services.flighthub.schema import (
    MAP_MODELS,
    MODELS,
    PROJECTS,
    RESOURCES,
    with_times,
)
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.flighthub.status import MODEL_TYPES, read_model
from cupixgeo.services.flighthub.storage import Grant

if TYPE_CHECKING:
    from cupixgeo.services.driver import JobDriver

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PROJECT_VARIABLE = "FLIGHTHUB_PROJECT"


class FlightHubAccount(JobAccount):
    """An organization's account at DJI FlightHub 2.

    Parameters
    ----------
    token : str, Secret or None
        Organization key; None looks in ``FLIGHTHUB_TOKEN`` and the keyring, then asks.
    project : str or None
        UUID or name of the project to work in; None looks in ``FLIGHTHUB_PROJECT``, and else takes
        the only project the token's user has joined.
    base_url : str or None
        Full API root, ``http://<address>:30812/openapi/v0.1`` on your premises; None is that of
        `region`.
    region : str or None
        ``"eu"``, ``"us"`` or ``"cn"``. A token works in its own region only.
    edition : {"standard", "professional", "enterprise"} or None
        Edition of the organization, for the limit of tasks at the same time; the service does not
        tell it.
    code_texts : mapping of int to str or None
        What error codes mean, from DJI's error guide; shown in messages.
    assume : FlightHubSettings or mapping or None
        What the documentation leaves open; see there.
    **options
        As for `cupixgeo.services.base.Account`: ``cache_dir``, ``settings``, ``plain_http``.

    Raises
    ------
    ArgumentError
        If an argument makes no sense.
    CredentialError
        If there is no token.
    """

    service = "flighthub"
    token_variable = "FLIGHTHUB_TOKEN"
    token_header = "X-User-Token"
    holdings = "running"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        project: str | None = None,
        base_url: str | None = None,
        region: str | None = None,
        edition: str | None = None,
        code_texts: Mapping[int, str] | None = None,
        assume: FlightHubSettings | Mapping[str, Any] | None = None,
        **options: Unpack[AccountOptions],
    ) -> None:
        token = Secret.wrap(token)
        self.assume = FlightHubSettings.of(assume)
        if edition is not None and edition not in TASKS:
            raise ArgumentError(f"edition={edition!r} is none of {', '.join(map(repr, TASKS))}.")
        self.edition = edition
        self.code_texts = dict(code_texts or {})
        self._asked_project = project or os.environ.get(_PROJECT_VARIABLE) or None
        address = base_url or regions.api_root(region, path=self.assume.api_path)
        super().__init__(regions.check_address(address), token=token, **options)
        self.api = wire.Api(self.session, self._headers, code_texts=self.code_texts)

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the service's error code and message in the decoded body of an error."""
        return wire.read_error(body)

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say where a token is made."""
        return (
            "FlightHub 2, My Organization → Organization Settings → FlightHub Sync / OpenAPI → "
            "Organization Key"
        )

    def make_auth(self, token: Secret, base_url: str) -> Auth:
        """Send the token with what else every request needs."""
        self._headers = FlightHubAuth(token, language=self.assume.language)
        return self._headers

    def reconnect_options(self) -> dict[str, Any]:
        """Give what a job needs to connect again, besides the address."""
        options: dict[str, Any] = {"assume": self.assume.to_dict()}
        if self._headers.project or self._asked_project:
            options["project"] = self._headers.project or self._asked_project
        if self.edition is not None:
            options["edition"] = self.edition
        return options

    def driver(self) -> JobDriver:
        """Give a fresh driver for one job."""
        from cupixgeo.services.flighthub.driver import FlightHubDriver

        return FlightHubDriver(self)

    @property
    def token(self) -> Secret:
        """The organization key."""
        return self._credential.secret

    @property
    def request_id(self) -> str | None:
        """Id of this thread's last request: what DJI's support asks for."""
        return self._headers.request_id

    # -- projects ---------------------------------------------------------------------------------

    def system_status(self) -> bool:
        """Ask whether the service works and takes the token: the cheapest test of both.

        Raises
        ------
        ServiceError
            Of the class for what is wrong.
        """
        self.api.system_status()
        return True

    def projects(self, *, q: str | None = None, joined: bool = False) -> pd.DataFrame:
        """List the organization's projects.

        Parameters
        ----------
        q : str or None
            Only those with this in their name.
        joined : bool
            Only those the token's user has joined.
        """
        rows = self.api.projects(q=q, joined=joined)
        return PROJECTS.to_frame(
            [with_times(row, "created_at", "updated_at") for row in rows], service=self.service
        )

    @property
    def project(self) -> str:
        """UUID of the project that is worked in; asks the service where it has to.

        Raises
        ------
        ArgumentError
            If there is no such project, or several and none was chosen.
        """
        self.resolve_project()
        assert self._headers.project is not None
        return self._headers.project

    def resolve_project(self) -> None:
        """Make sure that the project is known before a call that needs it."""
        if self._headers.project is not None:
            return
        asked = self._asked_project
        if asked is not None and _UUID.fullmatch(asked.strip()):
            self._headers.project = asked.strip()
            return
        rows = self.api.projects(joined=asked is None)
        fitting = [row for row in rows if asked is None or row.get("name") == asked]
        if len(fitting) != 1:
            known = ", ".join(f"{row.get('name')!r} ({row.get('uuid')})" for row in rows[:20])
            what = "has joined" if asked is None else f"can see called {asked!r}"
            raise ArgumentError(
                f"there are {len(fitting)} FlightHub projects that the token's user {what}: give "
                f"one as project=. There is {known or 'none'}."
            )
        self._headers.project = str(fitting[0]["uuid"])

    # -- open modeling ----------------------------------------------------------------------------

    def parameters(self) -> pd.DataFrame:
        """List the algorithm parameters that are documented: type, default, range, meaning."""
        return parameter_table()

    def running(self) -> pd.DataFrame:
        """List the reconstructions in progress. Finished ones are listed nowhere."""
        self.resolve_project()
        return self._models(self.api.running())

    def model(self, uuid: str) -> pd.Series[Any]:
        """Get a model of open modeling as a Series."""
        self.resolve_project()
        return self._models([self.api.model(uuid)]).iloc[0]

    def resource(self, uuid: str) -> pd.Series[Any]:
        """Get uploaded files as a Series: status, size, names."""
        self.resolve_project()
        row = self.api.resource(uuid)
        rows = [{**row, "file_names": list(row.get("file_names") or ())}]
        return RESOURCES.to_frame(rows, service=self.service).iloc[0]

    def stop_model(self, uuid: str) -> None:
        """Stop a reconstruction in progress; its images come back to the quota."""
        self.resolve_project()
        self.api.stop(uuid)

    def delete_model(self, uuid: str) -> None:
        """Delete a model; one in progress is stopped. It cannot be brought back."""
        self.resolve_project()
        self.api.delete_model(uuid)

    def delete_resource(self, uuid: str) -> None:
        """Delete uploaded files. They cannot be brought back."""
        self.resolve_project()
        self.api.delete_resource(uuid)

    def download_model(
        self, uuid: str, to: str | os.PathLike[str], *, progress: ProgressFn | None = None
    ) -> Path:
        """Download the archive of a finished model.

        Parameters
        ----------
        uuid : str
            The model of open modeling, or the number of one on the map.
        to : path
            An existing folder. The file is called after the id.
        progress : callable
            Watcher.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        NotReadyError
            If there is no archive (yet).
        TransferError, OutputError, ServiceError
            If it cannot be fetched or written.
        """
        name = wire.as_id(uuid, "model")
        return self.fetch_archive(name, Path(to) / f"flighthub-{name}.zip", progress=progress)

    def fetch_archive(self, uuid: str, to: Path, *, progress: ProgressFn | None = None) -> Path:
        """Download an archive to a file; see `download_model`.

        References
        ----------
        Not documented for open modeling. ``model/download-url`` as seen in aerosight and on a
        public test page of the Chinese gateway; the storage way is a guess, see
        `FlightHubSettings.results_via`.
        """
        self.resolve_project()
        if self.assume.results_via == "store":
            return self._from_store(uuid, to)
        return download(
            lambda: self._link(uuid),
            to,
            expected=Expected(name=f"model {uuid}", plain_http=not self.session.is_encrypted),
            settings=self.settings,
            progress=progress,
        )

    # -- models on the map ------------------------------------------------------------------------

    def map_models(self) -> pd.DataFrame:
        """List the models on the project's map, made of FlightHub's own flights."""
        self.resolve_project()
        rows = [self._timed(row) for row in self.api.map_models()]
        return MAP_MODELS.to_frame(rows, service=self.service)

    def map_model(self, id: int | str) -> pd.Series[Any]:
        """Get a model of the map as a Series. Its links are left out: they are as good as keys."""
        self.resolve_project()
        row = self._timed(self.api.map_model(id))
        shown = {name: value for name, value in row.items() if not name.endswith("url")}
        return MAP_MODELS.to_frame([shown], service=self.service).iloc[0]

    def create_map_model(
        self,
        name: str,
        *,
        task_folder_id: int,
        reconstruction_type: Sequence[str] = ("model_3d",),
        crs: int | str = "EPSG:4326",
        **more: Any,
    ) -> int:
        """Order a model of the media folder of a flight task; it is listed when it is made.

        Parameters
        ----------
        name : str
            Name of the model.
        task_folder_id : int
            Media folder, from the flight task.
        reconstruction_type : sequence of {"model_2d", "model_3d"}
            What to make.
        crs : int or str
            EPSG code of the results.
        **more
            ``simplified_factor``, ``quality_level``, ``reconstruction_mode``,
            ``generate_model_formats``, ``predefine_area``, as DJI documents them.

        Returns
        -------
        int
            Its id.
        """
        self.resolve_project()
        body = {
            "name": name,
            "reconstruction_type": list(reconstruction_type),
            "simplified_factor": 0.2,
            "task_folder_id": task_folder_id,
            "wkt": f"EPSG:{crs}" if isinstance(crs, int) else crs,
            "quality_level": "medium",
            "reconstruction_mode": "normal",
            "generate_model_formats": ["b3dm", "pnts"],
        }
        return int(self.api.create_map_model({**body, **more}).get("id", 0))

    # -- how --------------------------------------------------------------------------------------

    def _models(self, rows: Sequence[wire.Row]) -> pd.DataFrame:
        kinds = {number: kind for kind, number in MODEL_TYPES.items()}
        named = []
        for row in rows:
            kind = kinds.get(row.get("model_type", 0), "unknown")
            state = read_model(kind, row, texts=self.code_texts).state
            named.append({**row, "kind": kind, "state": state.value})
        return MODELS.to_frame(named, service=self.service)

    def _timed(self, row: wire.Row) -> dict[str, Any]:
        return with_times(row, "create_at", "update_at", per_second=1000)

    def _link(self, uuid: str) -> Secret:
        url = self.api.download_url(uuid)
        if not url:
            raise NotReadyError(
                f"model {uuid} has no archive yet: try again when it is made and packed.",
                service=self.service,
            )
        return Secret(url)

    def _from_store(self, uuid: str, to: Path) -> Path:
        key = self.api.model(uuid).get("zip_file_key")
        if not isinstance(key, str) or not key:
            raise NotReadyError(
                f"model {uuid} has no archive yet: try again when it is made and packed.",
                service=self.service,
            )
        grant = Grant.read(self.api.obtain_token(), vendor=self.assume.vendor, service=self.service)
        store = open_store(
            replace(grant.access, addressing=self.assume.addressing),
            service=self.service,
            settings=self.settings,
            plain_http=not self.session.is_encrypted,
        )
        try:
            return store.get(key, to)
        finally:
            store.close()
