"""Where uploads go: the nearest bucket that fits, or the one that was asked for.

Knows what the service says about buckets; names of buckets are its own and never spelled here.

Sources: altizure/dev-docs en/upload.md §1; altizure/alti-cli gql/nearest-buckets.go (clouds are
compared regardless of case), gql/bucket-list.go (which enum names which buckets).
"""

from __future__ import annotations

from dataclasses import dataclass

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.services.altizure.graphql import Api, Object

FIELDS = {"image": "nearestBuckets", "meta": "nearestMetaBuckets", "model": "nearestModelBuckets"}
ENUMS = {
    ("image", "S3"): "BucketS3",
    ("image", "OSS"): "BucketOSS",
    ("image", "MINIO"): "BucketMinio",
    ("meta", "S3"): "BucketS3",
    ("meta", "MINIO"): "BucketMinioMeta",
    ("model", "S3"): "BucketS3Model",
    ("model", "MINIO"): "BucketMinioModel",
}
"""Enum of the buckets for a kind of file in a cloud."""

_PLAIN = ("S3", "MINIO")
"""Clouds that need nothing but a signed URL."""


@dataclass(frozen=True)
class Place:
    """A bucket.

    Parameters
    ----------
    cloud : str
        ``"S3"``, ``"MINIO"`` or ``"OSS"``.
    bucket : str
        Member of the enum for the kind of file and the cloud.
    """

    cloud: str
    bucket: str


def choose_place(api: Api, kind: str, *, cloud: str = "", bucket: str = "") -> Place:
    """Choose a bucket.

    Parameters
    ----------
    api : Api
        Way to the service.
    kind : {"image", "meta", "model"}
        What is to be uploaded.
    cloud : str
        Only of this cloud; empty for any, those with signed URLs first.
    bucket : str
        Only this one; empty for the nearest.

    Raises
    ------
    ArgumentError
        If there is none that fits; the message names those there are.
    ResponseError
        If the service offers none at all.
    """
    info = api.object("nearest_buckets") or {}
    supported = _supported(api, kind)
    rows = [
        Place(str(row.get("cloud")).upper(), str(row.get("bucket")))
        for row in info.get(FIELDS[kind]) or ()
    ]
    offered = [p for p in rows if p.cloud in supported and (kind, p.cloud) in ENUMS]
    wanted = cloud.upper()
    if bucket:
        offered += _listed(api, kind, [wanted] if wanted else sorted(supported))
    fitting = [
        place
        for place in offered
        if (not wanted or place.cloud == wanted)
        and (not bucket or place.bucket.lower() == bucket.lower())
    ]
    if not fitting:
        if not offered:
            raise ResponseError(
                f"altizure names no bucket that takes a {kind} file. Try again later.",
                service="altizure",
                verb="NearestBuckets",
            )
        names = ", ".join(f"{place.bucket} ({place.cloud})" for place in offered)
        asked = " ".join(filter(None, (cloud, bucket)))
        raise ArgumentError(f"there is no bucket {asked!r} for {kind} files; there are {names}.")
    return next((place for place in fitting if place.cloud in _PLAIN), fitting[0])


def _supported(api: Api, kind: str) -> set[str]:
    support: Object = api.object("supported_cloud", {"kind": kind}) or {}
    return {str(cloud).upper() for cloud in support.get("supportedCloud") or ()}


def _listed(api: Api, kind: str, clouds: list[str]) -> list[Place]:
    """List all buckets of some clouds, also those that are not near."""
    found = []
    for cloud in clouds:
        if (kind, cloud) in ENUMS:
            enum = api.object("enum_values", {"name": ENUMS[kind, cloud]}) or {}
            found += [Place(cloud, str(v["name"])) for v in enum.get("enumValues") or ()]
    return found
