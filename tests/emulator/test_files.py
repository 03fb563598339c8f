import io

import laspy
import numpy as np
import pytest

from cupixgeo.emulator.files import opaque_size, small_cloud, write_laz, write_opaque


@pytest.mark.parametrize(("point_format", "version"), [(3, "1.2"), (7, "1.4")])
def test_a_laz_file_keeps_coordinates_to_a_tenth_of_a_millimetre(point_format, version):
    xyz, attributes = small_cloud((1, 2), 50)
    cloud = laspy.read(io.BytesIO(write_laz(xyz, attributes, point_format=point_format)))
    assert str(cloud.header.version) == version
    assert cloud.header.are_points_compressed
    assert cloud.header.parse_crs() is None
    assert cloud.header.scales.tolist() == [1e-4] * 3
    np.testing.assert_allclose(cloud.xyz, xyz, atol=1e-9)
    for name, values in attributes.items():
        np.testing.assert_array_equal(cloud[name], values)


def test_the_same_points_make_the_same_bytes():
    xyz, attributes = small_cloud((1, 2), 50)
    assert write_laz(xyz, attributes, point_format=7) == write_laz(xyz, attributes, point_format=7)


def test_coordinates_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="32-bit grid"):
        write_laz(np.array([[3e5, 0, 0]]), {}, point_format=3)


def test_an_opaque_file_is_of_its_announced_size_and_starts_like_nothing_known():
    content = write_opaque((7, 5321), 1000)
    assert len(content) == opaque_size(1000) == 160_000
    assert content == write_opaque((7, 5321), 1000) != write_opaque((7, 5322), 1000)
    assert not content.startswith((b"ply", b"LASF", b"PK", b"{"))
