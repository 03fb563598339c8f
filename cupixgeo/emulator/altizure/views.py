"""How records are shown: the fields of the schema's object types that are not plain attributes.

Knows field names. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cupixgeo.emulator.altizure.paging import Order, connection
from cupixgeo.emulator.altizure.records import (
    Account,
    Coupon,
    Download,
    Image,
    MetaFile,
    Project,
    Task,
    born,
)
from cupixgeo.emulator.altizure.tasks import gigapixels_of
from cupixgeo.emulator.clock import iso_time

if TYPE_CHECKING:
    from cupixgeo.emulator.altizure.access import Access
    from cupixgeo.emulator.altizure.store import Store

Resolver = Callable[..., Any]

BY_BIRTH: Order[Any] = Order(field=lambda item: born(item.id), id=lambda item: item.id)
_BY_TIME: Order[Download] = Order(field=lambda item: item.available, id=lambda item: item.name)


@dataclass(frozen=True)
class Caller:
    """Who asks: whether the application key is good, whose token it is, and the state."""

    store: Store
    access: Access
    has_key: bool
    account: Account | None
    api_url: str


def time_text(timestamp: float | None) -> str | None:
    """Write a time [s since 1970] as the service does; None stays None."""
    return None if timestamp is None else iso_time(timestamp)


# -- users ---------------------------------------------------------------------------------------


def _only_self(value: Resolver) -> Resolver:
    """Show a private field to the user it belongs to, null to everybody else."""

    def resolve(account: Account, info: Any, **arguments: Any) -> Any:
        return value(account) if account is info.context.account else None

    return resolve


def _membership_state(account: Account) -> str | None:
    return None if account.membership is None else account.membership.state


def _user_stats(account: Account, info: Any) -> dict[str, int]:
    owned = [p for p in info.context.store.projects.values() if p.owner is account]
    return {"star": 0, "project": len(owned), "planet": 0, "follower": 0, "following": 0}


def _models(account: Account, info: Any) -> int | None:
    if account is not info.context.account:
        return None
    projects = info.context.store.projects.values()
    return sum(1 for p in projects if p.owner is account and p.is_imported)


def _membership_coupon(membership: Any, info: Any) -> dict[str, int]:
    return {"value": 1, "repeat": 12, "validMonth": 1}


# -- projects ------------------------------------------------------------------------------------


def _task_state(project: Project, info: Any) -> str | None:
    rules = info.context.store.rules
    if rules.next_word is not None and project.tasks:
        word, rules.next_word = rules.next_word, None
        return str(word)
    return project.tasks[-1].state if project.tasks else None


def _cloud_path(project: Project, info: Any) -> list[dict[str, str]]:
    store = info.context.store
    return [{"key": "s3", "dataURL": f"{store.stage.storage.url}/altizure/{project.id}/"}]


def _downloads(project: Project, info: Any, **page: Any) -> dict[str, Any]:
    mine = project.downloads if project.owner is info.context.account else []
    return _page(mine, _BY_TIME, page)


def _all_images(project: Project, info: Any, **page: Any) -> dict[str, Any]:
    page.pop("filter", None)
    return _page(list(project.images.values()), BY_BIRTH, page)


def _image(project: Project, info: Any, id: str) -> Image | None:
    return project.images.get(id)


def _image_by_filename(project: Project, info: Any, filename: str) -> Image | None:
    return next((i for i in project.images.values() if i.filename == filename), None)


def _meta_file(project: Project, info: Any, id: str) -> MetaFile | None:
    return project.meta_files.get(id)


def _has_meta_file(project: Project, info: Any, checksum: str) -> MetaFile | None:
    files = project.meta_files.values()
    return next((f for f in files if f.checksum == checksum and f.state == "Ready"), None)


def _image_url(image: Image, info: Any) -> str | None:
    store = info.context.store
    if not image.is_usable:
        return None
    stored = store.photo_object(image)
    return None if stored is None else str(store.stage.storage.link(stored))


# -- tasks and downloads -------------------------------------------------------------------------


def _queueing(task: Task, info: Any) -> int:
    """Return the place in the queue: everything queued before it, and itself."""
    if task.outcome or task.started is not None:
        return 0
    waiting = (project.running for project in info.context.store.projects.values())
    ahead = [t for t in waiting if t is not None and t.started is None and t.queued <= task.queued]
    return len(ahead)


def _is_packed(download: Download, info: Any) -> bool:
    return bool(info.context.store.now >= download.available)


def _download_state(download: Download, info: Any) -> str:
    return "Ready" if _is_packed(download, info) else "Pending"


def _download_size(download: Download, info: Any) -> int | None:
    return len(download.object.content) if _is_packed(download, info) else None


def _download_link(download: Download, info: Any) -> str:
    if not _is_packed(download, info):
        return ""
    return str(info.context.store.stage.storage.link(download.object))


VIEWS: dict[str, Resolver] = {
    "User.email": _only_self(lambda account: account.email),
    "User.phone": _only_self(lambda account: account.phone),
    "User.phoneVerified": _only_self(lambda account: True),
    "User.balance": _only_self(lambda account: account.balance),
    "User.freeGPQuota": _only_self(lambda account: account.free_gp_quota),
    "User.membership": _only_self(lambda account: account.membership),
    "User.membershipState": _only_self(_membership_state),
    "User.username": lambda account, info: account.name.lower(),
    "User.country": lambda account, info: "United States",
    "User.countryCode": lambda account, info: "US",
    "User.language": lambda account, info: "en",
    "User.modelUsage": _models,
    "User.developer": _only_self(lambda account: {"status": "Active"}),
    "User.stats": _user_stats,
    "MembershipInfo.memberGPQuota": lambda m, info: m.member_gp_quota,
    "MembershipInfo.coinPerGP": lambda m, info: m.coin_per_gp,
    "MembershipInfo.coupon": _membership_coupon,
    "Coupon.used": lambda coupon, info: coupon.used,
    "Project.date": lambda project, info: time_text(project.created),
    "Project.projectType": lambda project, info: project.type,
    "Project.views": lambda project, info: 0,
    "Project.stars": lambda project, info: 0,
    "Project.thumb": lambda project, info: None,
    "Project.importedModels": lambda project, info: list(project.models.values()),
    "Project.numImage": lambda project, info: len(project.usable_images),
    "Project.gigaPixel": lambda project, info: gigapixels_of(project),
    "Project.lastDoneGP": lambda project, info: project.last_done_gp,
    "Project.taskState": _task_state,
    "Project.cloudPath": _cloud_path,
    "Project.downloads": _downloads,
    "Project.image": _image,
    "Project.imageByFilename": _image_by_filename,
    "Project.allImages": _all_images,
    "Project.hasMetaFile": _has_meta_file,
    "Project.metaFile": _meta_file,
    "Task.startDate": lambda task, info: time_text(task.started),
    "Task.endDate": lambda task, info: time_text(task.ended),
    "Task.queueing": _queueing,
    "Download.state": _download_state,
    "Download.size": _download_size,
    "Download.mtime": lambda download, info: time_text(download.available),
    "Download.link": _download_link,
    "ProjectImage.grounded": lambda image, info: False,
    "ProjectImage.url": _image_url,
}
"""Resolvers by type and field; every other field is the attribute of that name in snake case."""


def coupons_page(
    account: Account, now: float, wanted: str | None, page: dict[str, Any]
) -> dict[str, Any]:
    """Return a page of an account's coupons, all or those of one filter."""

    def chosen(coupon: Coupon) -> bool:
        active = coupon.start_date <= iso_time(now) <= coupon.end_date
        return wanted is None or (active and coupon.used == (wanted == "ActiveUsed"))

    return _page([c for c in account.coupons if chosen(c)], BY_BIRTH, page)


def projects_page(projects: list[Project], page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of projects, those whose name holds ``search`` if that is not empty."""
    search = (page.pop("search", None) or "").lower()
    return _page([p for p in projects if search in p.name.lower()], BY_BIRTH, page)


def _page(items: list[Any], order: Order[Any], page: dict[str, Any]) -> dict[str, Any]:
    from graphql import GraphQLError

    try:
        return connection(items, order, **page)
    except ValueError as error:
        raise GraphQLError(str(error)) from error
