"""The Altizure account: lists, projects, jobs, imported models, coins.

Each method is thin: lists are in `lists`, operations in `graphql`, jobs in `driver`, imported
models in `models`. Key and token go to the service's own origin and to no other.

Sources: altizure/dev-docs en/api.md (headers ``key`` and ``altitoken``), en/api-reconstruction.md;
altizure/alti-cli.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Unpack

from cupixgeo.errors import ArgumentError, BadRequestError, ResponseError
from cupixgeo.net.credentials import Ladder, find_credential
from cupixgeo.net.secret import Secret
from cupixgeo.net.upload import Uploader
from cupixgeo.net.wire import origin_of
from cupixgeo.progress import ProgressFn
from cupixgeo.services.altizure import models
from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.altizure.driver import AltizureDriver
from cupixgeo.services.altizure.graphql import Api, Object, first_message
from cupixgeo.services.altizure.lists import AltizureLists
from cupixgeo.services.altizure.regions import api_root
from cupixgeo.services.base import AccountOptions

KEY_VARIABLE = "ALTIZURE_KEY"


class AltizureAccount(AltizureLists):
    """An account at Altizure, seen through one application.

    Parameters
    ----------
    token : str, Secret or None
        User token, alone or behind the application key and a colon (``"KEY:TOKEN"``). None looks in
        ``ALTIZURE_TOKEN`` and the keyring, then asks. `cupixgeo.services.altizure.signin` gets one.
    key : str, Secret or None
        Application key, where `token` does not hold it; None looks in ``ALTIZURE_KEY``.
    base_url : str or None
        API root, with or without ``/graphql``: of a private installation, for example.
    region : {"international", "china"} or None
        Which of the two public addresses; they have the same schema.
    photo_token : str, Secret or None
        Bearer token the service shows when it fetches photos by URL.
    currency : str
        In which prices are shown; a member of the service's CURRENCY.
    conventions : Conventions, mapping or None
        What to assume where nothing public says how the service does it.
    **options
        As for `cupixgeo.services.base.Account`: ``cache_dir``, ``settings``, ``plain_http``.

    Raises
    ------
    ArgumentError
        If there is no such region or convention.
    CredentialError
        If there is no key or no token.
    """

    service = "altizure"
    token_variable = "ALTIZURE_TOKEN"
    token_header = "altitoken"
    holdings = "projects"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        key: str | Secret | None = None,
        photo_token: str | Secret | None = None,
        currency: str = "USD",
        conventions: Conventions | Mapping[str, Any] | None = None,
        **options: Unpack[AccountOptions],
    ) -> None:
        token, self._key = Secret.wrap(token), Secret.wrap(key)
        self.photo_token = Secret.wrap(photo_token)
        del key, photo_token
        self.currency = currency
        found = Conventions.from_dict(conventions)
        super().__init__(api_root(region, base_url=base_url), token=token, **options)
        self.api = Api(self.session, found)
        self.uploader = Uploader(
            service=self.service,
            settings=self.settings,
            plain_http=not self.session.is_encrypted,
        )

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the first message in the decoded body of an error."""
        return None, first_message(body)

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say how to get a token."""
        return "the service's own pages: cupixgeo.services.altizure.signin.SignIn(key).page(...)"

    def make_auth(self, token: Secret, base_url: str) -> Mapping[str, Secret]:
        """Send the application key as ``key`` and the user token as ``altitoken``."""
        key, user = _split(token)
        ladder = Ladder(
            service="altizure application",
            variable=KEY_VARIABLE,
            keyring_service="cupixgeo:altizure-key",
            keyring_user=origin_of(base_url),
            help="the developer pages of Altizure",
        )
        return {
            "key": find_credential(ladder, token=self._key or key).secret,
            self.token_header: user,
        }

    def driver(self) -> AltizureDriver:
        """Give a fresh driver for one job."""
        return AltizureDriver(self)

    def reconnect_options(self) -> dict[str, Any]:
        """Give what a job needs to connect again, besides address, key and token."""
        return {"currency": self.currency, "conventions": self.api.conventions.to_dict()}

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self.uploader.close()

    # -- projects --------------------------------------------------------------------------------

    def create_project(
        self,
        name: str,
        *,
        project_type: Literal["free", "pro"] = "free",
        visibility: Literal["public", "unlisted", "private"] | None = None,
        model_type: Literal["CAD", "PHOTOGRAMMETRY", "PTCLOUD"] | None = None,
    ) -> str:
        """Make a project and give its id. Costs nothing.

        Parameters
        ----------
        name : str
            Display name; need not be unique.
        project_type : {"free", "pro"}
            Only pro projects offer downloads.
        visibility : {"public", "unlisted", "private"}
            None leaves it to the service.
        model_type : {"CAD", "PHOTOGRAMMETRY", "PTCLOUD"}
            Make it a project for a model that is imported, of this type.

        Raises
        ------
        BadRequestError
            If the service does not make it.
        """
        variables = {
            "name": name,
            "type": project_type,
            "visibility": visibility,
            "imported": True if model_type else None,
            "modelType": model_type,
        }
        project = self.api.object("create_project", variables)
        if project is None:
            raise self.api.refused(
                "create_project",
                f"altizure did not create the project {name!r} and does not say why. Free projects "
                "are public unless a membership allows more; the service may be read-only now.",
            )
        return str(project["id"])

    def remove_project(self, id: str) -> None:
        """Remove a project for good."""
        self._changed("remove_project", {"id": id}, id)

    def report_project(self, id: str, description: str) -> None:
        """Report a project to the people of the service."""
        self._changed("report_project", {"id": id, "description": description}, id)

    def transfer_project(self, id: str, email: str, *, message: str = "") -> None:
        """Give a project to another user. All rights to it are lost.

        Raises
        ------
        BadRequestError
            If the service does not do it.
        """
        variables = {"id": id, "email": email, "message": message or None}
        self._outcome("transfer_project", variables, f"give project {id} away")

    def transfer_coins(self, amount: float, email: str, *, message: str = "") -> None:
        """Give Alticoins to another user; as `transfer_project`."""
        variables = {"amount": float(amount), "email": email, "message": message or None}
        self._outcome("transfer_coins", variables, f"transfer {amount:g} coins")

    # -- reconstruction, outside of jobs ---------------------------------------------------------

    def start(
        self, project: str, *, task_type: str = "Native", coupons: Iterable[str] = ()
    ) -> Object:
        """Start a reconstruction. A pro project's coins are taken; never sent twice.

        Parameters
        ----------
        project : str
            Id of the project.
        task_type : str
            Member of the service's TASK_TYPE.
        coupons : iterable of str
            Ids of coupons.

        Returns
        -------
        dict
            The task, as the service sends it.

        Raises
        ------
        BadRequestError
            If the service refuses; ``.code`` is its own code, number or name, as text.
        ResponseError
            If it says neither yes nor no.
        """
        chosen = list(coupons)
        name = "start" if task_type == "Native" else "start_task"
        variables: dict[str, Any] = {"id": project}
        if task_type != "Native":
            variables["taskType"] = task_type
        if chosen:
            name, variables = "start_coupons", {**variables, "coupons": chosen}
        result = self.api.object(name, variables) or {}
        error, task = result.get("error"), result.get("task")
        if isinstance(error, dict) and any(v not in (None, "") for v in error.values()):
            code, said = error.get("code"), str(error.get("message") or "no reason is given")
            shown = "" if code is None else f" (code {code})"
            raise self.api.refused(
                name,
                f"altizure did not start project {project}{shown}: {said.rstrip('.')}. Put that "
                "right, then start it again.",
                code=code,
            )
        if not isinstance(task, dict) or not task.get("id"):
            raise self.api.misunderstood(name, "neither a task nor an error")
        return task

    def stop(self, project: str) -> bool:
        """Stop the project's last task; say whether there was one to stop."""
        task = self.api.object("stop", {"id": project})
        return task is not None and bool(task.get("id"))

    # -- imported models -------------------------------------------------------------------------

    def import_model(
        self,
        model: str | os.PathLike[str],
        *,
        name: str,
        model_type: Literal["CAD", "PHOTOGRAMMETRY", "PTCLOUD"] = "PHOTOGRAMMETRY",
        visibility: Literal["public", "unlisted", "private"] | None = None,
        project: str | None = None,
        progress: ProgressFn | None = None,
    ) -> str:
        """Import a model that was made elsewhere; give the id of its project.

        Parameters
        ----------
        model : path or URL
            A zip of an OBJ model, or the first volume (``.zip.001``) of one that was split; or an
            http address at which the service finds the zip.
        name : str
            Name of the project.
        model_type : {"CAD", "PHOTOGRAMMETRY", "PTCLOUD"}
            What it is.
        visibility : {"public", "unlisted", "private"}
            None leaves it to the service.
        project : str
            Id of an imported project whose model is replaced, instead of a new one.
        progress : callable
            Watcher; stage ``"upload"``, unit ``"bytes"``.

        Raises
        ------
        ArgumentError
            If the file has a name the service refuses, or is no zip.
        TransferError, ServiceError
            If it cannot be sent; a project made for it stays, give it as `project` next time.
        """
        source = os.fspath(model)
        files = [] if models.is_url(source) else models.parts_of(Path(source))
        id = project or self.create_project(name, visibility=visibility, model_type=model_type)
        if files:
            models.upload(self, id, files, progress=progress)
        else:
            models.upload_url(self, id, source)
        return id

    def wait_for_import(self, project: str, *, timeout_s: float = 3600.0) -> str:
        """Wait until an imported model is converted; give its final state.

        Parameters
        ----------
        project : str
            Id of the project.
        timeout_s : float
            [s] longest wait.

        Returns
        -------
        str
            ``"Ready"``; ``"Failed"``, ``"LimitExceeded"`` or the last state where it is not.
        """
        return models.wait(self, project, timeout_s=timeout_s)

    # -- for the driver --------------------------------------------------------------------------

    def user(self) -> Object:
        """Get the user as the service sends it."""
        return self._self()

    def check_signed_in(self, verb: str) -> None:
        """Make sure that an empty answer is not the token's fault.

        Raises
        ------
        AuthenticationError
            If it is.
        """
        my = self.api.object("whoami") or {}
        if not (my.get("self") or {}).get("email"):
            raise self.not_signed_in(verb)

    def state_of(self, project: str) -> Object:
        """Get size and task state of a project; NotFoundError if there is none."""
        return self._project("project_state", {"id": project}, project)

    def last_task(self, project: str) -> Object | None:
        """Get the last task of a project; None where the service does not tell."""
        if not self.api.conventions.has_tasks:
            return None
        try:
            found = self.api.object("project_tasks", {"id": project}) or {}
        except (BadRequestError, ResponseError):
            return None
        tasks = found.get("tasks")
        return tasks[-1] if isinstance(tasks, list) and tasks else None

    def error_of(self, project: str) -> Object:
        """Get ``error`` and ``errorCode`` of a project; empty where the service does not tell."""
        try:
            return self.api.object("project_error", {"id": project}) or {}
        except (BadRequestError, ResponseError):
            return {}

    def download_nodes(self, project: str) -> list[Object]:
        """Get the downloads of a project, signed links included: show none of them."""
        return self._downloads(project)

    # -- parts -----------------------------------------------------------------------------------

    def _changed(self, name: str, variables: Mapping[str, Any], id: str) -> None:
        if self.api.object(name, variables) is None:
            raise self.api.refused(
                name, f"altizure changed nothing: it has no project {id!r} of this user's."
            )

    def _outcome(self, name: str, variables: Mapping[str, Any], what: str) -> None:
        answer = self.api.object(name, variables) or {}
        error = answer.get("error") or {}
        if answer.get("result") != "Success" or error.get("message"):
            said = error.get("message") or answer.get("result") or "no reason is given"
            raise self.api.refused(
                name, f"altizure did not {what}: {said}. Check the e-mail address and the balance."
            )


def _split(token: Secret) -> tuple[Secret | None, Secret]:
    """Part ``KEY:TOKEN``; neither can hold a colon."""
    key, colon, user = token.reveal().partition(":")
    if not colon:
        return None, token
    if not key or not user or ":" in user:
        del key, user
        raise ArgumentError(
            "the altizure token holds a colon and is not KEY:TOKEN: give the application key as "
            "key= and the user token as token=."
        )
    return Secret(key), Secret(user)
