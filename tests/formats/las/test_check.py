"""A LAS file that contradicts itself or its size ends in an error that says so, at once."""

import contextlib
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import laspy
import numpy as np
import pytest

from cupixgeo.errors import CloudError, CorruptFileError, FormatError
from cupixgeo.formats.las.check import check_las
from cupixgeo.formats.las.reader import LasReader
from tests.formats.lasfiles import REAL, cut, las_data, patch, with_record

LAS_VLRS, LAS_POINTS, LAS_SCALES = 100, 96, 131
LAS_FORMAT, LAS_RECORD, LAS_COUNT = 104, 105, 107
EVLR_START, EVLR_COUNT, COUNT_14 = 235, 243, 247


def make(path: Path, point_format: int = 3, n: int = 1000, **options: object) -> Path:
    las_data(point_format, n, **options).write(path)
    return path


def laz_table(path: Path) -> tuple[int, int]:
    """First byte of the points, and of the chunk table."""
    data = path.read_bytes()
    start = int.from_bytes(data[96:100], "little")
    return start, int.from_bytes(data[start : start + 8], "little", signed=True)


def spoilt(name: str, folder: Path) -> Path:
    """Make one bad file; `WRONG` says what must be said of it."""
    las, laz = folder / "cloud.las", folder / "cloud.laz"
    match name:
        case "empty file":
            laz.write_bytes(b"")
        case "text named .laz":
            laz.write_text("x y z\n1 2 3\n")
        case "HTML named .laz":
            laz.write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
        case "ZIP named .las":
            las.write_bytes(b"PK\x03\x04" + bytes(500))
        case "half a header":
            return cut(make(las), 150)
        case "VLR count 2^32-1":
            return patch(make(las), LAS_VLRS, "<I", 2**32 - 1)
        case "VLR longer than the header":
            make_with_wkt(las)
            return patch(las, 227 + 20, "<H", 60_000)
        case "EVLR count 2^32-1":
            return patch(make(las, 7), EVLR_COUNT, "<I", 2**32 - 1)
        case "EVLR of 1 TiB":
            make_with_wkt(las, extended=True)
            start = int.from_bytes(las.read_bytes()[EVLR_START : EVLR_START + 8], "little")
            return patch(las, start + 20, "<Q", 2**40)
        case "EVLR cut off":
            return cut(make_with_wkt(las, extended=True), -10)
        case "EVLRs before the points":
            make_with_wkt(las, extended=True)
            return patch(las, EVLR_START, "<Q", 10)
        case "point offset past the end":
            return patch(make(las), LAS_POINTS, "<I", 10**9)
        case "point offset inside the header":
            return patch(make(las), LAS_POINTS, "<I", 100)
        case "scale 0":
            return patch(make(las), LAS_SCALES + 8, "<d", 0.0)
        case "scale NaN":
            return patch(make(las), LAS_SCALES, "<d", np.nan)
        case "offset infinite":
            return patch(make(las), LAS_SCALES + 24, "<d", np.inf)
        case "point format 42":
            return patch(make(las), LAS_FORMAT, "<B", 42)
        case "LAS 2.7":
            return patch(make(las), 24, "<2B", 2, 7)
        case "header size 12":
            return patch(make(las), 94, "<H", 12)
        case "record shorter than its format":
            return patch(make(las), LAS_RECORD, "<H", 20)
        case "points cut off":
            return cut(make(las), -1)
        case "point count 2^40":
            return patch(make(las, 7), COUNT_14, "<Q", 2**40)
        case "compressed without LASzip record":
            return patch(make(las), LAS_FORMAT, "<B", 3 | 0x80)
        case "LAZ cut in the points":
            return cut(real_copy(laz), 1_000_000)
        case "LAZ cut in the chunk table":
            return cut(real_copy(laz), -30)
        case "LAZ cut before the first point":
            return cut(make(laz), laz_table(make(laz))[0] + 4)
        case "LAZ point count 2^40":
            return patch(make(laz, 7), COUNT_14, "<Q", 2**40)
        case "LAZ one point too many":
            return patch(real_copy(laz), LAS_COUNT, "<I", 950_001)
        case "LAZ chunk table before the points":
            return patch(make(laz), laz_table(make(laz))[0], "<q", 5)
        case "LAZ never finished":
            return patch(make(laz), laz_table(make(laz))[0], "<q", -1)
        case "LAZ chunk count 2^32-1":
            return patch(make(laz), laz_table(make(laz))[1] + 4, "<I", 2**32 - 1)
        case "LAZ record of another size":
            return patch(make(laz), LAS_RECORD, "<H", 40)
        case "LASzip record of nonsense":
            at = make(laz).read_bytes().index(b"laszip encoded") - 2 + 54
            return patch(laz, at, "<H", 9)
        case "LASzip of before chunks":
            at = make(laz).read_bytes().index(b"laszip encoded") - 2 + 54
            return patch(laz, at, "<H", 1)
        case "LAZ layers longer than the chunk":
            make(laz, 7)
            return patch(laz, laz_table(laz)[0] + 8 + 36 + 4, "<I", 2**31)
        case "extra bytes that do not fit":
            make(las, extra=(laspy.ExtraBytesParams("a", "u2"),))
            at = las.read_bytes().index(b"LASF_Spec") - 2 + 54
            return patch(las, at + 2, "<B", 10)
    return laz if laz.exists() else las


def make_with_wkt(path: Path, *, extended: bool = False) -> Path:
    with_record(las_data(7), 2112, b"LOCAL_CS[]", extended=extended).write(path)
    if not extended:  # put the walk on a 1.2 header, where the first VLR is at byte 227
        with_record(las_data(3), 2112, b"LOCAL_CS[]").write(path)
    return path


def real_copy(path: Path) -> Path:
    path.write_bytes(REAL.read_bytes())
    return path


WRONG = {
    "empty file": (FormatError, "an empty file"),
    "text named .laz": (FormatError, "a text file, whatever its name says"),
    "HTML named .laz": (FormatError, "an HTML page"),
    "ZIP named .las": (FormatError, "a ZIP archive"),
    "half a header": (CorruptFileError, "ends inside its header, after 150 bytes"),
    "VLR count 2^32-1": (CorruptFileError, "4,294,967,295 VLRs"),
    "VLR longer than the header": (CorruptFileError, "VLR 1 of 1 claims 60,000 bytes"),
    "EVLR count 2^32-1": (CorruptFileError, "EVLRs"),
    "EVLR of 1 TiB": (CorruptFileError, "EVLR 1 of 1 claims 1,099,511,627,776 bytes"),
    "EVLR cut off": (CorruptFileError, "EVLR 1 of 1 claims"),
    "EVLRs before the points": (CorruptFileError, "before the points"),
    "point offset past the end": (CorruptFileError, "start at byte 1,000,000,000"),
    "point offset inside the header": (CorruptFileError, "inside the header"),
    "scale 0": (CorruptFileError, "scale of y is 0"),
    "scale NaN": (CorruptFileError, "scale of x is nan"),
    "offset infinite": (CorruptFileError, "offset of x is inf"),
    "point format 42": (FormatError, "point format 42"),
    "LAS 2.7": (FormatError, "LAS 2.7"),
    "header size 12": (CorruptFileError, "header has 227 bytes, this one says 12"),
    "record shorter than its format": (CorruptFileError, "takes 34 bytes, the header says 20"),
    "points cut off": (CorruptFileError, "announces 1,000 points, the file holds 999"),
    "point count 2^40": (CorruptFileError, "announces 1,099,511,627,776 points"),
    "compressed without LASzip record": (CorruptFileError, "no LASzip record"),
    "LAZ cut in the points": (CorruptFileError, "cut off: its chunk table should be at byte"),
    "LAZ cut in the chunk table": (CorruptFileError, "cut off or damaged inside its chunk table"),
    "LAZ cut before the first point": (CorruptFileError, "ends before its first point"),
    "LAZ point count 2^40": (CorruptFileError, "1,099,511,627,776 points in chunks"),
    "LAZ one point too many": (CorruptFileError, "950,001 points in chunks of 50,000"),
    "LAZ chunk table before the points": (CorruptFileError, "before the points"),
    "LAZ never finished": (CorruptFileError, "chunk table"),
    "LAZ chunk count 2^32-1": (CorruptFileError, "4,294,967,295 chunks"),
    "LAZ record of another size": (CorruptFileError, "points of 34 bytes, its header of 40"),
    "LASzip record of nonsense": (CorruptFileError, "LASzip record is not understood"),
    "LASzip of before chunks": (FormatError, "compressed without chunks"),
    "LAZ layers longer than the chunk": (CorruptFileError, "layers are longer than the chunk"),
    "extra bytes that do not fit": (CorruptFileError, "more than the 2 bytes"),
}


def read_all(path: Path) -> None:
    with LasReader(path) as reader:
        for _ in reader.blocks():
            pass


@pytest.mark.parametrize("name", WRONG)
def test_a_bad_file_ends_at_once_in_a_typed_error(tmp_path, name):
    path = spoilt(name, tmp_path)
    before = path.read_bytes()
    kind, words = WRONG[name]
    started = time.perf_counter()
    with pytest.raises(kind) as caught:
        read_all(path)
    assert time.perf_counter() - started < 2
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).count(". ") >= 1, "no remedy"
    assert path.read_bytes() == before


def test_all_bad_files_together_take_less_than_200_mb(tmp_path):
    paths = []
    for number, name in enumerate(WRONG):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(spoilt(name, folder))
    script = textwrap.dedent(
        """
        import json, resource, sys
        from cupixgeo.errors import CloudError
        from cupixgeo.formats.las.reader import LasReader
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[0])
        limit = pages * resource.getpagesize() + 200 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        refused = 0
        for path in sys.argv[1:]:
            try:
                with LasReader(path) as reader:
                    for _ in reader.blocks():
                        pass
            except CloudError:
                refused += 1
        print(json.dumps(refused))
        """
    )
    command = [sys.executable, "-c", script, *map(str, paths)]
    root = Path(__file__).parents[3]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={"RAYON_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == len(WRONG)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(CloudError, match=r"no file gone\.laz in"):
        check_las(tmp_path / "gone.laz")
    with pytest.raises(CloudError, match=r"no folder .*nowhere"):
        check_las(tmp_path / "nowhere" / "gone.laz")
    with pytest.raises(CloudError, match="is a folder"):
        check_las(tmp_path)


def test_random_damage_is_refused_or_read_but_never_anything_else(tmp_path):
    rng = np.random.default_rng(11)
    path = tmp_path / "cloud.laz"
    for point_format in (3, 7):
        good = make(path, point_format).read_bytes()
        head = laz_table(path)[0] + 64
        for _ in range(150):
            data = bytearray(good)
            for at in rng.integers(0, head, rng.integers(1, 4)):
                data[at] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            started = time.perf_counter()
            with contextlib.suppress(CloudError):
                read_all(path)
            assert time.perf_counter() - started < 2


def test_the_facts_of_a_good_file_are_those_laspy_reads():
    facts = check_las(REAL)
    with laspy.open(REAL) as file:
        header = file.header
    assert facts.version == str(header.version)
    assert facts.point_count == header.point_count
    assert facts.points_by_return == tuple(header.number_of_points_by_return[:5])
    assert (facts.scales, facts.mins, facts.maxs) == (
        tuple(header.scales),
        tuple(header.mins),
        tuple(header.maxs),
    )
    assert facts.generating_software == header.generating_software
    assert [(r.user_id, r.record_id) for r in facts.records] == [
        (v.user_id, v.record_id) for v in header.vlrs
    ]
