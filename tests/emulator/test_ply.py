import numpy as np

from cupixgeo.emulator.ply import write_ply, write_triangle

COLUMNS = {
    "x": np.array([0.1, -2.5]),
    "red": np.array([65535, 1], np.uint16),
    "user_data": np.array([9, 255], np.uint8),
    "label": np.array([-7, 3], np.int32),
    "nx": np.array([0.5, 0.25], np.float32),
}


def test_the_binary_header_says_what_the_bytes_are():
    head, _, body = write_ply(COLUMNS).partition(b"end_header\n")
    assert head.decode().splitlines() == [
        "ply",
        "format binary_little_endian 1.0",
        "comment made by the cupixgeo emulator",
        "element vertex 2",
        "property double x",
        "property ushort red",
        "property uchar user_data",
        "property int label",
        "property float nx",
    ]
    layout = [("x", "<f8"), ("red", "<u2"), ("user_data", "u1"), ("label", "<i4"), ("nx", "<f4")]
    table = np.frombuffer(body, layout)
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(table[name], values)


def test_the_text_holds_every_digit():
    head, _, body = write_ply(COLUMNS, ascii_text=True).partition(b"end_header\n")
    assert b"format ascii 1.0" in head
    assert body == b"0.1 65535 9 -7 0.5\n-2.5 1 255 3 0.25\n"


def test_the_mesh_has_one_face():
    assert write_triangle().splitlines()[-1] == b"3 0 1 2"
