import numpy as np

from cupixgeo.emulator.frames import rotation
from cupixgeo.emulator.splats import PROPERTIES, SH_C0, Splats, splats_of, write_splat_ply


def cloud(seed=1, count=4000):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, (8, 8, 0.2), (count, 3)), rng.uniform(0, 1, (count, 3))


def test_a_splat_is_mean_spread_and_colour_of_its_cube():
    rng = np.random.default_rng(3)
    turn = rotation(yaw_deg=30, pitch_deg=20)
    xyz = rng.normal(0, (0.01, 0.05, 0.2), (20_000, 3)) @ turn.T
    rgb = rng.uniform(0.2, 0.4, (20_000, 3))
    one = splats_of(xyz, rgb, cell_m=100.0)
    assert len(one) == 1
    np.testing.assert_allclose(one.centres[0], xyz.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(one.rgb[0], rgb.mean(axis=0), atol=1e-12)
    longest = one.axes[0, :, 2] @ turn
    np.testing.assert_allclose(np.abs(longest), [0, 0, 1], atol=0.02)
    wide = splats_of(xyz, rgb, cell_m=0.4)
    assert len(wide) > 4
    assert wide.sigmas.min() >= 0.4 / 40


def test_quaternions_turn_as_their_matrices_do():
    splats = splats_of(*cloud(), cell_m=1.0)
    w, x, y, z = splats.quaternions.T
    assert w.min() >= 0
    turns = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    np.testing.assert_allclose(turns.transpose(2, 0, 1), splats.axes, atol=1e-12)


def test_moving_splats_moves_their_covariances():
    splats = splats_of(*cloud(), cell_m=1.0)
    matrix = np.eye(4)
    matrix[:3, :3] = 0.25 * rotation(yaw_deg=70, roll_deg=-15)
    matrix[:3, 3] = 5, -6, 7

    def covariances(s: Splats):
        return np.einsum("nij,nj,nkj->nik", s.axes, s.sigmas**2, s.axes)

    moved = splats.moved(matrix)
    expected = matrix[:3, :3] @ covariances(splats) @ matrix[:3, :3].T
    np.testing.assert_allclose(covariances(moved), expected, atol=1e-12)
    np.testing.assert_allclose(moved.centres, splats.centres @ matrix[:3, :3].T + [5, -6, 7])


def test_the_file_has_the_reference_writer_s_properties():
    splats = splats_of(*cloud(), cell_m=1.0)
    content = write_splat_ply(splats, ["by a test"])
    head, _, body = content.partition(b"end_header\n")
    lines = head.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment by a test" in lines
    assert [line.split()[-1] for line in lines if line.startswith("property")] == list(PROPERTIES)
    assert len(body) == 68 * len(splats)
    table = np.frombuffer(body, "<f4").reshape(len(splats), 17)
    np.testing.assert_allclose(0.5 + SH_C0 * table[:, 6:9], splats.rgb, atol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-table[:, 9])), splats.alpha, atol=1e-6)
    np.testing.assert_allclose(np.exp(table[:, 10:13]), splats.sigmas, rtol=1e-5)
