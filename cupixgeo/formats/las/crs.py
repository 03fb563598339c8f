"""Which CRS a LAS file is in: every record that may say so, ranked, and why the others lost.

Ranking: WKT (record 2112), then GeoTIFF projected (with its vertical CRS), then GeoTIFF
geographic. Record 2111 is a math transform and never read as a CRS. VLRs and EVLRs count alike.
A file that states nothing usable is in a local frame named after it.

Must not know: points, transforms.

Source: ASPRS LAS 1.4 R15, sections 2.4 (global encoding bit 4) and 3; OGC 19-008r4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pyproj import CRS

from cupixgeo.errors import CrsError
from cupixgeo.formats.frames import file_frame
from cupixgeo.formats.las import geotiff
from cupixgeo.formats.las.check import LasHeaderFacts, LasRecord, record_data
from cupixgeo.formats.las.geotiff import GeoKeys
from cupixgeo.geodesy.crs import as_crs, crs_label, same_crs

PROJECTION = "LASF_Projection"
WKT, MATH_TRANSFORM, DIRECTORY, DOUBLES, ASCII = 2112, 2111, 34735, 34736, 34737
LARGEST_WKT = 1 << 20
"""Bytes a WKT record may have; compound CRSs with bound operations take a few thousand."""

LARGEST_ANGLE = 400
"""Beyond this a coordinate is not an angle in degrees, nor in grads."""


@dataclass(frozen=True)
class ResolvedCrs:
    """The CRS of a file, and the reasoning.

    Parameters
    ----------
    crs : pyproj.CRS
        Never None.
    why : str
        Which record it was taken from; what is odd about it.
    passed_over : tuple of str
        What else was found, and why it was not taken.
    """

    crs: CRS
    why: str
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join((self.why, *(f"not taken: {loser}" for loser in self.passed_over)))


@dataclass(frozen=True)
class _Candidate:
    origin: str
    crs: CRS | None
    note: str = ""


def resolve_crs(stream: BinaryIO, facts: LasHeaderFacts) -> ResolvedCrs:
    """Find the CRS of a LAS file.

    Parameters
    ----------
    stream : binary file
        The file; its position is changed.
    facts : LasHeaderFacts
        Its header.

    Returns
    -------
    ResolvedCrs
        A local frame ``file:<name>`` where the file states no usable CRS.
    """
    candidates = [*_wkt_candidates(stream, facts), *_geotiff_candidates(stream, facts)]
    passed_over = []
    winner: _Candidate | None = None
    for candidate in candidates:
        if candidate.crs is None:
            passed_over.append(f"{candidate.origin}: {candidate.note}")
        elif doubt := _degrees_doubt(candidate.crs, facts):
            passed_over.append(f"{candidate.origin} {crs_label(candidate.crs)}: {doubt}")
        elif winner is None:
            winner = candidate
        else:
            passed_over.append(_lost(candidate, candidate.crs, winner))
    if winner is None or winner.crs is None:
        return ResolvedCrs(
            file_frame(facts.path),
            "the file states no usable CRS, so it is in its own local frame",
            tuple(passed_over),
        )
    why = f"{crs_label(winner.crs)} from {winner.origin}"
    notes = [note for note in (winner.note, _bit_note(winner, facts)) if note]
    return ResolvedCrs(winner.crs, "; ".join((why, *notes)), tuple(passed_over))


def _wkt_candidates(stream: BinaryIO, facts: LasHeaderFacts) -> Iterator[_Candidate]:
    for user_id in (PROJECTION, "liblas"):
        for record in facts.find(user_id, WKT):
            origin = f"the WKT record ({record.place} 2112)"
            if record.length > LARGEST_WKT:
                yield _Candidate(origin, None, f"{record.length:,} bytes are not a CRS")
                continue
            text = record_data(stream, record).decode("utf-8", "replace").strip("\0 \r\n\t")
            if "[" in text:
                yield _parsed(origin, text)
            else:
                yield _Candidate(origin, None, "it is not WKT" if text else "it is empty")
    for record in facts.find(PROJECTION, MATH_TRANSFORM):
        yield _Candidate(f"record 2111 ({record.place})", None, "it is a math transform, not a CRS")


def _geotiff_candidates(stream: BinaryIO, facts: LasHeaderFacts) -> Iterator[_Candidate]:
    for record in facts.find(PROJECTION, DIRECTORY):
        keys = _keys(stream, facts, record)
        origin = f"the GeoTIFF keys ({record.place} 34735)"
        if not keys:
            yield _Candidate(origin, None, "they are empty")
            continue
        yield from _from_keys(keys, origin)


def crs_of_keys(keys: GeoKeys) -> CRS | None:
    """Find the CRS that GeoTIFF keys state, in a file of any kind; None where they state none."""
    found = (candidate.crs for candidate in _from_keys(keys, "the GeoTIFF keys"))
    return next((crs for crs in found if crs is not None), None)


def _keys(stream: BinaryIO, facts: LasHeaderFacts, directory: LasRecord) -> GeoKeys:
    def beside(record_id: int) -> bytes:
        found = [r for r in facts.find(PROJECTION, record_id) if r.length <= LARGEST_WKT]
        found.sort(key=lambda record: record.extended != directory.extended)
        return record_data(stream, found[0]) if found else b""

    if directory.length > LARGEST_WKT:
        return {}
    return geotiff.read_geokeys(record_data(stream, directory), beside(DOUBLES), beside(ASCII))


def _from_keys(keys: GeoKeys, origin: str) -> Iterator[_Candidate]:
    model = keys.get(geotiff.MODEL_TYPE)
    projected = keys.get(geotiff.PROJECTED_CRS, 0)
    if projected or model == geotiff.MODEL_PROJECTED:
        code_origin = f"{origin}, projected CRS {projected}"
        if projected in geotiff.CODES:
            yield _with_vertical(code_origin, int(projected), keys)
        else:
            yield _from_citation(code_origin, keys)
    geographic = keys.get(geotiff.GEODETIC_CRS, 0)
    if not geographic:
        return
    code_origin = f"{origin}, geodetic CRS {geographic}"
    if model == geotiff.MODEL_PROJECTED:
        note = "the coordinates are projected (model type 1); this is only the base of their CRS"
        yield _Candidate(code_origin, None, note)
    elif geographic in geotiff.CODES:
        yield _with_vertical(code_origin, int(geographic), keys)
    else:
        yield _Candidate(code_origin, None, "it is not an EPSG code")


def _from_citation(origin: str, keys: GeoKeys) -> _Candidate:
    """Use the words beside a user-defined code where they are a CRS: ESRI writes WKT there."""
    for key in (geotiff.PROJECTED_CITATION, geotiff.CITATION):
        text = str(keys.get(key, "")).removeprefix("ESRI PE String = ").strip()
        if "[" in text:
            found = _parsed(f"{origin} described as WKT", text)
            if found.crs is not None:
                return found
    words = keys.get(geotiff.PROJECTED_CITATION) or keys.get(geotiff.CITATION) or "no description"
    return _Candidate(origin, None, f"it is user-defined ({words}): say which it is with crs=...")


def _with_vertical(origin: str, code: int, keys: GeoKeys) -> _Candidate:
    horizontal = _parsed(origin, f"EPSG:{code}")
    vertical = keys.get(geotiff.VERTICAL_CRS, 0)
    if horizontal.crs is None or not vertical:
        return _noting_unit(horizontal, keys)
    if vertical in geotiff.CODES and not horizontal.crs.is_geocentric:
        found = _parsed(f"{origin} with vertical CRS {vertical}", f"EPSG:{code}+{vertical}")
        if found.crs is not None:
            return _noting_unit(found, keys)
    note = (
        f"its vertical code {vertical} is not a vertical CRS that PROJ knows, so heights have none"
    )
    return _Candidate(origin, horizontal.crs, note)


def _noting_unit(candidate: _Candidate, keys: GeoKeys) -> _Candidate:
    unit = keys.get(geotiff.LINEAR_UNIT)
    crs = candidate.crs
    if crs is None or not crs.is_projected or unit not in (9001, 9002, 9003):
        return candidate
    stated = {9001: "metre", 9002: "foot", 9003: "US survey foot"}[int(unit)]
    if crs.axis_info[0].unit_name == stated:
        return candidate
    note = f"a key says the unit is the {stated}, the CRS's own is believed"
    return _Candidate(candidate.origin, crs, note)


def _parsed(origin: str, text: str) -> _Candidate:
    try:
        return _Candidate(origin, as_crs(text))
    except CrsError:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        return _Candidate(origin, None, f"PROJ does not understand {shown!r}")


def _degrees_doubt(crs: CRS, facts: LasHeaderFacts) -> str:
    """Say so where a CRS in degrees meets coordinates that cannot be degrees."""
    if not crs.is_geographic or not facts.point_count:
        return ""
    reach = [max(abs(low), abs(high)) for low, high in zip(facts.mins, facts.maxs, strict=True)]
    if max(reach[:2]) > LARGEST_ANGLE:
        return f"the coordinates reach {max(reach[:2]):,.0f}, so they are not degrees"
    return ""


def _lost(candidate: _Candidate, crs: CRS, winner: _Candidate) -> str:
    assert winner.crs is not None
    same = "says the same" if same_crs(crs, winner.crs) else "DISAGREES, and ranks lower"
    return f"{candidate.origin} {crs_label(crs)}: {same}"


def _bit_note(winner: _Candidate, facts: LasHeaderFacts) -> str:
    is_wkt = "WKT record" in winner.origin
    if is_wkt and not facts.wkt_bit and facts.version >= "1.4":
        return "the header's WKT bit is not set"
    if facts.wkt_bit and not is_wkt:
        return "the header's WKT bit promises a WKT record that is of no use"
    return ""
