"""Which files are photos, and in which order."""

from pathlib import Path

import pytest

from cupixgeo.errors import ArgumentError
from cupixgeo.photos.listing import find_photos


@pytest.fixture
def folder(tmp_path):
    names = ["DJI_10.JPG", "DJI_9.jpg", "b/DJI_1.tif", "b/DJI_2.png", "b/notes.txt", "a.MRK"]
    for name in [*names, "._DJI_9.jpg", ".git/x.jpg", "Thumbs.db", "flight.MP4", "README"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(listing, folder):
    return [str(path.relative_to(folder)) for path in listing.paths]


def test_a_folder_is_listed_in_natural_order_and_the_rest_counted(folder):
    listing = find_photos(folder)
    assert names(listing, folder) == ["b/DJI_1.tif", "b/DJI_2.png", "DJI_9.jpg", "DJI_10.JPG"]
    assert listing.ignored == {
        ".db": 1,
        ".mp4": 1,
        ".mrk": 1,
        ".txt": 1,
        "hidden": 1,
        "no suffix": 1,
    }


def test_folders_within_can_be_left_out(folder):
    assert names(find_photos(str(folder), recursive=False), folder) == ["DJI_9.jpg", "DJI_10.JPG"]


def test_globs_lists_and_files_name_photos_too(folder):
    assert names(find_photos(f"{folder}/*.JPG"), folder) == ["DJI_10.JPG"]
    assert names(find_photos(f"{folder}/**/DJI_?.*"), folder) == [
        "b/DJI_1.tif",
        "b/DJI_2.png",
        "DJI_9.jpg",
    ]
    assert names(find_photos(folder / "DJI_9.jpg"), folder) == ["DJI_9.jpg"]
    mixed = [folder / "b", str(folder / "DJI_10.JPG"), f"{folder}/DJI_*.JPG", folder / "a.MRK"]
    listing = find_photos(path for path in mixed)
    assert names(listing, folder) == ["b/DJI_1.tif", "b/DJI_2.png", "DJI_10.JPG"]
    assert listing.ignored == {".mrk": 1, ".txt": 1}


def test_a_folder_with_brackets_in_its_name_is_a_folder(tmp_path):
    odd = tmp_path / "photos [1]"
    odd.mkdir()
    (odd / "a.jpg").touch()
    assert names(find_photos(str(odd)), odd) == ["a.jpg"]


def test_links_to_folders_are_not_followed(folder):
    (folder / "b" / "loop").symlink_to(folder)
    assert len(find_photos(folder).paths) == 4


def test_names_with_odd_digits_are_sorted_all_the_same(tmp_path):
    for name in ("a².jpg", "a1.jpg", "1.jpg", "٣.jpg", "x.jpg"):
        (tmp_path / name).touch()
    assert len(find_photos(tmp_path).paths) == 5


def test_a_missing_folder_is_an_error_a_missing_file_of_a_list_is_not(tmp_path):
    with pytest.raises(ArgumentError, match="does not exist"):
        find_photos(tmp_path / "none")
    assert find_photos([tmp_path / "none.jpg"]).paths == (tmp_path / "none.jpg",)
    assert find_photos(f"{tmp_path}/*.jpg").paths == ()


@pytest.mark.parametrize("nothing", [7, b"folder", None, [3], 2.5])
def test_what_names_no_photos_is_refused(nothing):
    with pytest.raises(ArgumentError, match="does not name photos"):
        find_photos(nothing)


def test_the_home_folder_may_be_written_as_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert find_photos("~/DJI_9.jpg").paths == (Path(folder, "DJI_9.jpg"),)
