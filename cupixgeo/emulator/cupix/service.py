"""The routes of the emulated Cupix API: who may call what, and what comes back.

Order of the refusals: unknown route 404, wrong method 405, bad token 401, bad arguments 400,
another team's object 403, no such object 404. 401, 403 and 404 have no body.

References
----------
CupixWorks pointcloud page and OpenAPI v1.9.4. Decided here, where they are silent: a list filtered
by another team's object answers 403, by an unknown one is empty; download of a group is a 400;
``fields`` is not needed for ``meta``, downloads and sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cupixgeo.emulator.cupix.catalogue import Catalogue, catalogue_of
from cupixgeo.emulator.cupix.models import COLLECTIONS, Item, Writer
from cupixgeo.emulator.cupix.query import (
    RefusedError,
    integer,
    integers,
    invalid,
    missing,
    narrow,
    page_of,
    refuse_unsupported,
    wanted_fields,
)
from cupixgeo.emulator.cupix.sessions import Account, Sessions, authenticated, session_attributes
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.storage import StoredObject
from cupixgeo.emulator.wire import Request, Response, empty_response, is_number, json_response

TOKEN = "x-cupix-auth"

_FILTERS = {
    "pointclouds": ("record_id", "cluster_id", "capture_id", "parent_id"),
    "clusters": ("capture_id",),
    "panos": ("capture_id",),
    "captures": ("record_id",),
    "records": (),
    "levels": (),
    "facilities": ("workspace_id",),
    "meshes": ("record_id",),
    "videos": ("capture_id",),
    "workspaces": (),
}
_LINK_MODELS = {
    "record_id": "record", "cluster_id": "cluster", "capture_id": "capture",
    "parent_id": "pointcloud", "workspace_id": "workspace", "facility_id": "facility",
}  # fmt: skip
_REVIEWED = ("records", "levels", "captures", "panos", "pointclouds", "meshes")
_POINTCLOUD_TYPES = ("uploaded", "3d_reconstructed")


@dataclass(frozen=True)
class Call:
    """One authorised request: who asks, what for, and the parts of the path."""

    request: Request
    account: Account
    parts: Mapping[str, str]

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters."""
        return self.request.query


class CupixService:
    """The emulated service.

    Parameters
    ----------
    stage : Stage
        Seed, clock, options, storage.
    """

    def __init__(self, stage: Stage) -> None:
        self.sessions = Sessions(stage.seed, stage.clock)
        self._stage = stage
        self._open_routes: dict[str, dict[str, Callable[[Request], Response]]] = {
            "/authenticate": {"POST": self._authenticate},
        }
        self._routes = [
            (_route_pattern(path), method, handler) for path, method, handler in self._route_table()
        ]

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The users: 0 owns the demo site, 1 belongs to another team."""
        return self.sessions.accounts

    def token(self, account: int) -> str:
        """Return the API token of an account."""
        if not 0 <= account < len(self.accounts):
            raise ValueError(
                f"the emulated cupix service has accounts 0 to {len(self.accounts) - 1}, "
                f"not {account}"
            )
        return self.accounts[account].token

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return self._dispatch(request)
        except RefusedError as refusal:
            if refusal.body is None:
                return empty_response(refusal.status)
            return json_response(refusal.status, refusal.body)

    def _route_table(self) -> list[tuple[str, str, Callable[[Call], Response]]]:
        table: list[tuple[str, str, Callable[[Call], Response]]] = [
            ("/me", "GET", self._me),
            ("/sessions", "GET", self._session),
            ("/sessions", "DELETE", self._sign_out),
            ("/pointclouds/{id}/resources/{kind}/download", "GET", self._resource),
            ("/clusters/{id}/resources/{kind}/download", "GET", self._resource),
            ("/panos/{id}/resources", "GET", self._resources),
        ]
        for name, model in COLLECTIONS.items():
            table.append((f"/{name}", "GET", partial(self._list, name=name)))
            table.append((f"/{name}/{{id}}", "GET", partial(self._one, model=model)))
        for name in ("pointclouds", "clusters", "panos"):
            model = COLLECTIONS[name]
            table.append((f"/{name}/{{id}}/meta", "GET", partial(self._meta, model=model)))
            table.append((f"/{name}/{{id}}/meta/{{key}}", "GET", partial(self._meta, model=model)))
        for name in ("pointclouds", "panos", "meshes", "videos"):
            handler = partial(self._download, model=COLLECTIONS[name])
            table.append((f"/{name}/{{id}}/download", "GET", handler))
        for name in _REVIEWED:
            table.append((f"/reviews/{{key}}/{name}", "GET", partial(self._review, name=name)))
        return table

    def _dispatch(self, request: Request) -> Response:
        if request.path in self._open_routes:
            methods = self._open_routes[request.path]
            if request.method not in methods:
                return _wrong_method(set(methods))
            return methods[request.method](request)
        allowed: set[str] = set()
        for pattern, method, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            if method == request.method:
                account = self.sessions.account_of(_token_of(request))
                return handler(Call(request, account, match.groupdict()))
            allowed.add(method)
        return _wrong_method(allowed) if allowed else empty_response(404)

    def _list(self, call: Call, *, name: str) -> Response:
        fields = wanted_fields(call.query)
        if name == "clusters" and "capture_id" not in call.query:
            raise missing("capture_id")
        refuse_unsupported(call.query)
        items = self._visible(COLLECTIONS[name], call.account)
        for link in _FILTERS[name]:
            wanted = integer(call.query, link)
            if wanted is not None:
                self._check_permission(_LINK_MODELS[link], wanted, call.account)
                items = [i for i in items if i.links.get(link) == wanted]
        if name in ("records", "levels") and (key := call.query.get("facility_key")) is not None:
            facility = self._catalogue.facility_id(key)
            if facility is not None:
                self._check_permission("facility", facility, call.account)
            items = [i for i in items if i.links["facility_id"] == facility]
        return self._send_list(_by_kind(items, name, call.query), name, call.query, fields)

    def _one(self, call: Call, *, model: str) -> Response:
        fields = wanted_fields(call.query)
        item = self._find(model, call)
        return self._send({"data": self._writer.item(item, fields)})

    def _review(self, call: Call, *, name: str) -> Response:
        fields = wanted_fields(call.query)
        facility = self._catalogue.reviews.get(call.parts["key"])
        if facility is None:
            raise RefusedError(404)
        self._check_permission("facility", facility, call.account)
        items = [
            i for i in self._visible(COLLECTIONS[name], call.account)
            if i.links["facility_id"] == facility
        ]  # fmt: skip
        records = self._reviewed_records(facility, call.query)
        if name != "levels":
            items = [i for i in items if i.links.get("record_id") in records]
        for parameter, link in (("level_ids", "level_id"), ("area_ids", "capture_id")):
            wanted = integers(call.query, parameter)
            if wanted is not None:
                items = [i for i in items if i.links.get(link) in wanted]
        return self._send_list(items, name, call.query, fields)

    def _reviewed_records(self, facility: int, query: Mapping[str, str]) -> set[int]:
        chosen = integers(query, "record_ids")
        start, end = query.get("from_at"), query.get("to_at")
        if chosen is not None and (start or end):
            raise invalid("record_ids", "not together with from_at and to_at")
        if (start is None) != (end is None):
            raise missing("to_at" if end is None else "from_at")
        records = [r for r in self._catalogue.items("record") if r.links["facility_id"] == facility]
        if start is not None and end is not None:
            records = [r for r in records if start <= r.value("captured_at") <= end]
        return {r.id for r in records if chosen is None or r.id in chosen}

    def _meta(self, call: Call, *, model: str) -> Response:
        meta = self._find(model, call).value("meta")
        key = call.parts.get("key")
        if key is not None:
            if key not in meta:
                raise RefusedError(404)
            meta = meta[key]
        return self._send(self._writer.plain(meta), message=None)

    def _resources(self, call: Call) -> Response:
        wanted_fields(call.query)
        self._find("pano", call)
        data, pagination = page_of([], call.query)
        return self._send({"data": data, "pagination": pagination})

    def _download(self, call: Call, *, model: str) -> Response:
        item = self._find(model, call)
        if item.value("kind") == "group":
            raise RefusedError(
                400, code="ARG10003", kind="argument", reason="invalid",
                message="a pointcloud group has no file to download; ask for its subs",
            )  # fmt: skip
        return self._redirect(item, "download")

    def _resource(self, call: Call) -> Response:
        model = "cluster" if call.request.path.startswith("/clusters") else "pointcloud"
        return self._redirect(self._find(model, call), call.parts["kind"])

    def _redirect(self, item: Item, name: str) -> Response:
        if name not in item.files:
            raise RefusedError(404)
        filename, media_type, load = item.files[name]
        stem, dot, suffix = filename.rpartition(".")
        tail = re.sub(r"[^\w-]+", "_", stem) + dot + suffix
        key = f"cupix/{item.model}s/{item.id}/{name}/{tail}"
        url = self._stage.storage.link(StoredObject(key, filename, media_type, load))
        return empty_response(302, headers=(("Location", url),))

    def _poses_url(self, record_id: int) -> str:
        key = f"public/cupix/records/{record_id}/geo_coordinate.json"
        load = partial(self._poses, record_id)
        stored = StoredObject(key, "geo_coordinate.json", "application/json", load)
        return self._stage.storage.publish(stored)

    def _poses(self, record_id: int) -> bytes:
        names = (
            "id",
            "pano_type",
            "geo_coordinate",
            "revision_type",
            "georeference",
            "use_georeference",
        )
        poses = []
        for pano in self._catalogue.items("pano"):
            if pano.links["record_id"] != record_id or pano.value("geo_coordinate") is None:
                continue
            capture = self._catalogue.find("capture", pano.links["capture_id"])
            assert capture is not None  # every pano was made from a capture
            of = ("id", "measure_ready_at", "creation_platform", "material", "method")
            about = {n: capture.value(n) for n in of}
            about["level"] = {"id": capture.links["level_id"]}
            poses.append({**{n: pano.value(n) for n in names}, "capture": about})
        return json.dumps({"panos": poses}).encode()

    def _authenticate(self, request: Request) -> Response:
        try:
            form = json.loads(request.body)
        except ValueError as error:
            raise invalid("body", str(error)) from error
        if not isinstance(form, dict):
            raise invalid("body", "not a JSON object")
        session = self.sessions.sign_in(form)
        return json_response(200, authenticated(session, form["grant_type"]))

    def _me(self, call: Call) -> Response:
        fields = wanted_fields(call.query)
        user = self._catalogue.find("user", call.account.user)
        assert user is not None  # every account has its user
        return self._send({"data": self._writer.item(user, fields)})

    def _session(self, call: Call) -> Response:
        session = self.sessions.session_of(_token_of(call.request))
        attributes = session_attributes(call.account, session)
        item = {"id": attributes["session_id"], "type": "session", "attributes": attributes}
        return self._send({"data": item})

    def _sign_out(self, call: Call) -> Response:
        self.sessions.sign_out(_token_of(call.request))
        return empty_response(204)

    @property
    def _catalogue(self) -> Catalogue:
        return catalogue_of(self._stage.seed)

    @property
    def _writer(self) -> Writer:
        return Writer(self._stage.options.matrix_order, self._poses_url)

    def _visible(self, model: str, account: Account) -> list[Item]:
        return [item for item in self._catalogue.items(model) if item.team == account.team]

    def _check_permission(self, model: str, item_id: int, account: Account) -> None:
        item = self._catalogue.find(model, item_id)
        if item is not None and item.team != account.team:
            raise RefusedError(403)

    def _find(self, model: str, call: Call) -> Item:
        text = call.parts["id"]
        if model == "facility":
            number = self._catalogue.facility_id(text)
        else:
            number = int(text) if is_number(text) else None
        item = None if number is None else self._catalogue.find(model, number)
        if item is None:
            raise RefusedError(404)
        if item.team != call.account.team:
            raise RefusedError(403)
        return item

    def _send_list(
        self, items: list[Item], name: str, query: Mapping[str, str], fields: list[str]
    ) -> Response:
        page, pagination = page_of(narrow(items, COLLECTIONS[name], query), query)
        writer = self._writer
        data = [writer.item(item, fields) for item in page]
        return self._send({"data": data, "pagination": pagination})

    def _send(self, result: Any, **more: Any) -> Response:
        return json_response(200, {"result": result, "session": None, **more})


def _by_kind(items: list[Item], name: str, query: Mapping[str, str]) -> list[Item]:
    """Apply the parameters that only one collection has."""
    if name == "pointclouds":
        kind = query.get("pointcloud_type", "all")
        if kind not in (*_POINTCLOUD_TYPES, "all"):
            raise invalid("pointcloud_type", kind)
        return [i for i in items if kind in ("all", i.value("pointcloud_type"))]
    if name == "panos":
        wanted = integers(query, "ids")
        revision = query.get("revision_type", "normal")
        if revision not in ("normal", "enhanced_image"):
            raise invalid("revision_type", revision)
        return [
            i for i in items
            if (wanted is None or i.id in wanted) and i.value("revision_type") == revision
        ]  # fmt: skip
    return items


def _route_pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _token_of(request: Request) -> str | None:
    in_query = next((v for name, v in request.query.items() if name.lower() == TOKEN), None)
    return request.headers.get(TOKEN, in_query)


def _wrong_method(allowed: set[str]) -> Response:
    return empty_response(405, headers=(("Allow", ", ".join(sorted(allowed))),))
