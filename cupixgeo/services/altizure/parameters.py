"""What ``account.plan`` takes for Altizure, checked before anything is sent.

Knows names, values and defaults. Must not know how they are sent.

Sources: altizure/dev-docs en/api-reconstruction.md, en/upload.md; altizure/alti-cli
cmd/project-new-recon.go, service/constant.go (names of meta files); altizure/user-docs
downloadable-assets.md (downloads are for pro projects only, the public product is the tiled mesh).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cupixgeo.errors import ArgumentError
from cupixgeo.services.job_values import Attachment, JobRequest, Json
from cupixgeo.services.offer import Offer, arguments_of

PRODUCTS = ("mesh",)
"""What the API delivers. Point clouds, orthophotos and DSMs come from the desktop converter."""

PROJECT_TYPES = ("pro", "free")
VISIBILITIES = ("public", "unlisted", "private")
UPLOADS = ("auto", "s3", "minio", "oss", "url")
META_FILES = {
    "pose": ("pose.txt",),
    "camera": ("camera.txt",),
    "group": ("group.txt",),
    "initial": ("initial.xms", "initial.xms.zip"),
}
"""Names the service takes meta files under, by parameter."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of a reconstruction.

    Parameters
    ----------
    project_type : {"pro", "free"}
        A pro project costs Alticoins and its mesh can be downloaded; a free one has only a page.
    visibility : {"private", "unlisted", "public"}
        Who may see it. Free projects are public, unless a membership allows more.
    task_type : str
        ``"Native"``, or another member of the service's TASK_TYPE.
    coupons : tuple of str
        Ids of coupons to use.
    upload : {"auto", "s3", "minio", "oss", "url"}
        How photos travel; "auto" takes the nearest bucket that needs no further library.
    bucket : str
        A bucket of ``account.buckets()``; empty for the nearest.
    photo_url : str
        With ``upload="url"``: address of the folder in which the service finds the photos.
    pre_start : bool
        Let the service start by itself once it has looked at all images.
    pose : str
        Path of a file with a line ``name lat lon alt [roll pitch yaw]`` a photo; empty for none.
    camera : str
        Path of a file with a line ``name focal_px cx_px cy_px`` a photo; empty for none.
    group : str
        Path of a file with a line ``name group`` a photo; empty for none.
    initial : str
        Path of ``initial.xms``, or a zip of it; empty for none.
    """

    project_type: str = "pro"
    visibility: str = ""
    task_type: str = "Native"
    coupons: tuple[str, ...] = ()
    upload: str = "auto"
    bucket: str = ""
    photo_url: str = ""
    pre_start: bool = False
    pose: str = ""
    camera: str = ""
    group: str = ""
    initial: str = ""

    def __post_init__(self) -> None:
        """Check the values; fill in the visibility."""
        _choose("project_type", self.project_type, PROJECT_TYPES)
        if not self.visibility:
            usual = "private" if self.project_type == "pro" else "public"
            object.__setattr__(self, "visibility", usual)
        _choose("visibility", self.visibility, VISIBILITIES)
        _choose("upload", self.upload, UPLOADS)
        if not self.task_type:
            raise ArgumentError("task_type is empty: leave it out for 'Native'.")
        if self.project_type == "free" and self.coupons:
            raise ArgumentError("coupons= are for pro projects: leave them out.")
        if (self.upload == "url") != bool(self.photo_url):
            raise ArgumentError(
                "upload='url' and photo_url= belong together: give the address of the folder in "
                "which the service finds the photos, or leave both out."
            )
        if self.photo_url:
            parts = urlsplit(self.photo_url)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise ArgumentError("photo_url= is no http or https address of a folder.")
            if parts.query or parts.fragment or "@" in parts.netloc:
                raise ArgumentError(
                    "photo_url= holds a query, fragment or password, which would be kept on disk: "
                    "give a plain address, and a bearer token as photo_token= of the account."
                )

    @classmethod
    def from_request(cls, request: JobRequest) -> Self:
        """Read what the user asked for.

        Raises
        ------
        ArgumentError
            If a product, a name or a value makes no sense.
        """
        for product in request.products:
            _choose("products", product, PRODUCTS)
        if request.crs is not None:
            raise ArgumentError(
                "Altizure chooses the coordinates of its results itself: leave crs= out."
            )
        given = dict(request.parameters)
        unknown = sorted(given.keys() - set(cls.__dataclass_fields__))
        if unknown:
            raise ArgumentError(
                f"Altizure takes no parameter {unknown[0]!r}; it takes "
                f"{', '.join(cls.__dataclass_fields__)}."
            )
        if request.products and given.get("project_type") == "free":
            raise ArgumentError(
                "the mesh of a free project cannot be downloaded: leave products= out, or "
                "project_type='free'."
            )
        for name in META_FILES:
            if given.get(name):
                given[name] = str(Path(given[name]).expanduser().absolute())
        return cls(**{**given, "coupons": _texts(given.get("coupons") or ())})

    @classmethod
    def from_json(cls, values: Mapping[str, Json]) -> Self:
        """Read what `to_json` gave."""
        return cls(**{**values, "coupons": tuple(values["coupons"])})

    def to_json(self) -> dict[str, Json]:
        """Give all values as JSON."""
        return {**asdict(self), "coupons": list(self.coupons)}

    def attachments(self) -> Iterable[Attachment]:
        """Give the meta files, under the names the service takes."""
        for role, names in META_FILES.items():
            path = getattr(self, role)
            if path:
                is_zip = path.lower().endswith(".zip")
                yield Attachment(Path(path), role, names[-1] if is_zip else names[0])


def offer() -> Offer:
    """Say what can be chosen."""
    arguments = tuple(
        replace(argument, kind="file") if argument.name in META_FILES else argument
        for argument in arguments_of(Parameters)
    )
    return Offer(products=PRODUCTS, usual_products=PRODUCTS, arguments=arguments)


def _choose(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}={value!r} is not {' or '.join(map(repr, known))}.")


def _texts(values: str | Iterable[Any]) -> tuple[str, ...]:
    found = (values,) if isinstance(values, str) else tuple(values)
    if not all(isinstance(value, str) and value for value in found):
        raise ArgumentError(f"coupons={values!r} are not ids: take them from coupons().")
    return found
