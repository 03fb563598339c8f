"""Whole LAZ chunks of point formats 6 to 8, to records and back, from any thread.

Does what lazrs does, faster and without Python's lock, for chunks whose points are all of one
scanner channel; others are left to lazrs. Layers in which nothing changes cost nothing. Loading the
compiled code takes a moment, so it is for many points.

Knows how a chunk is put together. Must not know files.

Source: M. Isenburg, LASzip (layered chunks).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las import colours, gpstimes, octets, shorts
from cupixgeo.formats.las.attributes import ANGLE_BIT, SOURCE_BIT, forget
from cupixgeo.formats.las.chunks import LAYERS
from cupixgeo.formats.las.contexts import POINT_BYTES
from cupixgeo.formats.las.entropy import NOT_TABLED, PADDING, TABLED
from cupixgeo.formats.las.fields import (
    ANGLE_BYTE,
    CHANNEL_BITS,
    CLASS_BYTE,
    COLOUR_BYTE,
    INFRARED_BYTE,
    INFRARED_END,
    INTENSITY_BYTE,
    TIME_BYTE,
    USER_BYTE,
    begin_records,
    survey_records,
)
from cupixgeo.formats.las.recode import (
    FLAGS_BYTE,
    RETURNS_BYTE,
    SOURCE_BYTE,
    ChunkRecoder,
    DecodedChunk,
    Workspace,
)

Bytes = npt.NDArray[np.uint8]
MakeModels = Callable[[np.bool_], Bytes]

CLASS, FLAGS, INTENSITY, ANGLE, USER, SOURCE, TIME, COLOUR, INFRARED = range(2, 11)
"""Layers after X/Y and Z; those of extra bytes follow the last one of the point format."""

PLACES = {
    CLASS: (CLASS_BYTE, USER_BYTE),
    FLAGS: (FLAGS_BYTE, CLASS_BYTE),
    INTENSITY: (INTENSITY_BYTE, RETURNS_BYTE),
    ANGLE: (ANGLE_BYTE, SOURCE_BYTE),
    USER: (USER_BYTE, ANGLE_BYTE),
    SOURCE: (SOURCE_BYTE, TIME_BYTE),
    TIME: (TIME_BYTE, COLOUR_BYTE),
    COLOUR: (COLOUR_BYTE, INFRARED_BYTE),
    INFRARED: (INFRARED_BYTE, INFRARED_END),
}
"""First byte of a layer's attribute in a record, and the one after its last."""

ROOM = 16
"""Bytes a point cannot exceed in one attribute layer: four symbols of at most 15 bits, 64 raw."""


class PointCodec:
    """Decodes and encodes chunks of one record layout.

    Parameters
    ----------
    point_format : int
        6, 7 or 8.
    record_length : int
        Bytes of a point record, extra bytes included.
    extra_bytes : int
        Extra bytes of a record.
    """

    def __init__(self, point_format: int, record_length: int, extra_bytes: int) -> None:
        self._stride = record_length
        self._recoder = ChunkRecoder(point_format, record_length, extra_bytes)
        layers = LAYERS[point_format]
        self._places = {layer: place for layer, place in PLACES.items() if layer < layers}
        for byte in range(extra_bytes):
            first = record_length - extra_bytes + byte
            self._places[layers + byte] = first, first + 1
        self._extra_from = layers
        self._layers = layers + extra_bytes

    def decode(self, chunk: Bytes, out: Bytes, work: Workspace) -> bool:
        """Decode a chunk that has passed `check_layers`.

        Parameters
        ----------
        chunk : ndarray, shape (bytes,), uint8
            The chunk.
        out : ndarray, shape (n, record length), uint8, contiguous
            Filled with its records.
        work : Workspace
            Memory to use.

        Returns
        -------
        bool
            False, and nothing of use in `out`, where lazrs has to decide: the points are of several
            scanner channels, or a layer has too few bytes for them (coordinates: or too many).
        """
        decoded = self._recoder.decode(chunk, work)
        if not decoded.whole:
            return False
        count = len(decoded)
        assert out.shape == (count, self._stride)
        points, at = decoded.points.ctypes.data, out.ctypes.data
        if not begin_records(decoded.head.ctypes.data, self._stride, points, at, count):
            return False
        spans = {
            layer: _padded(work, f"layer {layer}", data)
            for layer, data in enumerate(decoded.layers)
            if layer in self._places and len(data)
        }
        if self._extra_from > COLOUR and {INTENSITY, COLOUR} <= spans.keys():
            intensity, colour = spans.pop(INTENSITY), spans.pop(COLOUR)
            first = _first(work, shorts.short_models, TABLED)
            second = _first(work, colours.colour_models, TABLED, "more models")
            whole = colours.decode_light(
                (*intensity, first, at + INTENSITY_BYTE),
                (*colour, second, at + COLOUR_BYTE),
                points,
                self._stride,
                count,
            )
            if not whole:
                return False
        return all(
            self._read(layer, span, work, points, at + self._places[layer][0], count)
            for layer, span in spans.items()
        )

    def _read(
        self, layer: int, span: tuple[int, int], work: Workspace, points: int, at: int, count: int
    ) -> bool:
        """Decode one layer; whether its bytes were enough.

        `span` are the addresses of its bytes, `at` that of its first field.
        """
        fields = at, self._stride, count
        if layer >= self._extra_from:
            whole = octets.decode_byte(*span, _unmet(work), *fields)
        elif layer == CLASS:
            whole = octets.decode_class(*span, _unmet(work), points, *fields)
        elif layer == FLAGS:
            whole = octets.decode_flags(*span, _unmet(work), *fields)
        elif layer == USER:
            whole = octets.decode_user_data(*span, _unmet(work), *fields)
        elif layer == INTENSITY:
            models = _first(work, shorts.short_models, TABLED)
            whole = shorts.decode_intensity(*span, models, points, *fields)
        elif layer == TIME:
            models = _first(work, gpstimes.time_models, TABLED)
            whole = gpstimes.decode_times(*span, models, points, *fields)
        elif layer == COLOUR:
            whole = colours.decode_colour(
                *span, _first(work, colours.colour_models, TABLED), *fields
            )
        elif layer == INFRARED:
            whole = colours.decode_infrared(
                *span, _first(work, colours.infrared_models, TABLED), *fields
            )
        else:
            bit = ANGLE_BIT if layer == ANGLE else SOURCE_BIT
            models = _first(work, shorts.short_models, TABLED)
            whole = shorts.decode_rare(*span, models, points, bit, *fields)
        return bool(whole)

    def encode(self, records: Bytes, work: Workspace) -> bytes | None:
        """Encode records.

        Parameters
        ----------
        records : ndarray, shape (n, record length), uint8, contiguous
            Not empty.
        work : Workspace
            Memory to use.

        Returns
        -------
        bytes or None
            A chunk; None where the points are of several scanner channels.
        """
        count, at = len(records), records.ctypes.data
        points = work.buffer("points", count * POINT_BYTES).view(np.int32).reshape(-1, 4)
        varying = np.zeros(self._stride, np.uint8)
        survey_records(at, self._stride, points.ctypes.data, varying.ctypes.data, count)
        changed = varying.tobytes()
        if changed[FLAGS_BYTE] & CHANNEL_BITS:
            return None
        room = work.buffer("layer", count * ROOM + 2 * PADDING)
        layers = [room[:0]] * self._layers
        for layer, (start, stop) in self._places.items():
            if any(changed[start:stop]):
                out = room.ctypes.data + PADDING
                size = self._write(layer, out, work, points.ctypes.data, at + start, count)
                layers[layer] = room[PADDING : PADDING + size].copy()
        return self._recoder.encode(DecodedChunk(points, records[0], tuple(layers)), work)

    def _write(
        self, layer: int, out: int, work: Workspace, points: int, at: int, count: int
    ) -> int:
        """Encode one layer to address `out`: the reverse of `_read`. Returns the bytes written."""
        fields = at, self._stride, count
        if layer >= self._extra_from:
            size = octets.encode_byte(out, _unmet(work), *fields)
        elif layer == CLASS:
            size = octets.encode_class(out, _unmet(work), points, *fields)
        elif layer == FLAGS:
            size = octets.encode_flags(out, _unmet(work), *fields)
        elif layer == USER:
            size = octets.encode_user_data(out, _unmet(work), *fields)
        elif layer == INTENSITY:
            models = _first(work, shorts.short_models, NOT_TABLED)
            size = shorts.encode_intensity(out, models, points, *fields)
        elif layer == TIME:
            models = _first(work, gpstimes.time_models, NOT_TABLED)
            size = gpstimes.encode_times(out, models, points, *fields)
        elif layer == COLOUR:
            models = _first(work, colours.colour_models, NOT_TABLED)
            size = colours.encode_colour(out, models, *fields)
        elif layer == INFRARED:
            models = _first(work, colours.infrared_models, NOT_TABLED)
            size = colours.encode_infrared(out, models, *fields)
        else:
            bit = ANGLE_BIT if layer == ANGLE else SOURCE_BIT
            models = _first(work, shorts.short_models, NOT_TABLED)
            size = shorts.encode_rare(out, models, points, bit, *fields)
        return int(size)


def _padded(work: Workspace, name: str, data: Bytes) -> tuple[int, int]:
    """Addresses of the first byte of a layer, and of the one after its last, which zeros follow."""
    source = work.buffer(name, len(data) + PADDING)
    source[: len(data)], source[len(data) :] = data, 0
    start = source.ctypes.data
    return start, start + len(data)


def _first(
    work: Workspace, make: MakeModels, tabled: np.bool_, name: str = "attribute models"
) -> int:
    """Address of models in their first state."""
    first = _models(make, bool(tabled))
    models = work.buffer(name, len(first))
    models[:] = first
    return int(models.ctypes.data)


@lru_cache(maxsize=8)
def _models(make: MakeModels, tabled: bool) -> Bytes:
    return make(np.bool_(tabled))


def _unmet(work: Workspace) -> int:
    """Address of models that are marked as not met."""
    models = work.buffer("attribute models", octets.CONTEXTS * octets.OCTET_STEP)
    forget(models.ctypes.data, octets.CONTEXTS, octets.OCTET_STEP)
    return int(models.ctypes.data)
