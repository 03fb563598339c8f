import numpy as np
import pytest

from cupixgeo.errors import CupixGeoWarning, ResponseError
from cupixgeo.net.secret import Secret
from cupixgeo.services.teleport.metadata import read_cameras, read_v1, read_v2

LINK = "https://cdn.example/model.ply?Signature=planted"
POSE = np.array([[0.0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])
QUATERNION = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]


def hamilton(a, b):
    """Product of two quaternions x, y, z, w (Hamilton 1843)."""
    va, vb = np.array(a[:3]), np.array(b[:3])
    vector = a[3] * vb + b[3] * va + np.cross(va, vb)
    return np.array([*vector, a[3] * b[3] - va @ vb])


def v1(**changes):
    return {
        "eid": "abc", "sid": "0" * 32, "name": "pier.zip", "segmented_capture_eid": None,
        "profile_name": "ply", "lod": False, "model_urls": [LINK], "cameras": [],
        "models": [{"url": LINK, "size": 5, "id": None, "aabb": None, "resolution_range": None,
                    "parent": None}], **changes,
    }  # fmt: skip


def model(id, parent=None):
    box = {"min": [0, 0, 0], "max": [1, 2, 3]}
    return {
        "url": LINK, "size": 5, "id": id, "aabb": box, "resolution_range": [0, 10],
        "parent": parent,
    }  # fmt: skip


def test_links_are_secrets_wherever_they_are():
    metadata = read_v1(v1(preview={"deep": [LINK]}))
    assert metadata.models[0].url == Secret(LINK)
    assert "planted" not in repr(metadata) + repr(metadata.models) + repr(metadata.extra)


def test_what_nobody_documents_is_kept():
    assert read_v1(v1(nominal_ev=2, novelty=[1])).extra == {
        "segmented_capture_eid": None, "nominal_ev": 2, "novelty": [1],
    }  # fmt: skip


def test_the_finest_whole_of_a_tree_are_its_leaves():
    tree = [model("0"), model("1", "0"), model("2", "0"), model("3", "1"), model("4", "1")]
    metadata = read_v1(v1(models=tree, lod=True))
    assert metadata.is_lod
    assert [found.id for found in metadata.leaves] == ["2", "3", "4"]
    assert metadata.leaves[0].box == ((0, 0, 0), (1, 2, 3))
    assert metadata.leaves[0].resolution_range == (0, 10)


def test_models_without_ids_are_leaves_and_numbers_may_be_ids():
    assert len(read_v1(v1()).leaves) == 1
    metadata = read_v1(v1(models=[model(1), model(2, 1)]))
    assert [found.id for found in metadata.leaves] == ["2"]


def test_the_deprecated_list_of_links_is_taken_where_there_is_nothing_else():
    metadata = read_v1(v1(models=[], model_urls=[LINK, f"{LINK}2"]))
    assert [found.url.reveal() for found in metadata.models] == [LINK, f"{LINK}2"]


@pytest.mark.parametrize(
    "numbers",
    [
        POSE.ravel().tolist(),
        POSE.T.ravel().tolist(),
        POSE[:3].ravel().tolist(),
        [5, 6, 7, *QUATERNION],
    ],
    ids=["rows", "columns", "three rows", "quaternion"],
)
def test_a_camera_is_read_in_each_form_that_is_thought_of(numbers):
    (camera,) = read_v1(v1(cameras=[{"matrix": numbers}])).cameras
    np.testing.assert_allclose(camera.matrix, POSE, atol=1e-12)
    np.testing.assert_allclose(camera.position, [5, 6, 7])
    assert camera.numbers == tuple(numbers)


def test_the_order_of_a_quaternion_can_be_chosen():
    numbers = [5, 6, 7, QUATERNION[3], *QUATERNION[:3]]
    (camera,) = read_v1(v1(cameras=[{"matrix": numbers}]), quat_order="wxyz").cameras
    np.testing.assert_allclose(camera.matrix, POSE, atol=1e-12)


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], list(range(16)), [5, 6, 7, 0, 0, 0, 0]])
def test_a_camera_in_another_form_is_kept_raw_with_a_warning(numbers):
    with pytest.warns(CupixGeoWarning, match=rf"1 of 2 cameras .* {len(numbers)} numbers"):
        metadata = read_v1(v1(cameras=[{"matrix": POSE.ravel().tolist()}, {"matrix": numbers}]))
    good, raw = metadata.cameras
    assert good.matrix is not None
    assert (raw.numbers, raw.position, raw.matrix) == (tuple(numbers), None, None)


def test_the_trajectory_is_read_like_cameras():
    video = {"fps": 24, "keyframes": [{"matrix": POSE.ravel().tolist()}]}
    metadata = read_v1(v1(video_trajectory=video))
    assert metadata.trajectory_fps == 24
    np.testing.assert_allclose(metadata.trajectory[0].matrix, POSE)
    assert read_v1(v1(video_trajectory=None)).trajectory == ()


def test_a_correction_turns_and_scales():
    q = np.array([0.5, -0.5, 0.1, 0.7])
    names = ("rotation_x", "rotation_y", "rotation_z", "rotation_w", "scale")
    data = dict(zip(names, (*q, 2.0), strict=True))
    correction = read_v1(v1(reposition_data=data)).reposition
    point, back = np.array([1.0, 2.0, 3.0, 0.0]), q * [-1, -1, -1, 1]
    turned = hamilton(hamilton(q, point), back)[:3] / (q @ q)
    np.testing.assert_allclose(correction.matrix[:3, :3] @ point[:3], 2.0 * turned, atol=1e-12)
    np.testing.assert_array_equal(correction.matrix[:, 3], [0, 0, 0, 1])
    assert read_v1(v1()).reposition is None
    assert read_v1(v1(reposition_data={"scale": 2})).reposition is None


@pytest.mark.parametrize(
    "answer", [None, [], "x", v1(models={"ply": {"url": LINK}}), v1(models=[{"size": 5}]),
               v1(models=["x"])],
)  # fmt: skip
def test_metadata_of_another_shape_is_refused_without_showing_links(answer):
    with pytest.raises(ResponseError) as caught:
        read_v1(answer)
    assert "planted" not in str(caught.value)


def test_the_second_version_names_one_model_and_keeps_the_rest():
    answer = {
        "sid": "0" * 32, "name": "a", "content_profile": "ply", "coord_system": "colmap",
        "model_url": LINK, "cameras_url": None, "gps_transformation": {"matrix": [1]},
    }  # fmt: skip
    metadata = read_v2(answer)
    assert metadata.model_url == Secret(LINK)
    assert metadata.cameras_url is None
    assert metadata.coord_system == "colmap"
    assert metadata.extra == {"gps_transformation": {"matrix": [1]}}
    with pytest.raises(ResponseError):
        read_v2([])


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"cameras": rows}])
def test_the_list_of_cameras_comes_bare_or_in_an_object(wrap):
    rows = [
        {"image_name": "a.jpg", "position": [1, 2, 3]},
        {"filename": "b.jpg", "camera_center": [4, 5, 6]},
        {"image_name": "c.jpg"},
    ]
    cameras = read_cameras(wrap(rows))
    assert [camera.image_name for camera in cameras] == ["a.jpg", "b.jpg", "c.jpg"]
    np.testing.assert_array_equal(cameras[1].position, [4, 5, 6])
    assert cameras[2].position is None
    with pytest.raises(ResponseError):
        read_cameras({"poses": []})
