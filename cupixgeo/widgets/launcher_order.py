"""What is being ordered: photos, name, products, CRS, area, parameters, as far as they are known.

Knows how an order is checked, planned and written as Python. Must not know any widget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.formats.polygon import read_polygons
from cupixgeo.photos.preflight import Preflight
from cupixgeo.services.base import JobAccount
from cupixgeo.services.driver import JobDriver, JobRequest
from cupixgeo.services.plan import Plan
from cupixgeo.widgets.form import as_keywords
from cupixgeo.widgets.repeat import Name, call, connect, written

Key = tuple[str, str]
NAME, PRODUCTS, CRS, AREA = (("", name) for name in ("name", "products", "crs", "area of interest"))
"""Entries of an order that are no parameters of the service."""


@dataclass(frozen=True)
class Order:
    """What is to be made of which photos.

    Parameters
    ----------
    photos : str
        Folder or film, as it was typed.
    name : str
        Name of the job.
    products : tuple of str
        Empty for the service's own choice.
    crs : str or None
        Of the results; None leaves it to the service.
    area : mapping or None
        GeoJSON polygon, longitude and latitude [deg].
    area_argument : str
        What the service calls the area.
    parameters : mapping
        The service's own, by group and name.
    """

    photos: str = ""
    name: str = ""
    products: tuple[str, ...] = ()
    crs: str | None = None
    area: Mapping[str, Any] | None = None
    area_argument: str = ""
    parameters: Mapping[Key, Any] = field(default_factory=dict)

    @property
    def entries(self) -> dict[Key, Any]:
        """All that was said, by group and name; what was not said is not in it."""
        said = {NAME: self.name, PRODUCTS: self.products, CRS: self.crs, AREA: self.area}
        return {**self.parameters, **{key: value for key, value in said.items() if value}}

    @property
    def keywords(self) -> dict[str, Any]:
        """Arguments of ``account.plan`` behind the photos."""
        keywords: dict[str, Any] = {"name": self.name}
        if self.crs:
            keywords["crs"] = self.crs
        if self.products:
            keywords["products"] = list(self.products)
        if self.area is not None and self.area_argument:
            keywords[self.area_argument] = dict(self.area)
        return {**keywords, **as_keywords(self.parameters)}

    def plan(self, account: JobAccount, preflight: Preflight | None) -> Plan:
        """Plan it: asks the service about limits and cost, changes nothing.

        Parameters
        ----------
        account : JobAccount
            Where.
        preflight : Preflight or None
            What was found out about the photos; None where they are to be looked at now.

        Raises
        ------
        CupixGeoError
            As ``account.plan``.
        """
        keywords = self.keywords
        name = str(keywords.pop("name"))
        return account.plan(self.photos if preflight is None else preflight, name=name, **keywords)

    def check(self, driver: JobDriver, entries: Mapping[Key, Any]) -> None:
        """Let the service look at some of the entries. Sends none of them.

        Raises
        ------
        CupixGeoError
            What the service says against them.
        """
        own = {key: value for key, value in entries.items() if key not in _COMMON}
        keywords = as_keywords(own)
        area = entries.get(AREA)
        if area is not None:
            check_area(area)
            keywords[self.area_argument] = area
        request = JobRequest(
            str(entries.get(NAME, "unnamed")),
            entries.get(CRS),
            tuple(entries.get(PRODUCTS, ())),
            keywords,
        )
        parameters = driver.parameters(request)
        json.dumps(parameters)
        list(driver.attachments(parameters))

    def code(self, account: JobAccount) -> str:
        """Write the Python that does the same."""
        keywords = self.keywords
        lines = ["import cupixgeo as cx", "", connect(account)]
        area = keywords.get(self.area_argument) if self.area_argument else None
        if area is not None:
            lines += ["", f"area = {written(area)}"]
            keywords[self.area_argument] = Name("area")
        planned = call("account.plan", self.photos, **keywords)
        lines += ["", f"plan = {planned}", "job = plan.launch()", "job.wait()"]
        return "\n".join(lines) + "\n"


_COMMON = frozenset({NAME, PRODUCTS, CRS, AREA})


def check_area(area: Any) -> None:
    """Refuse an area that bounds nothing.

    Raises
    ------
    ArgumentError
        If it is empty, or crosses itself.
    """
    try:
        read_polygons(area)
    except CloudError as error:
        raise ArgumentError(f"The area of interest bounds nothing: {error}") from error
