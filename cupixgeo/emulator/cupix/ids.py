"""Where to find what in the emulated Cupix service: the same ids for every seed.

===========  ======================  ==============================================================
facility     record                  what it is
===========  ======================  ==============================================================
12           602                     the real scan: 7 subs in 2 groups, 18 photos, bearing 23.5°
13           640                     for scale: 120 pointclouds, 10,000 panos; georeferenced in
                                     EPSG:32632 (x, y, z; no lat/lon), bearing −12°
14           650                     not georeferenced: 2 subs
15           660                     odd cases, one pointcloud each (see `OddIds`)
21           702                     belongs to the second team; the first gets 403
===========  ======================  ==============================================================

Knows numbers and names only.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class OddIds:
    """Pointclouds of record 660; every id is a sub unless it says group.

    Attributes
    ----------
    plain_group : int
        Group of most odd subs: rigid, in cluster 3470.
    empty_matrix : int
        ``tm`` and ``wtm`` are ``[]``.
    missing_matrix : int
        ``prop`` has neither ``tm`` nor ``wtm``.
    contradiction : int
        ``wtm`` is 1 m off wtm(group) · tm.
    not_affine : int
        Neither last row nor last column is (0, 0, 0, 1).
    mirrored, sheared : int
        The linear part has a negative determinant, or is not a rotation with a scale.
    ambiguous : int
        Pure rotation, no translation: row- and column-major cannot be told apart.
    baked_scale_group, baked_scale : int
        ``wscale`` 1.25 that is already in the column lengths of ``wtm``.
    odd_scale_group, odd_scale : int
        ``wscale`` 1.25, but the columns of ``wtm`` are 1.1 long: no rule covers it.
    no_cluster_group, no_cluster : int
        The group has ``cluster: {"id": null, "name": null}``.
    moved_group, moved : int
        The group has ``user_prop`` beside ``prop``; it wins.
    reconstruction_group, ascii_ply : int
        A reconstruction whose PLY is text.
    not_ready : int
        A reconstruction still in the making: no file and no PLY yet (404).
    hostile_name : int
        Its file calls itself ``../../evil/<b>.laz``, its name is markup.
    own_georeference, frozen_georeference : int
        Georeferenced by itself (`use_georeference`), and through ``constants``.
    bim_aligned : int
        Has ``bim_icp_tm`` with ``use_bim_icp_tm``; contents are undocumented.
    moved_mesh : int
        Mesh with ``user_prop`` and ``bounding_box``; downloads as ZIP.
    """

    plain_group: int = 5900
    empty_matrix: int = 5901
    missing_matrix: int = 5902
    contradiction: int = 5903
    not_affine: int = 5904
    mirrored: int = 5905
    sheared: int = 5906
    ambiguous: int = 5907
    baked_scale_group: int = 5910
    baked_scale: int = 5911
    odd_scale_group: int = 5912
    odd_scale: int = 5913
    no_cluster_group: int = 5920
    no_cluster: int = 5921
    moved_group: int = 5922
    moved: int = 5923
    reconstruction_group: int = 5929
    ascii_ply: int = 5930
    not_ready: int = 5931
    hostile_name: int = 5932
    own_georeference: int = 5933
    frozen_georeference: int = 5934
    bim_aligned: int = 5935
    moved_mesh: int = 7001


@dataclass(frozen=True)
class Ids:
    """Ids a test or a demo starts from.

    Attributes
    ----------
    facility, facility_key, record, level, workspace : int or str
        The real scan.
    cluster, group, sub : int
        An example cluster, its group, and one of its subs (uploaded LAZ).
    scaled_cluster, scaled_group, scaled_sub : int
        The same for the reconstruction with ``wscale`` ≠ 1 (opaque file, PLY resource).
    captures : tuple of int
        Captures of the two clusters, in that order.
    review_key : str
        SiteView of the real scan.
    first_pano : int
        First of the 18 photos.
    big_facility_key, big_record, big_captures, big_first_pano
        The facility with many rows.
    local_facility_key, local_record
        The facility without georeference.
    odd_facility_key, odd_record, odd
        The odd cases.
    foreign_facility_key, foreign_record, foreign_group, foreign_sub
        What only the second account sees.
    missing : int
        An id that nothing has.
    """

    facility: int = 12
    facility_key: str = "b8kq2wzn"
    record: int = 602
    level: int = 41
    workspace: int = 3
    cluster: int = 3416
    group: int = 5300
    sub: int = 5310
    scaled_cluster: int = 3417
    scaled_group: int = 5320
    scaled_sub: int = 5321
    captures: tuple[int, int] = (811, 812)
    review_key: str = "sv7brighton"
    first_pano: int = 9001
    big_facility: int = 13
    big_facility_key: str = "h3tn5rlc"
    big_record: int = 640
    big_captures: tuple[int, ...] = (821, 822, 823, 824, 825)
    big_first_pano: int = 20001
    local_facility: int = 14
    local_facility_key: str = "w9xp4mda"
    local_record: int = 650
    odd_facility: int = 15
    odd_facility_key: str = "z1vg6ytr"
    odd_record: int = 660
    odd: OddIds = field(default_factory=OddIds)
    foreign_facility: int = 21
    foreign_facility_key: str = "s5cj8bfe"
    foreign_record: int = 702
    foreign_group: int = 5800
    foreign_sub: int = 5801
    missing: int = 999_999


@dataclass(frozen=True)
class CupixTruth:
    """What the world knows about the emulated Cupix service."""

    ids: Ids = field(default_factory=Ids)
