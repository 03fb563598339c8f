"""Root mutations about projects, coins and reconstructions.

Knows what is refused. Without a good key and token every one ends in the GraphQL error
``Authentication Error`` (changelog 1.6.2); with another's or an unknown project it is null.
"""

from __future__ import annotations

from typing import Any

from cupixgeo.emulator.altizure import tasks
from cupixgeo.emulator.altizure.access import signed_in, writing
from cupixgeo.emulator.altizure.records import Account, Project, Task, born
from cupixgeo.emulator.altizure.store import Store
from cupixgeo.emulator.altizure.uploads import UPLOADS
from cupixgeo.emulator.altizure.views import Resolver

# -- projects ------------------------------------------------------------------------------------


def _create_project(
    store: Store,
    account: Account,
    name: str,
    type: str | None = None,
    imported: bool | None = None,
    model_type: str | None = None,
    visibility: str | None = None,
) -> Project | None:
    if not name.strip() or bool(imported) != (model_type is not None):
        return None
    allowed = account.membership.visibility if account.membership else ("public",)
    wanted = visibility or "public"
    if wanted not in allowed and (type or "free") == "free":
        return None
    id = store.new_id()
    project = Project(
        id,
        name,
        account,
        born(id),
        type=type or "free",
        visibility=wanted,
        is_imported=bool(imported),
        imported_model_type=model_type,
        imported_state="Pending" if imported else "Native",
    )
    store.projects[id] = project
    return project


def _remove_project(store: Store, account: Account, id: str) -> Project | None:
    project = store.own(id, account)
    return store.projects.pop(id) if project is not None else None


def _transfer_project(
    store: Store, account: Account, id: str, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    project, other = store.own(id, account), _other(store, options)
    if project is None or other is None:
        return _outcome("No such project, or no such user.")
    project.owner = other
    return _outcome()


def _report_project(store: Store, account: Account, id: str, description: str) -> Project | None:
    project = store.find(id, account)
    if project is not None:
        project.reports.append(description)
    return project


def _transfer_coins(
    store: Store, account: Account, amount: float, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    other = _other(store, options)
    if other is None or not 0 < amount <= account.balance:
        return _outcome("No such user, or not enough coins.")
    account.balance -= amount
    other.balance += amount
    return _outcome()


# -- reconstruction ------------------------------------------------------------------------------


def _start(
    store: Store, account: Account, id: str, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    project = store.own(id, account)
    refused = tasks.refuse_start(project, options or {}, store.now, store.rules)
    if project is None or refused is not None:
        name, message = tasks.START_ERRORS[refused or 2]
        code = refused if store.rules.start_error_code == "number" else name
        return {"error": {"code": code, "message": message}, "task": None}
    return {"error": None, "task": store.start(project, options or {})}


def _pre_start(
    store: Store, account: Account, id: str, options: dict[str, Any] | None = None
) -> Project | None:
    project = store.own(id, account)
    if project is not None:
        project.pre_start = dict(options or {})
        store.settle_project(project)
    return project


def _stop(store: Store, account: Account, id: str) -> Task | None:
    project = store.own(id, account)
    return None if project is None else tasks.stop(project, store.now, store.rules)


# -- small parts ---------------------------------------------------------------------------------


def _other(store: Store, options: dict[str, Any] | None) -> Account | None:
    email = (options or {}).get("email")
    return next((account for account in store.accounts if account.email == email), None)


def _outcome(failure: str | None = None) -> dict[str, Any]:
    if failure is None:
        return {"error": None, "result": "Success"}
    return {"error": {"code": 1, "message": failure}, "result": "Fail"}


_CHANGES: dict[str, Resolver] = {
    "transferCoins": writing(_transfer_coins),
    "createProject": writing(_create_project),
    "removeProject": writing(_remove_project),
    "transferProject": writing(_transfer_project),
    "reportProject": writing(_report_project),
    "startReconstructionWithError": _start,
    "preStartReconstruction": writing(_pre_start),
    "stopReconstruction": _stop,
}
MUTATIONS: dict[str, Resolver] = {
    **{f"Mutation.{name}": signed_in(change) for name, change in _CHANGES.items()},
    **UPLOADS,
}
