"""Files are known by their content, whatever they are called."""

import shutil

import pytest

from cupixgeo.errors import CloudError, FormatError
from cupixgeo.formats.registry import can_open, open_cloud, open_reader
from tests.formats.lasfiles import REAL
from tests.formats.test_ply import points, write_ply


@pytest.mark.parametrize("name", ["scan.laz", "scan.txt", "scan"])
def test_the_name_of_a_file_does_not_matter(tmp_path, name):
    shutil.copy(REAL, tmp_path / name)
    with open_reader(tmp_path / name) as reader:
        assert reader.info.format == "LAZ"
    write_ply(tmp_path / name, points())
    with open_reader(tmp_path / name) as reader:
        assert reader.info.format == "PLY"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"<html><body>404</body></html>", "an HTML page"),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "an HTML page"),
        (b'{"error": "expired"}', "a JSON text"),
        (b"<?xml version='1.0'?><Error/>", "an XML document"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"ASTM-E57....", "an E57 file"),
        (b"1.0 2.0 3.0\n", "a text file"),
        ("Höhe".encode(), "a text file"),
        (b"\x00\x01\x02\x03", "a binary file of another kind"),
    ],
)
def test_anything_else_is_refused_by_what_it_is(tmp_path, content, words):
    path = tmp_path / "scan.laz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=words) as caught:
        open_reader(path)
    assert str(path) in str(caught.value)
    assert not can_open(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CloudError, match=r"no file gone\.laz in"):
        open_cloud(tmp_path / "gone.laz")


def test_a_given_crs_overrides_the_files():
    with open_cloud(REAL, crs="EPSG:32616") as dataset:
        assert dataset.cloud.crs.to_epsg() == 32616
