"""A NodeODM node: its options, its tasks, and the way to launch new ones.

Each method is thin: answers are in `node` and `wire`, options in `parameters`, jobs in `driver`.

Sources: NodeODM's API document (docs/index.adoc, API 2.2.1); pyodm 1.5.13.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from cupixgeo.errors import ArgumentError, NotFoundError, OutputError
from cupixgeo.net.auth import Auth, FixedAuth
from cupixgeo.net.secret import Secret
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import AccountOptions, JobAccount
from cupixgeo.services.nodeodm import files, node, wire
from cupixgeo.services.nodeodm.node import NodeInfo, TaskInfo
from cupixgeo.services.nodeodm.parameters import ask_options, choose
from cupixgeo.services.nodeodm.schema import OPTIONS, TASKS
from cupixgeo.services.unpack import safe_name, unpack

if TYPE_CHECKING:
    import os

    from cupixgeo.services.driver import JobDriver

DEFAULT_ROOT = "http://localhost:3000"
"""Where a node listens that was started on this computer as its documentation says."""


class NodeodmAccount(JobAccount):
    """A NodeODM node, on this computer or elsewhere.

    Parameters
    ----------
    token : str, Secret or None
        Only for nodes that were started with ``--token``; None looks in ``NODEODM_TOKEN`` and the
        keyring, and does without if there is none. It is sent as the query parameter ``token``.
    base_url : str or None
        Address of the node; None is ``http://localhost:3000``.
    region : None
        NodeODM has no regions.
    **options
        As for `cupixgeo.services.base.Account`: ``cache_dir``, ``settings``, ``plain_http``.

    Raises
    ------
    ArgumentError
        If an argument makes no sense.
    CredentialError
        If there is a token and it would go over a network unencrypted.
    """

    service = wire.SERVICE
    token_variable = "NODEODM_TOKEN"
    token_header = ""
    token_is_optional = True
    holdings = "tasks"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        **options: Unpack[AccountOptions],
    ) -> None:
        token = Secret.wrap(token)
        if region is not None:
            raise ArgumentError("nodeodm has no regions: leave region= away.")
        self._plain_http = bool(options.get("plain_http"))
        super().__init__(base_url or DEFAULT_ROOT, token=token, **options)

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the node's error in the decoded body of an answer."""
        return wire.read_error(body)

    def make_auth(self, token: Secret, base_url: str) -> Mapping[str, Secret] | Auth:
        """Send the token as a query parameter; none where there is none."""
        return {} if token.is_blank else FixedAuth(params={"token": token})

    def reconnect_options(self) -> dict[str, Any]:
        """Give what a job needs to connect again, besides the address."""
        return {"plain_http": True} if self._plain_http else {}

    def driver(self) -> JobDriver:
        """Give a fresh driver for one job."""
        from cupixgeo.services.nodeodm.driver import NodeodmDriver

        return NodeodmDriver(self.session)

    # -- the node --------------------------------------------------------------------------------

    def info(self) -> NodeInfo:
        """Ask the node about itself: versions, limits, load."""
        return node.node_info(self.session)

    def options(self) -> pd.DataFrame:
        """List the options the node takes, which are parameters of `plan` and `restart`.

        Returns
        -------
        pandas.DataFrame
            One row an option: parameter, type, default, range, help, name.
        """
        rows = [
            {
                "parameter": option.parameter,
                "type": option.kind,
                "default": option.default,
                "range": option.range,
                "help": option.help,
                "name": option.name,
            }
            for option in ask_options(self.session)
        ]
        return OPTIONS.to_frame(rows, service=self.service)

    # -- tasks -----------------------------------------------------------------------------------

    def tasks(self) -> pd.DataFrame:
        """List the node's tasks, those of its other users included, the oldest first.

        Returns
        -------
        pandas.DataFrame
            One row a task; see ``attrs["columns"]``.
        """
        rows = []
        for uuid in node.task_ids(self.session):
            try:
                rows.append(_row(node.task_info(self.session, uuid)))
            except NotFoundError:
                continue  # removed since the list was made
        return TASKS.to_frame(rows, service=self.service)

    def task(self, uuid: str) -> TaskInfo:
        """Ask how a task is."""
        return node.task_info(self.session, _checked_id(uuid))

    def output(self, uuid: str, *, line: int = 0) -> list[str]:
        """Give what a task printed.

        Parameters
        ----------
        uuid : str
            The task.
        line : int
            First line wanted, from 0; negative from the end.
        """
        return node.output_lines(self.session, _checked_id(uuid), line)

    def cancel(self, uuid: str) -> None:
        """Stop a task. One that had ended is *canceled* afterwards, too; its results stay."""
        node.command(self.session, "cancel", _checked_id(uuid))

    def restart(self, uuid: str, **parameters: Any) -> None:
        """Run a task that has ended once more, with the photos the node still has.

        Parameters
        ----------
        uuid : str
            The task.
        **parameters
            Options (see `options`) in place of all earlier ones, for example
            ``rerun_from="odm_meshing"``; the earlier ones if there are none.

        Raises
        ------
        NotReadyError
            If it has not ended.
        ArgumentError
            If an option is unknown or out of range.
        """
        further: dict[str, str] = {}
        if parameters:
            chosen = choose(ask_options(self.session), parameters)
            listed = [{"name": name, "value": value} for name, value in chosen.items()]
            further["options"] = json.dumps(listed)
        node.command(self.session, "restart", _checked_id(uuid), **further)

    def remove(self, uuid: str) -> None:
        """Delete a task with its photos and results; a running one is stopped."""
        node.command(self.session, "remove", _checked_id(uuid))

    def download(
        self,
        uuid: str,
        to: str | os.PathLike[str],
        *,
        asset: str = files.ALL,
        progress: ProgressFn | None = None,
    ) -> Path:
        """Download results of a completed task.

        Parameters
        ----------
        uuid : str
            The task.
        to : path
            An existing folder.
        asset : str
            ``"all.zip"``; or one file of it, by its path there or a common name
            (``"orthophoto.tif"``, ``"dsm.tif"``, ``"georeferenced_model.laz"``, ...). Nodes since
            version 2 give out the whole archive only: it is fetched, and dropped again.
        progress : callable
            Watcher.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        NotFoundError
            If there is no such task, or no such file among its results.
        NotReadyError
            If it is not completed.
        OutputError
            If `to` is no folder.
        TransferError, ArchiveError
            If the file cannot be fetched whole.
        """
        uuid, folder = _checked_id(uuid), Path(to).expanduser()
        if not folder.is_dir():
            raise OutputError(f"{folder} is no folder: make it first, or give another as to=.")
        final = folder / safe_name(asset)
        if asset == files.ALL or self._gives_out(uuid, asset):
            return files.fetch_asset(self.session, uuid, asset, final, progress=progress)
        with tempfile.TemporaryDirectory(prefix=".nodeodm-", dir=folder) as name:
            archive = files.fetch_asset(
                self.session, uuid, files.ALL, Path(name) / files.ALL, progress=progress
            )
            return _taken_out(archive, asset, final)

    def _gives_out(self, uuid: str, asset: str) -> bool:
        """Say whether the node gives out a file of the results by itself."""
        if not re.fullmatch(r"\w[\w.-]*", asset):
            return False  # a path in the archive
        try:
            node.asset_size(self.session, files.asset_path(uuid, asset))
        except NotFoundError:
            if not node.has_task(self.session, uuid):
                raise
            return False
        return True


def _taken_out(archive: Path, asset: str, final: Path) -> Path:
    """Take one member out of an archive that is unpacked safely beside it."""
    member = files.member_of(asset)
    found = unpack(archive, archive.with_name("unpacked")) / member
    if not found.is_file() or ".." in member.parts:
        with zipfile.ZipFile(archive) as bundle:
            there = [name for name in bundle.namelist() if not name.endswith("/")]
        raise NotFoundError(
            f"the task's results have no {asset!r}; they have {', '.join(there[:30])}.",
            service=wire.SERVICE,
        )
    return found.replace(final)


def _row(task: TaskInfo) -> dict[str, Any]:
    return {
        "uuid": task.uuid,
        "name": task.name,
        "created": task.created.isoformat(),
        "state": task.state.value,
        "status": task.word,
        "progress": task.progress,
        "processing_s": task.processing_s,
        "images": task.images,
        "error": task.error or None,
        "options": dict(task.options),
    }


def _checked_id(uuid: str) -> str:
    """Make sure that an id is one, before it becomes part of an address."""
    text = str(uuid).strip()
    if not text or not all(letter.isalnum() or letter in "-_" for letter in text):
        raise ArgumentError(f"{uuid!r} is no id of a task; account.tasks() lists them.")
    return text
