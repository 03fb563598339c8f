"""What a Cupix account lists: facilities, records, captures, clusters, panos, pointclouds.

Knows which list takes which filters. Columns are declared in `schema`, pages read in `wire`.

Sources: CupixWorks pointcloud page; CupixWorks OpenAPI files v1.9.4 and v1.13.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pandas as pd

from cupixgeo.services.base import Account
from cupixgeo.services.cupix import schema, wire
from cupixgeo.services.cupix.lookup import Lookup
from cupixgeo.services.cupix.poses import pose_columns
from cupixgeo.services.tables import TableSchema

IDS_AT_A_TIME = 100
"""Ids named in one request."""

Id = int | str
Fields = str | Iterable[str] | None


class CupixLists(Account):
    """The lists of an account; see `cupixgeo.services.cupix.account.CupixAccount`."""

    per_page: int

    def me(self, *, fields: Fields = None) -> pd.DataFrame:
        """Show whom the token belongs to: one row. The cheapest test of a token."""
        table, names = _choice(schema.USERS, fields)
        return table.to_frame([wire.get_object(self.session, "me", names)], service=self.service)

    def facilities(self, *, workspace_id: Id | None = None, fields: Fields = None) -> pd.DataFrame:
        """List facilities ("projects" in the web application)."""
        return self._table(schema.FACILITIES, fields, workspace_id=workspace_id)

    def levels(self, *, facility_key: str | None = None, fields: Fields = None) -> pd.DataFrame:
        """List levels (storeys), of all facilities or one."""
        return self._table(schema.LEVELS, fields, facility_key=facility_key)

    def records(self, *, facility_key: str | None = None, fields: Fields = None) -> pd.DataFrame:
        """List records ("captures" in the web application: one date of a facility)."""
        return self._table(schema.RECORDS, fields, facility_key=facility_key)

    def captures(self, *, record_id: Id | None = None, fields: Fields = None) -> pd.DataFrame:
        """List captures ("areas" in the web application: one walk or upload)."""
        return self._table(schema.CAPTURES, fields, record_id=record_id)

    def clusters(self, *, capture_id: Id, fields: Fields = None) -> pd.DataFrame:
        """List the clusters of a capture: what was aligned together."""
        return self._table(schema.CLUSTERS, fields, capture_id=capture_id)

    def panos(
        self,
        *,
        capture_id: Id | None = None,
        ids: Iterable[Id] | None = None,
        fields: Fields = None,
        quat_order: str = "xyzw",
    ) -> pd.DataFrame:
        """List panos with their camera poses.

        Parameters
        ----------
        capture_id : int or str
            Only those of this capture.
        ids : iterable of int or str
            Only these.
        fields : names, optional
            Fields to ask for instead of the usual ones; poses are computed either way.
        quat_order : {"xyzw", "wxyz"}
            Order of the four numbers of a quaternion; the service does not say, the default is
            inferred.

        Returns
        -------
        pandas.DataFrame
            With ``x, y, z`` [m] in the facility's frame, the quaternion ``qx, qy, qz, qw``, and
            where there is a georeference ``lon_deg, lat_deg, height_m`` (WGS 84, ellipsoidal).
        """
        table, names = _choice(schema.PANOS, fields)
        params = params_of(capture_id=capture_id)
        asked = dict.fromkeys((*names, "facility", *schema.POSE_FIELDS))
        chosen = None if ids is None else [str(wire.as_id(item, "pano")) for item in ids]
        rows: list[wire.Attributes] = []
        for some in [params] if chosen is None else _batches(chosen, params):
            rows += wire.get_list(self.session, "panos", some, fields=asked, per_page=self.per_page)
        return self._posed(table, names, rows, quat_order)

    def pointclouds(
        self,
        *,
        record_id: Id | None = None,
        cluster_id: Id | None = None,
        capture_id: Id | None = None,
        parent_id: Id | None = None,
        pointcloud_type: Literal["uploaded", "3d_reconstructed", "all"] | None = None,
        fields: Fields = None,
    ) -> pd.DataFrame:
        """List pointclouds, groups and subs.

        Parameters
        ----------
        record_id, cluster_id, capture_id, parent_id : int or str
            Only those of this record, cluster, capture or group.
        pointcloud_type : {"uploaded", "3d_reconstructed", "all"}
            Only laser scans given by users, or only those made by Cupix.
        fields : names, optional
            Fields to ask for instead of the usual ones: a list, or text with commas.

        Returns
        -------
        pandas.DataFrame
            One row a pointcloud; ``kind`` and ``parent_id`` tell who belongs to whom.

        Raises
        ------
        ServiceError
            Of the class for what the service answered.
        ArgumentError
            If an id is none.

        References
        ----------
        CupixWorks pointcloud page, ``GET /pointclouds``.
        """
        return self._table(
            schema.POINTCLOUDS,
            fields,
            record_id=record_id,
            cluster_id=cluster_id,
            capture_id=capture_id,
            parent_id=parent_id,
            pointcloud_type=pointcloud_type,
        )

    def pointcloud_tree(self, **filters: Any) -> pd.DataFrame:
        """List pointclouds with each group followed by its subs; filters as for `pointclouds`."""
        table = self.pointclouds(**filters)
        top = table["parent_id"].where(table["parent_id"].isin(table["id"]), table["id"])
        order = pd.DataFrame({"top": top, "depth": (top != table["id"]).astype(int)})
        table.insert(0, "depth", order["depth"])
        return table.iloc[order.assign(id=table["id"]).sort_values(["top", "depth", "id"]).index]

    def pointcloud(self, id: Id, *, fields: Fields = None) -> pd.Series[Any]:
        """Get one pointcloud as a Series."""
        table, names = _choice(schema.POINTCLOUDS, fields)
        row = wire.get_object(self.session, f"pointclouds/{wire.as_id(id, 'pointcloud')}", names)
        return table.to_frame([row], service=self.service).iloc[0]

    def meta(self, id: Id) -> dict[str, Any]:
        """Get the meta of a pointcloud as sent.

        Its matrices are in ``prop``, or in ``user_prop`` where somebody moved the pointcloud; see
        `cupixgeo.services.cupix.pointcloud.preferred_prop`.
        """
        number = wire.as_id(id, "pointcloud")
        return wire.get_meta(self.session, f"pointclouds/{number}/meta")

    def _lookup(self) -> Lookup:
        return Lookup(self.session, self.per_page)

    def _table(self, table: TableSchema, fields: Fields, **filters: Any) -> pd.DataFrame:
        table, names = _choice(table, fields)
        rows = wire.get_list(
            self.session, table.name, params_of(**filters), fields=names, per_page=self.per_page
        )
        return table.to_frame(rows, service=self.service)

    def _posed(
        self, table: TableSchema, names: Iterable[str], rows: list[wire.Attributes], order: str
    ) -> pd.DataFrame:
        """Make the table of panos, poses behind the columns that were asked for."""
        asked = {"id", *names}
        frame = table.to_frame(
            [{name: row[name] for name in row if name in asked} for row in rows],
            service=self.service,
        )
        attrs = frame.attrs
        poses = pose_columns(rows, self._lookup().facility_of, quat_order=order)
        frame = pd.concat([frame, poses], axis="columns")
        described = schema.POSES.to_frame([]).attrs["columns"]
        frame.attrs = {
            **attrs,
            "columns": {**attrs["columns"], **described},
            "quat_order": order,
        }
        return frame


def params_of(**filters: Any) -> dict[str, str | int]:
    """Make query parameters of filters; ids are checked, None is left out."""
    params: dict[str, str | int] = {}
    for name, value in filters.items():
        if value is None:
            continue
        what, _, ending = name.rpartition("_")
        if ending == "id":
            params[name] = wire.as_id(value, what)
        elif ending == "key":
            params[name] = wire.as_key(value, what)
        else:
            params[name] = str(value)
    return params


def _batches(ids: list[str], params: wire.Params) -> Iterator[dict[str, str | int]]:
    """Ask for a hundred ids at a time: an address cannot be as long as it likes."""
    for start in range(0, len(ids), IDS_AT_A_TIME):
        yield {**params, "ids": ",".join(ids[start : start + IDS_AT_A_TIME])}


def _choice(table: TableSchema, fields: Fields) -> tuple[TableSchema, tuple[str, ...]]:
    """Give the columns to show and the fields to ask for."""
    if fields is None:
        return table, table.fields
    names = wire.as_fields(fields)
    return table.select(names), tuple(dict.fromkeys(("id", *names)))
