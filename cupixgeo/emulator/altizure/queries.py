"""Root queries: what can be asked without changing anything.

Knows who may see what. A query without a good token gives null where it is about the user
(changelog 1.4.0), one without a good application key gives null everywhere.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from cupixgeo.emulator.altizure.buckets import BUCKETS
from cupixgeo.emulator.altizure.fetch import fetch
from cupixgeo.emulator.altizure.records import Project
from cupixgeo.emulator.altizure.rules import gigapixels
from cupixgeo.emulator.altizure.tasks import ERROR_TEXTS
from cupixgeo.emulator.altizure.views import BY_BIRTH, Resolver, coupons_page, projects_page

API_VERSION = "2.7.4"
_CNY_PER_USD = 7.0
_EMPTY: dict[str, Any] = {}


def _keyed(resolve: Resolver) -> Resolver:
    """Give null unless the application key is good."""

    @wraps(resolve)
    def guarded(source: Any, info: Any, **arguments: Any) -> Any:
        return resolve(source, info, **arguments) if info.context.has_key else None

    return guarded


def _my(source: Any, info: Any) -> Any:
    return _EMPTY if info.context.account is not None else None


def _self(source: Any, info: Any) -> Any:
    return info.context.account


def _my_projects(source: Any, info: Any, **page: Any) -> dict[str, Any]:
    return projects_page([p for p in _owned(info) if not p.is_imported], page)


def _my_all_projects(source: Any, info: Any, **page: Any) -> dict[str, Any]:
    return projects_page(_owned(info), page)


def _coupons(source: Any, info: Any, filter: str | None = None, **page: Any) -> dict[str, Any]:
    return coupons_page(info.context.account, info.context.store.now, filter, page)


def _owned(info: Any) -> list[Project]:
    context = info.context
    return [p for p in context.store.projects.values() if p.owner is context.account]


def _project(source: Any, info: Any, id: str) -> Project | None:
    found: Project | None = info.context.store.find(id, info.context.account)
    return found


def _search_id(
    source: Any,
    info: Any,
    id: str | None = None,
    limit: int | None = None,
    my_project: bool = False,
) -> list[Project]:
    context = info.context
    rows = _owned(info) if my_project else list(context.store.visible(context.account))
    rows = [project for project in rows if project.id.startswith(id or "")]
    return sorted(rows, key=BY_BIRTH.key, reverse=True)[:limit]


def _all_projects(source: Any, info: Any, **page: Any) -> dict[str, Any]:
    projects = info.context.store.projects.values()
    return projects_page([p for p in projects if p.visibility == "public"], page)


def _coins_to_money(
    source: Any, info: Any, coins: float | None = None, currency: str | None = None
) -> float:
    return (coins or 0.0) * _coin_price(info, currency)


def _money_to_coins(
    source: Any, info: Any, money: float | None = None, currency: str | None = None
) -> float:
    return (money or 0.0) / _coin_price(info, currency)


def _coin_price(info: Any, currency: str | None) -> float:
    price: float = info.context.store.rules.coin_price
    return price * _CNY_PER_USD if currency == "CNY" else price


def _size(
    source: Any,
    info: Any,
    width: int | None = None,
    height: int | None = None,
    num_img: int | None = None,
) -> float:
    return gigapixels(width or 0, height or 0, num_img or 0)


def _support(source: Any, info: Any) -> dict[str, Any]:
    return _EMPTY


def _system_mode(source: Any, info: Any) -> str:
    return str(info.context.store.rules.system_mode) if info.context.has_key else ""


def _endpoints(source: Any, info: Any) -> dict[str, str]:
    return {"api": info.context.api_url, "web": info.context.store.web_url}


def _supported_cloud(source: Any, info: Any, kind: str | None = None) -> list[str]:
    clouds = (b.cloud for b in BUCKETS if kind is None or kind in b.kinds)
    return list(dict.fromkeys(clouds))


def _network_test(source: Any, info: Any, url: str) -> str:
    try:
        fetch(url)
    except ValueError as error:
        return f"Fail: {error}"
    return "Success"


def _error_code_info(
    source: Any, info: Any, code: str | None = None, lang: str | None = None
) -> dict[str, Any] | None:
    if code is None:
        return None
    description, solution = ERROR_TEXTS[code]
    prefix = "" if lang in (None, "en") else f"[{lang}] "
    return {"code": code, "description": prefix + description, "solution": prefix + solution}


def _geo_ip(source: Any, info: Any) -> dict[str, Any]:
    def nearest(kind: str) -> list[dict[str, str]]:
        return [
            {"bucket": b.member, "display": b.display, "cloud": b.cloud}
            for b in BUCKETS
            if kind in b.kinds
        ]

    return {
        "id": "127.0.0.1",
        "nearestBuckets": nearest("image"),
        "nearestMetaBuckets": nearest("meta"),
        "nearestModelBuckets": nearest("model"),
    }


def _const(value: Any) -> Resolver:
    return lambda source, info: value


QUERIES: dict[str, Resolver] = {
    "Query.my": _keyed(_my),
    "Query.bank": _keyed(_const(_EMPTY)),
    "Query.utility": _keyed(_const(_EMPTY)),
    "Query.versions": _keyed(_const({"api": API_VERSION})),
    "Query.support": _support,
    "Query.getGeoIPInfo": _keyed(_geo_ip),
    "Query.project": _keyed(_project),
    "Query.search": _keyed(_const(_EMPTY)),
    "Query.allProjects": _keyed(_all_projects),
    "My.self": _self,
    "My.projects": _my_projects,
    "My.allProjects": _my_all_projects,
    "My.coupons": _coupons,
    "Bank.coinsToMoney": _coins_to_money,
    "Bank.moneyToCoins": _money_to_coins,
    "Utility.sizeToGigaPixel": _size,
    "Support.systemMode": _system_mode,
    "Support.endpoints": _keyed(_endpoints),
    "Support.supportedCloud": _keyed(_supported_cloud),
    "Support.networkTest": _keyed(_network_test),
    "Support.errorCodeInfo": _keyed(_error_code_info),
    "Search.projectID": _search_id,
}
