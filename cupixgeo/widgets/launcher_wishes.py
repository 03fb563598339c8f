"""What is wanted of the photos: name, products, CRS, area, and the service's own parameters.

Knows an offer, and asks the service's driver whether what was entered makes sense. Must not know
any service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from cupixgeo.errors import ArgumentError
from cupixgeo.services.driver import JobDriver
from cupixgeo.services.offer import Offer
from cupixgeo.widgets.crs_picker import CrsPicker
from cupixgeo.widgets.folded import Folded
from cupixgeo.widgets.form import Faults, Form, find_faults
from cupixgeo.widgets.form_field import Noted
from cupixgeo.widgets.launcher_order import AREA, CRS, NAME, PRODUCTS, Key, Order

NO_CRS = "the service decides"


class Wishes(w.VBox):
    """Everything of an order but the photos.

    Parameters
    ----------
    driver : JobDriver
        Who knows what makes sense.
    offer : Offer
        What can be chosen.
    on_change : callable
        Called without arguments after a change.
    on_clear : callable
        Called without arguments when the area is to be taken away.
    """

    def __init__(
        self,
        driver: JobDriver,
        offer: Offer,
        *,
        on_change: Callable[[], None],
        on_clear: Callable[[], None],
    ) -> None:
        self._driver, self._on_change = driver, on_change
        self._is_filling = False
        self.offer = offer
        self.name = w.Text(
            description="Name of the job",
            tooltip="Name of the job, here and at the service",
            continuous_update=False,
            layout=w.Layout(width="100%"),
            style={"description_width": "12.5em"},
        )
        self.name.add_class("cx-name")
        self._name = Noted([self.name])
        self.products = {
            product: w.Checkbox(
                value=product in offer.usual_products,
                description=product,
                tooltip=f"Make {product}",
                indent=False,
                layout=w.Layout(width="auto"),
            )
            for product in offer.products
        }
        ticks = w.HBox(list(self.products.values()))
        ticks.add_class("cx-ticks")
        label = w.HTML('<span class="cx-label">Products</span>')
        row = w.HBox([label, ticks])
        row.add_class("cx-products")
        self._products = Noted([row], self._usual())
        self.crs = CrsPicker("Output CRS", none=NO_CRS, on_change=self._changed)
        self._clear = w.Button(description="Clear area", tooltip="Take the area off the map")
        self._clear.add_class("cx-clear-area")
        self._clear.on_click(lambda button: on_clear())
        area = w.HBox([w.HTML('<span class="cx-label">Area of interest</span>'), self._clear])
        area.add_class("cx-products")
        self._area = Noted([area])
        self.form = Form(offer, self._changed)
        self.details = Folded(self.form, tip="Show or hide the parameters of the service")
        self.details.add_class("cx-details")
        basics = w.GridBox([self._name, self.crs, self._products, self._area])
        basics.add_class("cx-fields")
        super().__init__([basics, self.details])
        self.add_class("cx-wishes")
        self._products.layout.display = None if self.products else "none"
        self.crs.layout.display = None if offer.takes_crs else "none"
        for widget in (self.name, *self.products.values()):
            widget.observe(lambda change: self._changed(), "value")
        self.tell_area("")
        self._tell_details()

    def order(self, photos: str, area: dict[str, Any] | None) -> Order:
        """Give what was entered; what cannot be read is left out, and said beside its field."""
        parameters: dict[Key, Any] = {}
        for key, field in self.form.changed.items():
            try:
                parameters[key] = field.value
            except ArgumentError as error:
                field.fault = str(error)
        return Order(
            photos,
            str(self.name.value).strip(),
            self.chosen,
            self.crs.value if self.offer.takes_crs else None,
            area if self.offer.area else None,
            self.offer.area,
            parameters,
        )

    @property
    def chosen(self) -> tuple[str, ...]:
        """Products that were ticked; none where they are the usual ones."""
        ticked = tuple(name for name, box in self.products.items() if box.value)
        return () if set(ticked) == set(self.offer.usual_products) else ticked

    def fill(self, order: Order) -> None:
        """Enter an order, as one entry."""
        self._is_filling = True
        try:
            self.name.value = order.name
            wanted = order.products or self.offer.usual_products
            for name, box in self.products.items():
                box.value = name in wanted
            self.crs.value = order.crs
        finally:
            self._is_filling = False
        self._changed()

    def check(self, order: Order) -> Faults[Key]:
        """Let the service look at an order, and say beside each field what is wrong with it.

        Returns
        -------
        dict
            What is wrong, by entry; under None what no field is to blame for.
        """
        unread: Faults[Key] = {}
        for key, field in self.form.fields.items():
            try:
                _ = field.value
            except ArgumentError as error:
                unread[key] = str(error)
        faults = unread | find_faults(
            order.entries,
            lambda entries: order.check(self._driver, entries),
            name_of=lambda key: key[1],
        )
        for key, field in self.form.fields.items():
            field.fault = faults.get(key, "")
        if self.crs.text and self.crs.value is None and self.offer.takes_crs:
            faults[CRS] = self.crs.fault
        else:
            self.crs.fault = faults.get(CRS, "")
        for key, noted in ((NAME, self._name), (PRODUCTS, self._products), (AREA, self._area)):
            noted.fault = faults.get(key, "")
        self._tell_details()
        return faults

    def blame_name(self, text: str) -> None:
        """Say beside the name what is wrong with it."""
        self._name.fault = text

    def tell_area(self, words: str) -> None:
        """Say which area is on the map; empty for none."""
        is_taken = bool(self.offer.area)
        nothing = "None: all that the photos show. Draw one on the map above."
        self._area.help = words or nothing
        self._area.layout.display = None if is_taken else "none"
        self._clear.disabled = not words

    def _changed(self) -> None:
        if self._is_filling:
            return
        self.offer = self._driver.offer(self.chosen)
        self.form.offer = self.offer
        self._products.help = self._usual()
        self._tell_details()
        self._on_change()

    def _usual(self) -> str:
        usual = ", ".join(self.offer.usual_products)
        return f"Where none is ticked: {usual or NO_CRS}"

    def _tell_details(self) -> None:
        """Say in the heading how many parameters there are, were changed, and are wrong."""
        changed = len(self.form.changed)
        wrong = sum(bool(field.fault) for field in self.form.fields.values())
        parts = [f"{len(self.form.fields)} parameters"]
        parts += [f"{changed} changed"] if changed else []
        parts += [f"{wrong} to correct"] if wrong else []
        self.details.title = ", ".join(parts)
        self.details.layout.display = None if self.form.fields else "none"
