"""What the engine prints while it works: the node's ``output``.

Knows the order of the stages and their share of the work. Says at the top that nothing is computed.

References
----------
OpenDroneMap 3.5: stages, and the global progress at the end of each.
"""

from __future__ import annotations

from collections.abc import Sequence

_STAGES: tuple[tuple[str, float], ...] = (
    ("dataset", 5),
    ("split", 5),
    ("merge", 5),
    ("opensfm", 25),
    ("openmvs", 50),
    ("odm_filterpoints", 52),
    ("odm_meshing", 60),
    ("mvs_texturing", 70),
    ("odm_georeferencing", 80),
    ("odm_dem", 90),
    ("odm_orthophoto", 98),
    ("odm_report", 99),
    ("odm_postprocess", 100),
)


def lines(images: Sequence[str], *, engine: str, percent: float, error: str) -> list[str]:
    """Return the lines printed so far.

    Parameters
    ----------
    images : sequence of str
        Names of the images.
    engine : str
        Name and version of the engine.
    percent : float
        The engine's own progress, 0 to 100.
    error : str
        Why it failed; empty where it did not.
    """
    printed = [
        f"[INFO]    Initializing {engine}",
        "[INFO]    Emulated: results were recorded, nothing is reconstructed from these images",
        "[INFO]    Running dataset stage",
        f"[INFO]    Loading {len(images)} images",
    ]
    printed += [f"[INFO]    Found image {name}" for name in images]
    begun = 0.0
    for name, end in _STAGES:
        if percent < begun:
            break
        if name != "dataset":
            printed.append(f"[INFO]    Running {name} stage")
        if percent >= end:
            printed.append(f"[INFO]    Finished {name} stage")
        begun = end
    if percent >= 100 and not error:
        printed += ["[INFO]    ODM app finished", "Postprocessing: done", "Compressing all.zip"]
    if error:
        printed.append(f"[ERROR]   {error}")
    return printed
