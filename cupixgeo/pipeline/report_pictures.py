"""The part of a report page that shows the merged cloud: from above, by height, by density.

Must not know how the merge was done, nor how a picture is drawn.
"""

from __future__ import annotations

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline import markup
from cupixgeo.pipeline.figures import Legend, histogram, map_figure
from cupixgeo.pipeline.picture import (
    data_address,
    density_picture,
    density_range,
    height_range,
    picture,
)
from cupixgeo.pipeline.quantities import length
from cupixgeo.pipeline.raster import TopView


def pictures_section(view: TopView | None, density_m2: FloatArray | None) -> str:
    """Make the section, finished markup; a sentence where there is nothing to be seen.

    Parameters
    ----------
    view : TopView or None
        The merged cloud from above.
    density_m2 : ndarray, shape (rows, columns), float64 [1/m²], or None
        What `density` makes of it.
    """
    if view is None or density_m2 is None:
        return markup.section(
            "Views",
            "<p>There are no pictures: the merged file was not at hand for this page.</p>",
        )
    heights = Legend("height", *height_range(view), "m" if view.metres[2] == 1.0 else "CRS units")
    dense = Legend("density", *density_range(density_m2), "points/m²")
    by_height = data_address(picture(view, by="height"))
    relief = f"of the highest point in each pixel, in {heights.unit}; shaded relief."
    scale = (
        f"One pixel is {length(view.pixel[0] * view.metres[0])} wide; the coordinates on the "
        "frame are those of the output CRS."
    )
    others = []
    if view.colour is not None:
        drawing = map_figure(view, data_address(picture(view)), title="Top view of the cloud")
        main = markup.figure(
            drawing, "Top view", f"colour of the highest point, shaded from the north-west. {scale}"
        )
        drawing = map_figure(view, by_height, title="Map of the heights", legend=heights)
        others.append(markup.figure(drawing, "Height", relief))
    else:
        drawing = map_figure(view, by_height, title="Top view of the cloud", legend=heights)
        main = markup.figure(drawing, "Top view", f"height {relief} {scale}")
    address = data_address(density_picture(density_m2), "png")
    drawing = map_figure(view, address, title="Map of the point density", legend=dense)
    others.append(markup.figure(drawing, "Density", "points per square metre of covered ground."))
    values = density_m2[np.isfinite(density_m2)]
    low, high = np.percentile(values, (5, 95))
    others.append(
        markup.figure(
            histogram(values, dense, title="Distribution of the point density over the area"),
            "Density by area",
            "how much of the covered ground has which density; the last bar holds all above. Nine "
            f"tenths of the ground have between {low:,.3g} and {high:,.3g} points/m².",
            wide=view.colour is not None,
        )
    )
    return markup.section("Views", f'{main}<div class="pair">{"".join(others)}</div>')
