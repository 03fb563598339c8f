"""All objects of the emulated Cupix service, by kind and id, built once for a seed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache

from cupixgeo.emulator.cupix.brighton import build_brighton
from cupixgeo.emulator.cupix.ids import Ids
from cupixgeo.emulator.cupix.made_up import build_big, build_foreign, build_local
from cupixgeo.emulator.cupix.models import COLLECTIONS, Item
from cupixgeo.emulator.cupix.odd import build_odd
from cupixgeo.emulator.cupix.sessions import make_accounts
from cupixgeo.emulator.world import world_of

_building = threading.Lock()


class Catalogue:
    """The objects of the service.

    Parameters
    ----------
    items : iterable of Item
        All of them.
    reviews : dict of str to int
        Facility id by review key.
    """

    def __init__(self, items: Iterable[Item], reviews: dict[str, int]) -> None:
        self.reviews = reviews
        self._by_model: dict[str, dict[int, Item]] = {m: {} for m in COLLECTIONS.values()}
        self._by_model["user"] = {}
        for item in items:
            self._by_model[item.model][item.id] = item
        self._facility_ids = {i.value("key"): i.id for i in self.items("facility")}

    def items(self, model: str) -> list[Item]:
        """Return all objects of a kind, of every team."""
        return list(self._by_model[model].values())

    def find(self, model: str, item_id: int) -> Item | None:
        """Return one object, or None."""
        return self._by_model[model].get(item_id)

    def facility_id(self, key: str) -> int | None:
        """Return the id of the facility with this key, or None."""
        return self._facility_ids.get(key)


def catalogue_of(seed: int) -> Catalogue:
    """Return the catalogue of a seed; one process builds it once."""
    with _building:
        return _build(seed)


@lru_cache(maxsize=2)
def _build(seed: int) -> Catalogue:
    ids = Ids()
    brighton = world_of(seed).brighton
    images = [placed.photo.path for placed in brighton.photos]
    sites = (
        build_brighton(ids, brighton),
        build_big(ids, seed, images),
        build_local(ids, seed),
        build_odd(ids, seed),
        build_foreign(ids, seed),
    )
    items = [item for site in sites for item in site.items]
    for account in make_accounts(seed):
        name = account.team_domain.removeprefix("emu-").capitalize()
        items += [
            Item("workspace", 2 + account.team, account.team, _workspace(2 + account.team, name)),
            Item("user", account.user, account.team, _user(account.user, name, account.email)),
        ]
    return Catalogue(items, {ids.review_key: ids.facility})


def _workspace(item_id: int, name: str) -> dict[str, object]:
    return {"id": item_id, "name": f"{name} workspace", "state": "active"}


def _user(item_id: int, name: str, email: str) -> dict[str, object]:
    return {
        "id": item_id, "name": f"{name} Surveyor", "email": email, "firstname": name,
        "lastname": "Surveyor", "user_type": "member",
    }  # fmt: skip
