"""Bad input while merging: a typed error that names it, nothing under the final name, no leftovers.

Lying headers are tested with the readers; here, what a merge does when it meets them, both ways.
"""

from __future__ import annotations

import errno
import os
import shutil
import struct
from pathlib import Path

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.errors import (
    CloudError,
    CorruptFileError,
    FormatError,
    MergeError,
    OperationError,
    OutputError,
    SourceChangedError,
)
from cupixgeo.pipeline import stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las

POINTS = 120_000
RECORD = laspy.PointFormat(7).size


@pytest.fixture(params=["layers", "records"])
def way(request, monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1 if request.param == "layers" else 10**9)
    return request.param


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    good = write_las(folder / "good.laz", box_of_points(60_000, origin=UTM50), crs=32650)
    bad = write_las(folder / "bad.laz", box_of_points(POINTS, origin=UTM50, seed=5), crs=32650)
    return good, bad


@pytest.fixture
def pair(originals, tmp_path):
    """A sound file and one to be spoilt, alone in their folder."""
    return [Path(shutil.copy(path, tmp_path)) for path in originals]


def refuse(error, words, sources, **options):
    """The merge fails with that error; the folder holds what it held."""
    folder = Path(sources[0]).parent
    before = sorted(os.listdir(folder))
    with pytest.raises(error, match=words) as caught:
        cx.merge(sources, folder / "out.laz", **{"crs": 32651, "block_points": 20_000} | options)
    assert sorted(os.listdir(folder)) == before
    message = str(caught.value)
    assert ". " in message or ": check " in message, "says no remedy"
    return message


def table_place(data: bytes) -> tuple[int, int]:
    """Where the points start and where the chunk table is."""
    start = int.from_bytes(data[96:100], "little")
    return start, int.from_bytes(data[start : start + 8], "little")


def no_table(data):
    _, table = table_place(data)
    return data[:table]


def table_never_written(data):
    start, table = table_place(data)
    return data[:start] + struct.pack("<q", 0) + data[start + 8 : table]


def table_elsewhere(data):
    start, table = table_place(data)
    return data[:start] + struct.pack("<q", table - 1000) + data[start + 8 :]


def table_of_too_many(data):
    _, table = table_place(data)
    return data[: table + 4] + struct.pack("<I", 2**31) + data[table + 8 :]


def last_chunk_cut(data):
    start, table = table_place(data)
    moved = data[: table - 5000] + data[table:]
    return moved[:start] + struct.pack("<q", table - 5000) + moved[start + 8 :]


def first_chunk(data):
    return table_place(data)[0] + 8


def too_long_a_layer(data):
    at = first_chunk(data) + RECORD + 4
    return data[:at] + struct.pack("<I", 10**9) + data[at + 4 :]


def layers_of_other_lengths(data):
    at = first_chunk(data) + RECORD + 4
    first, second = struct.unpack_from("<II", data, at)
    return data[:at] + struct.pack("<II", first - 4000, second + 4000) + data[at + 8 :]


def another_point_count_in_the_chunk(data):
    at = first_chunk(data) + RECORD
    return data[:at] + struct.pack("<I", 49_999) + data[at + 4 :]


def noise_in_the_last_chunk(data):
    _, table = table_place(data)
    start = table - 200_000
    return data[:start] + np.random.default_rng(1).bytes(199_000) + data[table - 1000 :]


@pytest.mark.parametrize(
    "spoil",
    [
        no_table,
        table_never_written,
        table_elsewhere,
        table_of_too_many,
        last_chunk_cut,
        too_long_a_layer,
        another_point_count_in_the_chunk,
    ],
)
def test_a_damaged_file_among_good_ones_is_named(pair, way, spoil):
    pair[1].write_bytes(spoil(pair[1].read_bytes()))
    refuse(CorruptFileError, r"bad\.laz.*Get the file again", pair)


@pytest.mark.parametrize("spoil", [layers_of_other_lengths, noise_in_the_last_chunk])
def test_damage_that_cannot_be_seen_in_the_tables_never_ends_otherwise(pair, way, spoil):
    """LAZ has no checksums: it is refused, or read as some points; nothing is left over."""
    pair[1].write_bytes(spoil(pair[1].read_bytes()))
    folder = pair[0].parent
    left = {"bad.laz", "good.laz"}
    try:
        report = cx.merge(pair, folder / "out.laz", crs=32651)
        assert report.points_kept == 60_000 + POINTS
        left.add("out.laz")
    except (CloudError, MergeError) as error:
        blamed = str(error)
    else:
        blamed = "bad.laz"
    assert "bad.laz" in blamed
    assert set(os.listdir(folder)) == left


def grow(path):
    with path.open("ab") as file:
        file.write(bytes(1000))


def shrink(path):
    os.truncate(path, path.stat().st_size - 1000)


def rewrite(path):
    with path.open("r+b") as file:
        file.seek(60_000)
        file.write(bytes(10))
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**6))


def replace_by_another(path):
    other = path.with_name("other.laz")
    shutil.copy2(path, other)
    other.replace(path)


def replace_by_a_link(path):
    kept = path.with_name("kept.laz")
    shutil.copy2(path, kept)
    path.unlink()
    path.symlink_to(kept)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (grow, "bytes and has"),
        (shrink, "bytes and has"),
        (rewrite, "was written to"),
        (Path.unlink, "cannot be found"),
        (replace_by_another, "another file has its name"),
        (replace_by_a_link, "another file has its name"),
    ],
)
def test_a_source_that_changes_while_it_is_read_is_named(pair, way, change, words):
    folder = pair[0].parent
    done = []

    def watch(progress):
        if progress.stage == "merge" and progress.item == "bad.laz" and not done:
            change(pair[1])
            done.append(sorted(os.listdir(folder)))

    with pytest.raises(SourceChangedError, match=rf"bad\.laz changed.*{words}.*Start again"):
        cx.merge(pair, folder / "out.laz", crs=32651, block_points=20_000, progress=watch)
    left = [name for name in done[0] if not name.endswith(".partial")]
    assert sorted(os.listdir(folder)) == left


def test_a_source_that_changes_before_it_is_read_is_named(pair, way):
    def watch(progress):
        if progress.stage == "merge" and progress.item == "good.laz" and pair[1].exists():
            pair[1].unlink()

    with pytest.raises(SourceChangedError, match=r"bad\.laz"):
        cx.merge(pair, pair[0].with_name("out.laz"), crs=32651, progress=watch)
    assert os.listdir(pair[0].parent) == ["good.laz"]


def test_a_disk_that_fails_while_reading_is_blamed_on_the_source(pair, tmp_path, monkeypatch):
    from cupixgeo.formats.las.reader import LasReader

    def fail(*args, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield

    monkeypatch.setattr(LasReader, "blocks", fail)
    message = refuse(CloudError, r"cannot read .*good\.laz: Input/output error", pair)
    assert "out.laz" not in message


@pytest.mark.parametrize("suffix", [".laz", ".las"])
def test_an_output_folder_removed_meanwhile_is_named_and_not_made_again(pair, way, suffix):
    folder = pair[0].parent / "out"
    folder.mkdir()

    def watch(progress):
        if progress.stage == "merge":
            shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(OutputError, match=r"site\.la[sz].*was removed meanwhile"):
        cx.merge(pair, folder / f"site{suffix}", crs=32651, progress=watch)
    assert not folder.exists()


@pytest.mark.parametrize("odd", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("bounds", [None, (-9e5, 0.0, 9e5, 9e6)])
@pytest.mark.parametrize("crs", [32650, 32651])
def test_coordinates_that_are_no_numbers_are_refused(tmp_path, odd, bounds, crs):
    ply = tmp_path / "odd.ply"
    rows = [f"{500_000 + i} 4400000 {i}" for i in range(20)]
    rows[7] = f"500007 {odd} 7"
    header = ["ply", "format ascii 1.0", "comment crs: EPSG:32650", "element vertex 20"]
    header += [f"property double {axis}" for axis in "xyz"]
    ply.write_text("\n".join([*header, "end_header", *rows]) + "\n")
    words = r"odd\.ply: 1 of 20 points lie outside.*and finite"
    refuse(OperationError, words, [ply], crs=crs, bounds=bounds)


def test_a_source_listed_twice_is_merged_twice_with_a_note(pair):
    out = pair[0].with_name("out.laz")
    report = cx.merge([pair[0], pair[1], cx.Source(pair[0], name="again")], out)
    assert report.points_kept == 120_000 + POINTS
    assert any("good.laz is listed 2 times" in note for note in report.notes)
    once = cx.merge([pair[0], pair[0]], out, drop_duplicates=True)
    assert once.points_kept == 60_000
    assert not once.notes
    moved = cx.Transform(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 100, source=32650, target=32650)
    apart = cx.merge([pair[0], cx.Source(pair[0], transform=moved)], out)
    assert not apart.notes


def test_files_without_points_are_no_trouble_unless_all_are(pair, tmp_path):
    empty = [write_las(tmp_path / name, np.empty((0, 3)), crs=32650) for name in ("e.laz", "e.las")]
    report = cx.merge([empty[0], pair[0], empty[1]], tmp_path / "out.laz")
    assert [s.points_kept for s in report.sources] == [0, 60_000, 0]
    (tmp_path / "out.laz").unlink()
    with pytest.raises(MergeError, match="none of the 2 inputs holds a point"):
        cx.merge(empty, tmp_path / "out.laz")
    assert not (tmp_path / "out.laz").exists()


def test_the_zone_of_a_site_is_that_of_the_first_source_with_points(tmp_path):
    earth = pyproj.Transformer.from_crs(32650, 4978, always_xy=True).transform(*UTM50)
    placement = np.eye(4)
    placement[:3, 3] = earth
    clouds = [np.empty((0, 3)), box_of_points(100, origin=(0, 0, 0))]
    sources = [
        cx.Source(
            write_las(tmp_path / f"{number}.laz", cloud),
            transform=cx.Transform(placement, source=cx.local_frame(f"s:{number}"), target=4978),
        )
        for number, cloud in enumerate(clouds)
    ]
    assert "32650" in cx.merge(sources, tmp_path / "out.laz").crs
    with pytest.raises(MergeError, match="none of the 1 inputs holds a point"):
        cx.merge(sources[:1], tmp_path / "none.laz")


def test_what_is_no_point_cloud_is_named_with_what_it_is(pair, tmp_path):
    nothing = tmp_path / "nothing.laz"
    nothing.touch()
    refuse(FormatError, r"nothing\.laz is not a point cloud.*an empty file", [*pair, nothing])
    folder = tmp_path / "scans"
    folder.mkdir()
    refuse(CloudError, r"scans is a folder", [*pair, folder])
    gone = tmp_path / "gone.laz"
    refuse(CloudError, r"no file gone\.laz", [*pair, gone])
    dangling = tmp_path / "dangling.laz"
    dangling.symlink_to(gone)
    refuse(CloudError, r"no file dangling\.laz", [*pair, dangling])


def test_a_file_that_may_not_be_read_is_named(pair, monkeypatch):
    real = Path.open

    def guarded(self, *args, **options):
        if self.name == "bad.laz":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", guarded)
    message = refuse(CloudError, r"cannot read .*bad\.laz: Permission denied", pair)
    assert "Permission denied" in message
