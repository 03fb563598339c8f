"""What an Altizure account lists and looks up: projects, images, tasks, coupons, coins, codes.

Knows which operation gives which table. Columns are declared in `schema`, pages read in `relay`.
Changes nothing at the service.

Sources: altizure/dev-docs en/api.md, en/api-changelog.md; altizure/alti-cli gql/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from cupixgeo.errors import ArgumentError, AuthenticationError, NotFoundError, ServiceError
from cupixgeo.services.altizure import schema
from cupixgeo.services.altizure.graphql import Api, Object
from cupixgeo.services.altizure.places import FIELDS
from cupixgeo.services.altizure.regions import ROOMS
from cupixgeo.services.altizure.relay import nodes
from cupixgeo.services.base import JobAccount


class AltizureLists(JobAccount):
    """The lists of an account; see `cupixgeo.services.altizure.account.AltizureAccount`."""

    api: Api

    # -- the user --------------------------------------------------------------------------------

    def me(self) -> pd.DataFrame:
        """Show whom the token belongs to, its balance [coin] and quota: one row.

        Raises
        ------
        AuthenticationError
            If the service knows neither key nor token.
        """
        return schema.ACCOUNT.to_frame([self._self()], service=self.service)

    def coupons(self, *, time_state: str | None = None) -> pd.DataFrame:
        """List coupons, all or those of one state: ``"ActiveUnused"``, ``"ActiveUsed"``."""
        variables = {"filter": time_state}
        if self.api.conventions.coupons == "list":
            my = self.api.object("coupons_list", variables) or {}
            rows = list(my.get("coupons") or ())
        else:
            rows = list(nodes(self.api, "coupons", ("my", "coupons"), variables))
        return schema.COUPONS.to_frame(rows, service=self.service)

    def rooms(self) -> dict[str, bool]:
        """Say which rooms for superusers and sales people let this account in."""
        entitled = {}
        for room in ROOMS:
            try:
                entitled[room] = bool(self.api.call_at(room, "hello").get("hello"))
            except ServiceError as error:
                if error.status is None or error.status >= 500:
                    raise
                entitled[room] = False
        return entitled

    # -- projects --------------------------------------------------------------------------------

    def projects(self, *, search: str | None = None, native_only: bool = False) -> pd.DataFrame:
        """List the user's projects, newest first.

        Parameters
        ----------
        search : str
            Only projects whose name holds this.
        native_only : bool
            Leave imported ones out; not together with `search`.
        """
        if native_only and search:
            raise ArgumentError("native_only=True takes no search=: filter the table instead.")
        if native_only:
            found = nodes(self.api, "my_projects", ("my", "projects"))
        else:
            variables = {"search": search}
            found = nodes(self.api, "my_all_projects", ("my", "allProjects"), variables)
        return _projects(list(found), self.service)

    def public_projects(self, *, search: str | None = None, most: int = 100) -> pd.DataFrame:
        """List public projects of everybody, at most so many."""
        variables = {"search": search}
        found = nodes(self.api, "public_projects", ("allProjects",), variables, most=most)
        return _projects(list(found), self.service)

    def find_projects(self, id_prefix: str, *, limit: int = 10, mine: bool = True) -> pd.DataFrame:
        """Find projects by the beginning of their id, newest first."""
        variables = {"id": id_prefix, "limit": limit, "mine": mine}
        search = self.api.object("find_projects", variables) or {}
        return _projects(list(search.get("projectID") or ()), self.service)

    def project(self, id: str) -> pd.Series[Any]:
        """Get one project as a Series.

        Raises
        ------
        NotFoundError
            If there is none that this token can see.
        AuthenticationError
            If that is because the token is not good any more.
        """
        return _projects([self._project("project", {"id": id}, id)], self.service).iloc[0]

    def images(self, project: str) -> pd.DataFrame:
        """List the images of a project with their states and what is wrong with them."""
        rows = nodes(self.api, "images", ("project", "allImages"), {"pid": project})
        return schema.IMAGES.to_frame(
            [{**row, "error": "; ".join(row.get("error") or ()) or None} for row in rows],
            service=self.service,
        )

    def tasks(self, project: str) -> pd.DataFrame:
        """List the runs of a project."""
        found = self._project("project_tasks", {"id": project}, project)
        return schema.TASKS.to_frame(list(found.get("tasks") or ()), service=self.service)

    def downloads(self, project: str) -> pd.DataFrame:
        """List the files a project offers; of pro projects only. Links are not shown."""
        rows = [
            {**{k: v for k, v in row.items() if k != "link"}, "is_ready": bool(row.get("link"))}
            for row in self._downloads(project)
        ]
        return schema.DOWNLOADS.to_frame(rows, service=self.service)

    def imported_models(self, project: str) -> pd.DataFrame:
        """List the uploaded files of an imported project."""
        found = self._project("imported_models", {"id": project}, project)
        rows = list(found.get("importedModels") or ())
        return schema.MODELS.to_frame(rows, service=self.service)

    # -- the service -----------------------------------------------------------------------------

    def system_mode(self) -> str:
        """Say in which mode the service is: ``"Normal"``, ``"ReadOnly"``, ``"Forbidden"``.

        ``"Forbidden"`` is this client's word, and that of the public one, for no answer: the
        application key is not accepted.
        """
        support = self.api.object("system_mode") or {}
        return str(support.get("systemMode") or "Forbidden")

    def api_version(self) -> str:
        """Say which version of the API answers; empty where it does not tell."""
        return str((self.api.object("api_version") or {}).get("api") or "")

    def endpoints(self) -> dict[str, str]:
        """Give the addresses of the API and of the viewer's pages."""
        support = self.api.object("endpoints") or {}
        return {name: str(url) for name, url in (support.get("endpoints") or {}).items() if url}

    def viewer_url(self, project: str) -> str:
        """Give the address of a project's page for people.

        Source: altizure/alti-cli types/project.go.
        """
        return f"{self.endpoints().get('web', '')}/project-model?pid={project}"

    def supported_clouds(self, kind: Literal["image", "model", "meta"] = "image") -> list[str]:
        """List the clouds that take uploads of a kind: ``"S3"``, ``"OSS"``, ``"MINIO"``."""
        support = self.api.object("supported_cloud", {"kind": kind}) or {}
        return [str(cloud) for cloud in support.get("supportedCloud") or ()]

    def buckets(self) -> pd.DataFrame:
        """List the buckets for uploads, the nearest first, by kind."""
        info = self.api.object("nearest_buckets") or {}
        rows = [
            {"kind": kind, **row} for kind, field in FIELDS.items() for row in info.get(field) or ()
        ]
        return schema.BUCKETS.to_frame(rows, service=self.service)

    def network_test(self, url: str) -> bool:
        """Say whether the service can reach an address, for uploads by URL."""
        support = self.api.object("network_test", {"url": url}) or {}
        return support.get("networkTest") == "Success"

    def enum_values(self, name: str) -> list[str]:
        """Ask the service for the members of one of its enums: ``"TASK_TYPE"``.

        Raises
        ------
        NotFoundError
            If it has no such enum.
        """
        kind = self.api.object("enum_values", {"name": name})
        if kind is None or kind.get("enumValues") is None:
            raise NotFoundError(
                f"{self.service} has no enum {name!r}. Names are case-sensitive, for example "
                "TASK_TYPE, CURRENCY, PROJECT_ERROR_CODE.",
                service=self.service,
                verb="EnumValues",
            )
        return [str(value["name"]) for value in kind["enumValues"]]

    def error_code(self, code: str, *, lang: str = "en") -> dict[str, str]:
        """Explain why a reconstruction failed.

        Parameters
        ----------
        code : str
            A ``errorCode`` of a project.
        lang : str
            ``"en"``, ``"zh_tw"`` or ``"zh_cn"``.

        Returns
        -------
        dict
            ``code``, ``description``, ``solution``; empty texts where the service says nothing.
        """
        support = self.api.object("error_code_info", {"code": code, "lang": lang}) or {}
        info = support.get("errorCodeInfo") or {}
        return {
            "code": str(info.get("code") or code),
            "description": str(info.get("description") or ""),
            "solution": str(info.get("solution") or ""),
        }

    def error_codes(self, *, lang: str = "en") -> pd.DataFrame:
        """List every code a reconstruction can fail with, as the service itself names them."""
        rows = [self.error_code(c, lang=lang) for c in self.enum_values("PROJECT_ERROR_CODE")]
        return schema.ERROR_CODES.to_frame(rows, service=self.service)

    # -- size and money --------------------------------------------------------------------------

    def gigapixels(self, width: int, height: int, count: int = 1) -> float:
        """Ask how many gigapixels so many images of this size [pixel] are charged as."""
        variables = {"width": width, "height": height, "count": count}
        utility = self.api.object("gigapixels", variables) or {}
        value = utility.get("sizeToGigaPixel")
        if not isinstance(value, int | float):
            raise self.api.misunderstood("gigapixels", f"{value!r} as a size")
        return float(value)

    def coins_to_money(self, coins: float, currency: str = "USD") -> float:
        """Ask what so many Alticoins cost, in `currency`."""
        variables = {"coins": float(coins), "currency": currency}
        return self._amount("coins_to_money", "coinsToMoney", variables)

    def money_to_coins(self, money: float, currency: str = "USD") -> float:
        """Ask how many Alticoins an amount in `currency` buys."""
        variables = {"money": float(money), "currency": currency}
        return self._amount("money_to_coins", "moneyToCoins", variables)

    # -- parts -----------------------------------------------------------------------------------

    def _self(self) -> Object:
        my = self.api.object("me") or {}
        found = my.get("self")
        if not isinstance(found, dict) or not found.get("email"):
            raise self.not_signed_in("Me")
        return found

    def not_signed_in(self, verb: str) -> AuthenticationError:
        """Make the error for a key or a token the service does not know."""
        return AuthenticationError(
            f"{self.service} does not know the application key or the user token. Check both, and "
            f"that they were made for this very address: {self.base_url}.",
            service=self.service,
            verb=verb,
            status=200,
        )

    def _project(self, name: str, variables: Mapping[str, Any], id: str) -> Object:
        """Get a project; where there is none, say whether that is the token's fault."""
        found = self.api.object(name, variables)
        if found is not None:
            return found
        my = self.api.object("whoami") or {}
        if not (my.get("self") or {}).get("email"):
            raise self.not_signed_in(name)
        raise NotFoundError(
            f"{self.service} has no project {id!r} that this token can see. projects() lists the "
            "user's own.",
            service=self.service,
            verb=name,
            status=200,
        )

    def _downloads(self, project: str) -> list[Object]:
        """Get name, size and link of what a project offers. Links are signed: show none."""
        found = self._project("downloads", {"id": project}, project)
        edges = (found.get("downloads") or {}).get("edges") or ()
        return [edge["node"] for edge in edges if edge and edge.get("node")]

    def _amount(self, name: str, field: str, variables: Mapping[str, Any]) -> float:
        value = (self.api.object(name, variables) or {}).get(field)
        if not isinstance(value, int | float):
            raise self.api.misunderstood(name, f"{value!r} as an amount")
        return float(value)


def _projects(rows: list[Object], service: str) -> pd.DataFrame:
    listed = []
    for row in rows:
        clouds = [path.get("key") for path in row.get("cloudPath") or ()]
        kept = {key: value for key, value in row.items() if key != "cloudPath"}
        listed.append({**kept, "clouds": clouds})
    return schema.PROJECTS.to_frame(listed, service=service)
