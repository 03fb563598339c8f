"""PLY files of all encodings read as plain numpy wrote them; lying headers are refused."""

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cupixgeo.errors import CloudError, CorruptFileError, EmptyCloudError, FormatError
from cupixgeo.formats.ply import PlyReader, attribute_names
from cupixgeo.geodesy.crs import frame_name

NUMPY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
ENCODINGS = ["ascii", "binary_little_endian", "binary_big_endian"]
COLUMNS = {"x": "double", "y": "double", "z": "float", "red": "uchar", "label": "int"}


def points(n=1000, columns=COLUMNS, seed=0):
    rng = np.random.default_rng(seed)
    result = {}
    for name, kind in columns.items():
        dtype = np.dtype(NUMPY_TYPES[kind])
        if dtype.kind == "f":
            result[name] = rng.uniform(-1e4, 1e4, n).astype(dtype)
        else:
            info = np.iinfo(dtype)
            result[name] = rng.integers(info.min, info.max, n, dtype, endpoint=True)
    return result


def body(values, columns, encoding):
    if encoding == "ascii":
        rows = zip(*(column.tolist() for column in values.values()), strict=True)
        return "".join(" ".join(map(repr, row)) + "\n" for row in rows).encode()
    order = "<" if "little" in encoding else ">"
    dtype = np.dtype([(name, order + NUMPY_TYPES[kind]) for name, kind in columns.items()])
    records = np.empty(len(next(iter(values.values()))), dtype)
    for name, column in values.items():
        records[name] = column
    return records.tobytes()


def write_ply(
    path, values, columns=COLUMNS, *, encoding="ascii", count=None, comments=(),
    before=("", b""), after=("", b""), newline="\n",
):  # fmt: skip
    n = len(next(iter(values.values()))) if count is None else count
    header = [
        "ply",
        f"format {encoding} 1.0",
        *comments,
        *before[0].splitlines(),
        f"element vertex {n}",
        *(f"property {kind} {name}" for name, kind in columns.items()),
        *after[0].splitlines(),
        "end_header",
    ]
    text = newline.join(header) + newline
    path.write_bytes(text.encode() + before[1] + body(values, columns, encoding) + after[1])
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cloud.ply"


def read(path, **options):
    with PlyReader(path) as reader:
        blocks = list(reader.blocks(**options))
        names = reader.info.attribute_names
    xyz = np.concatenate([b.xyz for b in blocks])
    return xyz, {n: np.concatenate([b.column(n) for b in blocks]) for n in names}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_back_what_was_written(path, encoding, newline):
    values = points()
    write_ply(path, values, encoding=encoding, newline=newline)
    xyz, attributes = read(path, size=300)
    assert_array_equal(xyz, np.stack([values[a].astype(float) for a in "xyz"], axis=1))
    for name in ("red", "label"):
        assert_array_equal(attributes[name], values[name])
        assert attributes[name].dtype == values[name].dtype


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", NUMPY_TYPES)
def test_every_type_is_kept(path, encoding, kind):
    columns = {"x": "float", "y": "float", "z": "float", "value": kind}
    values = points(20, columns)
    write_ply(path, values, columns, encoding=encoding)
    column = read(path)[1]["value"]
    assert column.dtype == NUMPY_TYPES[kind]
    assert_array_equal(column, values["value"])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("start", "stop"), [(0, 10), (500, 777), (990, 1000), (5, 5)])
def test_any_range_can_be_read_in_any_order(path, encoding, start, stop):
    values = points()
    write_ply(path, values, encoding=encoding)
    with PlyReader(path) as reader:
        next(reader.blocks(size=600, start=300))
        blocks = list(reader.blocks(size=100, start=start, stop=stop))
    labels = [b.column("label") for b in blocks]
    assert_array_equal(np.concatenate(labels) if labels else [], values["label"][start:stop])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_other_elements_are_skipped(path, encoding):
    values = points()
    camera = "element camera 2\nproperty float focal\nproperty uchar kind"
    faces = "element face 2\nproperty list uchar int vertex_indices"
    if encoding == "ascii":
        before, after = b"1.5 3\n2.5 4\n", b"3 0 1 2\n4 0 1 2 3\n"
    else:
        order = "<" if "little" in encoding else ">"
        rows = np.array([(1.5, 3), (2.5, 4)], [("f", order + "f4"), ("k", "u1")])
        before = rows.tobytes()
        after = b"\x03" + np.arange(3, dtype=order + "i4").tobytes() + b"\x01" + bytes(4)
    write_ply(path, values, encoding=encoding, before=(camera, before), after=(faces, after))
    attributes = read(path)[1]
    assert_array_equal(attributes["label"], values["label"])
    with PlyReader(path) as reader:
        assert reader.info.metadata["other_elements"] == {"camera": 2, "face": 2}


def test_bounds_are_those_of_the_points_that_are_numbers(path):
    values = points()
    values["x"][7] = np.nan
    write_ply(path, values)
    with PlyReader(path) as reader:
        low, high = reader.bounds()
    assert low[0] == np.nanmin(values["x"])
    assert high[2] == values["z"].max()


def test_an_empty_cloud_has_no_bounds(path):
    write_ply(path, points(0))
    with PlyReader(path) as reader, pytest.raises(EmptyCloudError, match="holds no points"):
        reader.bounds()


@pytest.mark.parametrize(
    "comment", ["comment crs EPSG:32650", "comment epsg 32650", "obj_info SRS: EPSG:32650"]
)
def test_a_comment_may_state_the_crs(path, comment):
    write_ply(path, points(), comments=[comment])
    with PlyReader(path) as reader:
        assert reader.info.crs.to_epsg() == 32650
        assert comment.split(" ", 1)[1] in reader.info.crs_source


def test_without_such_a_comment_the_file_is_in_its_own_frame(path):
    write_ply(path, points(), comments=["comment crsytal structure", "comment crs nonsense"])
    with PlyReader(path) as reader:
        assert frame_name(reader.info.crs) == "file:cloud.ply"
        assert "does not understand" in reader.info.crs_source
    with PlyReader(path, crs=32650) as reader:
        assert reader.info.crs.to_epsg() == 32650


def test_las_names_are_given_and_collisions_keep_the_files_own():
    names = ["X", "y", "z", "scalar_Intensity", "GpsTime", "scalar_Return_Number", "diffuse_red"]
    assert attribute_names(names) == (
        "x", "y", "z", "intensity", "gps_time", "return_number", "red",
    )  # fmt: skip
    assert attribute_names(["x", "y", "z", "scalar_Intensity", "intensity"])[3:] == (
        "scalar_Intensity",
        "intensity",
    )
    assert attribute_names(["x", "y", "z", "r", "quality"])[3:] == ("r", "quality")


LIES = {
    "count too large, binary": (
        {"encoding": "binary_little_endian", "count": 1001},
        "announces 1,001 x vertex",
    ),
    "count 2^60, ascii": ({"count": 2**60}, "the file has"),
    "count too small, binary": (
        {"encoding": "binary_big_endian", "count": 999},
        "more rows than it says",
    ),
    "count too large, ascii": ({"count": 1005}, "the file ends after 1,000"),
    "count too small, ascii": ({"count": 990}, "more lines follow"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_header_is_refused_at_once(path, name):
    options, words = LIES[name]
    write_ply(path, points(), **options)
    started = time.perf_counter()
    with pytest.raises(CorruptFileError) as caught:
        read(path)
    assert time.perf_counter() - started < 2
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_property_missing_from_the_header_is_found_by_the_size(path):
    values = points()
    write_ply(path, values, encoding="binary_little_endian")
    data = path.read_bytes().replace(b"property int label\n", b"")
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match="longer"):
        PlyReader(path)


BAD_LINES = {
    "a word": (b"1 2 abc 4 5\n", "has 'abc' in place of a number"),
    "too few": (b"1 2 3\n", "has 3 values instead of 5"),
    "too many": (b"1 2 3 4 5 6\n", "has 6 values instead of 5"),
    "blank": (b"\n", "has 0 values instead of 5"),
    "colour 300": (b"1 2 3 300 5\n", "has 300 where a uint8 should be"),
    "colour 1.5": (b"1 2 3 1.5 5\n", "has 1.5 where a uint8 should be"),
    "colour nan": (b"1 2 3 nan 5\n", "has nan where a uint8 should be"),
}


@pytest.mark.parametrize("row", [0, 1, 700])
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named_by_its_number(path, name, row):
    line, words = BAD_LINES[name]
    write_ply(path, points())
    lines = path.read_bytes().splitlines(keepends=True)
    first = lines.index(b"end_header\n") + 1
    lines[first + row] = line
    path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptFileError, match=f"line {first + row + 1:,} ") as caught:
        read(path, size=300)
    assert words in str(caught.value)


HEADERS = {
    "no format": ("ply\nelement vertex 1\nend_header\n", CorruptFileError, "no format line"),
    "format 2.0": ("ply\nformat ascii 2.0\nend_header\n", FormatError, "reads 1.0"),
    "no end": ("ply\nformat ascii 1.0\n" + "comment x\n" * 9000, CorruptFileError, "has no end"),
    "no vertex": ("ply\nformat ascii 1.0\nend_header\n", FormatError, "no PLY element 'vertex'"),
    "no y": (
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float z\nend_header\n",
        FormatError,
        "have no y",
    ),
    "no count": ("ply\nformat ascii 1.0\nelement vertex\nend_header\n", CorruptFileError, "count"),
    "two vertex": (
        "ply\nformat ascii 1.0\nelement vertex 0\nelement vertex 0\nend_header\n",
        CorruptFileError,
        "two elements",
    ),
    "two x": (
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float x\nend_header\n",
        CorruptFileError,
        "two 'x'",
    ),
    "odd type": (
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty quad x\nend_header\n",
        CorruptFileError,
        "is no property",
    ),
    "property of nothing": (
        "ply\nformat ascii 1.0\nproperty float x\nend_header\n",
        CorruptFileError,
        "of nothing",
    ),
    "list in vertex": (
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty list uchar int x\nend_header\n",
        FormatError,
        "stores lists with its points",
    ),
    "binary lists first": (
        "ply\nformat binary_little_endian 1.0\nelement face 0\nproperty list uchar int i\n"
        "element vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n",
        FormatError,
        "in front of its points",
    ),
    "old Mac line ends": ("ply\rformat ascii 1.0\rend_header\r", FormatError, "carriage return"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_cannot_be_used_says_why(path, name):
    text, kind, words = HEADERS[name]
    path.write_text(text, newline="")
    with pytest.raises(kind) as caught:
        PlyReader(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_random_damage_is_refused_or_read_but_never_anything_else(path, encoding):
    rng = np.random.default_rng(5)
    good = write_ply(path, points(50), encoding=encoding).read_bytes()
    for _ in range(150):
        data = bytearray(good)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            read(path)
        except CloudError as error:
            message = str(error)
        else:
            continue
        assert str(path) in message


def test_an_unknown_column_is_refused(path):
    write_ply(path, points())
    with PlyReader(path) as reader, pytest.raises(CloudError, match="no attribute 'blue'"):
        list(reader.blocks(columns=["blue"]))
