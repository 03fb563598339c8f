"""``training_parameters``: what may be asked for, and by whom.

References
----------
Teleport API specification page (``focus_area``); API documentation, *training parameters*
(``modelv3``). Values of ``crop_method`` are not public: any text is taken. That latitudes and
longitudes have the usual limits is a decision.
"""

from __future__ import annotations

from cupixgeo.emulator.teleport.refusal import Checked, refused

_RESOLUTIONS = (1600, 2500, 3200)


def check_training(training: Checked, *, may_use_modelv3: bool) -> None:
    """Write down what is wrong with training parameters; 403 for a plan that lacks ``modelv3``."""
    area = training.part("focus_area")
    if area is not None:
        _check_area(area)
    model = training.part("modelv3")
    if model is None:
        return
    if not may_use_modelv3:
        raise refused(403, "modelv3 training parameters need the pay-as-you-go plan")
    model.number("splat_count", low=500_000, high=10_000_000)
    model.choice("training_resolution", _RESOLUTIONS)
    model.choice("spherical_harmonics_degrees", (0, 3))
    model.truth("level_of_detail")


def _check_area(area: Checked) -> None:
    for line in area.listed("polylines", needed=False):
        if not isinstance(line, str):
            area.refuse("polylines", "str type expected", "type_error.str")
    area.number("buffer_meters", low=0, needed=False, whole=False)
    area.text("crop_method", needed=False)
    for side in ("min", "max"):
        area.number(f"{side}_lat", low=-90, high=90, needed=False, whole=False)
        area.number(f"{side}_lng", low=-180, high=180, needed=False, whole=False)
