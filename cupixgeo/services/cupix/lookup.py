"""Everything one call needs to know of pointclouds, groups and facilities, each asked for once.

Knows how objects that belong together are found with few requests. Lives as long as one call, so
that nothing it holds is stale in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from cupixgeo.net.session import Session
from cupixgeo.services.cupix.pointcloud import FIELDS, Facility, Pointcloud
from cupixgeo.services.cupix.wire import Attributes, Params, as_id, get_list, get_meta, get_object

PARALLEL = 4
"""Requests at a time for objects that can only be asked for one by one."""

FACILITY_FIELDS = ("id", "key", "name", "georeference")


class Lookup:
    """Finds pointclouds, groups and facilities.

    Parameters
    ----------
    session : Session
        The connection.
    per_page : int
        Objects to ask for at a time in lists.
    """

    def __init__(self, session: Session, per_page: int) -> None:
        self._session = session
        self._per_page = per_page
        self._clouds: dict[int, Pointcloud] = {}
        self._facilities: dict[int, Facility] = {}

    def listed(self, params: Params) -> list[Pointcloud]:
        """List pointclouds, groups included."""
        rows = get_list(
            self._session, "pointclouds", params, fields=FIELDS, per_page=self._per_page
        )
        return [self._keep(row) for row in rows]

    def cloud(self, cloud_id: int) -> Pointcloud:
        """Get one pointcloud."""
        if cloud_id not in self._clouds:
            self._keep(get_object(self._session, f"pointclouds/{cloud_id}", FIELDS))
        return self._clouds[cloud_id]

    def clouds(self, ids: Sequence[int]) -> list[Pointcloud]:
        """Get several pointclouds, a few at a time."""
        missing = [cloud_id for cloud_id in dict.fromkeys(ids) if cloud_id not in self._clouds]
        if len(missing) > 1:
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(self.cloud, missing))
        return [self.cloud(cloud_id) for cloud_id in ids]

    def group_of(self, cloud: Pointcloud) -> Pointcloud | None:
        """Get the group of a sub; None for a pointcloud without one."""
        return None if cloud.group_id is None else self.cloud(cloud.group_id)

    def subs_of(self, group: Pointcloud) -> list[Pointcloud]:
        """List the subs of a group."""
        return self.listed({"parent_id": group.id})

    def facility_of(self, attributes: Mapping[str, object]) -> Facility | None:
        """Get the facility an object refers to; None where it refers to none.

        A facility is addressed by its key; where the reference holds only its id, the list of
        facilities is looked through, once.
        """
        reference = attributes.get("facility")
        if not isinstance(reference, Mapping) or reference.get("id") is None:
            return None
        facility_id = as_id(reference["id"], "facility")
        if facility_id not in self._facilities:
            key = reference.get("key")
            if isinstance(key, str) and key:
                rows = [get_object(self._session, f"facilities/{key}", FACILITY_FIELDS)]
            else:
                rows = self._all_facilities()
            self._facilities |= {row["id"]: Facility.from_attributes(row) for row in rows}
        return self._facilities.get(facility_id)

    def facility(self, name: str | int) -> Facility | None:
        """Find a facility by its key or its id."""
        for row in self._all_facilities():
            if name in (row["id"], row.get("key"), str(row["id"])):
                return Facility.from_attributes(row)
        return None

    def fill(self, clouds: Iterable[Pointcloud]) -> None:
        """Get all groups that are missing, a few at a time."""
        self.clouds([cloud.group_id for cloud in clouds if cloud.group_id is not None])

    def _keep(self, row: Attributes) -> Pointcloud:
        if "meta" not in row:
            row = {**row, "meta": get_meta(self._session, f"pointclouds/{row['id']}/meta")}
        cloud = Pointcloud.from_attributes(row)
        return self._clouds.setdefault(cloud.id, cloud)

    def _all_facilities(self) -> list[Attributes]:
        return get_list(
            self._session, "facilities", {}, fields=FACILITY_FIELDS, per_page=self._per_page
        )
