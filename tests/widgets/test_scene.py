"""The scene without a browser: what it tells the front end, answers, says and repeats."""

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import PIL.Image
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.cloud.spatial_ref import with_crs
from cupixgeo.errors import ArgumentError
from cupixgeo.widgets.points import STEPS
from cupixgeo.widgets.scene import Scene
from tests.formats.ranged import serve
from tests.net.conftest import Server
from tests.widgets.bigcopc import write_town
from tests.widgets.surveys import on_screen, survey, xyz_of

COPC = "data/copc/brighton_beach.copc.laz"


@pytest.fixture
def show():
    """Make a scene that is closed again, with a list of what it sends to the browser."""
    scenes = []

    def show(*args, **keywords):
        scene = Scene(*args, **keywords)
        scene.sent = []
        scene.widget.send = lambda message, buffers=(): scene.sent.append((message, buffers))
        scenes.append(scene)
        return scene

    yield show
    for scene in scenes:
        scene.close()


def ask(scene, **message):
    """Hand a message over as the browser would, and wait until it is answered."""
    scene.widget._handle_custom_msg(message, [])
    scene._server._threads.shutdown()
    scene._server._threads = ThreadPoolExecutor(1)


def first_node(scene, cloud="cloud"):
    channel = scene.widget.paint["channel"]
    ask(scene, kind="want", cloud=cloud, node=0, bits=True, channel=channel)
    return scene.sent[-1]


def coordinates(scene, message, buffer):
    words = np.frombuffer(buffer, "<u8")
    steps = np.stack([words >> np.uint64(s) & np.uint64(STEPS) for s in (0, 21, 42)], axis=1)
    metres = np.array(message["low"]) + steps.astype(float) * np.array(message["step"])
    return metres + np.array(scene.widget.frame["origin"])


def test_a_node_carries_coordinates_within_the_stated_precision_and_its_colours(show):
    dataset = survey(400)
    scene = show(dataset)
    message, (bits, values) = first_node(scene)
    apart = np.abs(coordinates(scene, message, bits)[:, None] - xyz_of(dataset)).max(axis=2)
    assert apart.min(axis=1).max() <= scene.precision_m + 2e-9
    assert scene.precision_m < 5e-5
    source = apart.argmin(axis=1)
    np.testing.assert_array_equal(np.sort(source), np.arange(400))
    stored = np.stack([dataset[b].to_numpy() >> 8 for b in ("red", "green", "blue")], axis=1)
    np.testing.assert_array_equal(np.frombuffer(values, np.uint8).reshape(-1, 3), stored[source])


def test_another_colour_sends_values_alone(show):
    scene = show(survey(500))
    scene.color = "quality"
    channel = scene.widget.paint["channel"]
    ask(scene, kind="want", cloud="cloud", node=0, bits=False, channel=channel)
    message, buffers = scene.sent[-1]
    assert message["channel"] == channel
    assert [len(b) for b in buffers] == [2 * 500]
    ask(scene, kind="want", cloud="cloud", node=0, bits=False, channel="something older")
    assert scene.sent[-1] == ({"kind": "node", "cloud": "cloud", "node": 0}, [])


def test_a_cloud_without_the_variable_is_told_without_values(show):
    plain = survey(200, seed=4).drop_vars("quality")
    scene = show({"a": survey(100), "b": plain}, color="quality")
    _, buffers = first_node(scene, "a")
    assert len(buffers) == 2
    message, buffers = first_node(scene, "b")
    assert len(buffers) == 1
    assert message["channel"] == scene.widget.paint["channel"]


def test_a_pick_is_the_stored_point_with_its_place_on_the_globe(show):
    dataset = survey(3_000)
    scene = show(dataset)
    message, (bits, _) = first_node(scene)
    ask(scene, kind="pick", cloud="cloud", node=0, index=123)
    picked = scene.picked
    row = np.flatnonzero((xyz_of(dataset) == picked.xyz).all(axis=1))
    assert len(row) == 1
    assert picked.values["intensity"] == dataset["intensity"].to_numpy()[row[0]]
    np.testing.assert_allclose(picked.xyz, coordinates(scene, message, bits)[123], atol=1e-4)
    lon, lat = pyproj.Transformer.from_crs(32615, 4326, always_xy=True).transform(*picked.xyz[:2])
    assert (picked.lon_deg, picked.lat_deg) == pytest.approx((lon, lat), abs=1e-11)
    shown = dict(scene.widget.picked["lines"])
    assert shown["Easting [m]"] == f"{picked.x:,.3f}"
    assert shown["WGS 84"] == f"{lat:.7f}° N, {-lon:.7f}° W"


def test_two_picks_measure_a_distance_in_metres_in_feet_too(show):
    dataset = with_crs(survey(400), 26849)  # Minnesota North, US survey feet
    scene = show(dataset)
    scene.widget.mode = "measure"
    for index in (3, 77):
        ask(scene, kind="pick", cloud="cloud", node=0, index=index)
    measured = scene.measured
    apart = np.array(measured.end.xyz) - np.array(measured.start.xyz)
    foot = 1200 / 3937
    assert measured.horizontal_m == pytest.approx(np.hypot(*apart[:2]) * foot)
    assert measured.total_m**2 == pytest.approx(measured.horizontal_m**2 + measured.vertical_m**2)
    assert np.sign(measured.vertical_m) == np.sign(apart[2])
    assert dict(scene.widget.measured["lines"])["Distance"] == f"{measured.total_m:,.3f} m"
    ask(scene, kind="clear")
    assert scene.measured is None
    assert scene.picked is None


def test_the_clipping_box_is_read_back_in_the_crs(show):
    scene = show(survey(2_000))
    scene.clip_bounds = (576_620, 5_188_010, 576_660, 5_188_050)
    low, high = scene.clip_bounds
    np.testing.assert_allclose(low[:2], (576_620, 5_188_010), atol=1e-6)
    np.testing.assert_allclose(high[:2], (576_660, 5_188_050), atol=1e-6)
    origin = np.array(scene.widget.frame["origin"])
    scene.widget.clip = [*(low - origin), *(high - origin - (0, 10, 0))]
    assert scene.clip_bounds[1][1] == pytest.approx(5_188_040)
    scene.clip_bounds = None
    assert scene.widget.clip == []
    with pytest.raises(ArgumentError, match="polygon"):
        scene.clip_bounds = [(576_620, 5_188_010), (576_660, 5_188_010), (576_660, 5_188_050)]


def test_code_makes_the_same_scene_again(show, monkeypatch):
    site = survey(1_000)
    scene = show({"site": site, "again": survey(500, seed=2)}, color="cloud", point_size=3.5)
    scene.shading = False
    scene.shown = ("site",)
    scene.clip_bounds = (576_620, 5_188_010, 576_660, 5_188_050)
    scene.viewpoint = {"target": (576_650, 5_188_050, 165), "distance_m": 80, "azimuth_deg": 200}
    names = {"site": site, "again": survey(500, seed=2)}
    exec(scene.code(), names)
    again = names["scene"]
    try:
        assert again.code() == scene.code()
        assert (again.color, again.point_size, again.shading) == ("cloud", 3.5, False)
        assert again.shown == ("site",)
        np.testing.assert_allclose(again.clip_bounds, scene.clip_bounds, atol=1e-3)
        assert again.viewpoint == scene.viewpoint
        assert scene.viewpoint["elevation_deg"] == 38.0
    finally:
        again.close()


def test_code_names_paths_and_follows_what_is_clicked(show):
    scene = show(COPC)
    assert f'cx.widgets.Scene("{COPC}", color="rgb")' in scene.code()
    scene.widget.color = "height"
    assert 'color="height"' in scene.code()
    assert scene.color == "height"


def test_unknown_words_name_the_nearest_known_one(show):
    with pytest.raises(ArgumentError, match=r"no keyword 'colour'.*Did you mean 'color'"):
        Scene(survey(10), colour="rgb")
    with pytest.raises(ArgumentError, match=r"'intensty' is not known\. Did you mean 'intensity'"):
        show(survey(10), color="intensty")
    scene = show(survey(10))
    with pytest.raises(ArgumentError, match="Did you mean 'quality'"):
        scene.color = "qualty"
    with pytest.raises(ArgumentError, match=r"cloud 'claud' is not known\. Did you mean 'cloud'"):
        scene.shown = ("claud",)
    with pytest.raises(ArgumentError, match="not a viewpoint"):
        scene.viewpoint = {"azimuth_deg": 4}
    with pytest.raises(ArgumentError, match="which a scene cannot show"):
        Scene({"numbers": np.zeros((3, 3))})


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        (lambda: survey(9).isel(point=slice(0, 0)), "cloud holds no points"),
        (lambda: survey(9).assign_coords(z=survey(9).z * np.nan), "none of its 9 points"),
        (lambda: survey(9).cloud.to_crs(4326), r"degrees are not metres.*\.cloud\.to_crs\(32615\)"),
        (lambda: "nowhere.laz", "no file nowhere.laz"),
        (lambda: "pyproject.toml", "not a point cloud this toolkit reads"),
        (lambda: survey(9).rename(x="e"), "not a point cloud: x must be"),
    ],
)
def test_what_is_wrong_with_a_cloud_is_said_in_the_widget(show, cloud, words):
    scene = show(cloud())
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(scene.message)
    assert 'role="alert"' in scene._message.value
    assert scene.widget.clouds == []
    assert scene.figure() is None


def test_one_bad_cloud_does_not_hide_the_others(show):
    elsewhere = with_crs(survey(50), 32650)
    scene = show({"good": survey(100), "gone": "nowhere.laz", "elsewhere": elsewhere})
    assert scene.shown == ("good",)
    assert "nowhere.laz" in scene.message
    assert "elsewhere is in EPSG:32650" in scene.message
    assert "to_crs(32615)" in scene.message
    scene.remove("gone")
    assert "nowhere.laz" not in scene.message


def test_a_node_that_cannot_be_read_is_said_and_given_up(show, tmp_path):
    town = write_town(tmp_path / "town.copc.laz", deepest=3)
    path, last = town.path, town.nodes - 1
    scene = show(path)
    path.write_bytes(path.read_bytes()[:900_000])
    ask(scene, kind="want", cloud=path.name, node=last, bits=True, channel="")
    assert {"kind": "lost", "cloud": path.name, "node": last} in [m for m, _ in scene.sent]
    assert path.name in scene.message


def test_clouds_come_and_go(show):
    scene = show()
    assert scene.summary() == "3-D scene without a cloud"
    assert scene.crs is None
    scene.add("before", survey(100))
    scene.add("after", survey(120, seed=1))
    assert scene.shown == ("before", "after")
    assert [c["total"] for c in scene.widget.clouds] == [100, 120]
    scene.add("after", survey(130, seed=1))
    assert [c["total"] for c in scene.widget.clouds] == [100, 130]
    scene.remove("before")
    assert scene.shown == ("after",)
    assert scene.crs.to_epsg() == 32615


def test_a_local_frame_is_shown_and_has_no_place_on_the_globe(show):
    scene = show(with_crs(survey(60), "cupix:pointcloud/5310"))
    assert scene.message == ""
    ask(scene, kind="pick", cloud="cloud", node=0, index=1)
    assert scene.picked.lon_deg is None
    assert "local frame" in dict(scene.widget.picked["lines"])["WGS 84"]


def test_a_copc_file_is_streamed_and_its_nodes_are_told(show):
    scene = show(COPC)
    cloud = scene.widget.clouds[0]
    assert (cloud["kind"], cloud["total"]) == ("octree", 15_674)
    ask(scene, kind="table", cloud=cloud["id"])
    message, (table,) = scene.sent[-1]
    assert message["kind"] == "table"
    nodes = np.frombuffer(table, "<i4").reshape(-1, 5)
    assert nodes[:, 4].sum() == 15_674
    core, box = np.array(cloud["core"]), np.array(cloud["box"])
    assert (core[0] >= box[0]).all()
    assert (core[1] <= box[1]).all()


def test_a_copc_file_at_an_address_is_read_in_parts(show, tmp_path):
    town = write_town(tmp_path / "town.copc.laz", deepest=4)
    with closing(Server()) as server:
        url, file = serve(server, town.path)
        scene = show(url)
        assert scene.message == ""
        assert scene.widget.clouds[0]["total"] == town.points
        first = file.served
        ask(scene, kind="want", cloud="cloud.copc.laz", node=200, bits=True, channel="")
        assert scene.sent[-1][0]["kind"] == "node"
        assert first < 0.2 * len(file.data)
        assert file.served - first < 0.05 * len(file.data)


@pytest.mark.parametrize("color", ["rgb", "height", "classification", "cloud", "quality"])
def test_the_still_picture_shows_what_the_scene_shows(show, color):
    scene = show(survey(60_000), color=color)
    picture = np.asarray(PIL.Image.open(io.BytesIO(scene.figure())).convert("RGBA"))
    covered = picture[..., 3] > 0
    assert 0.2 < covered.mean() < 0.9
    assert len(np.unique(picture[covered][:, :3], axis=0)) > (20 if color != "cloud" else 5)
    bundle = scene._repr_mimebundle_()
    assert {"image/png", "text/html", "text/plain"} <= set(bundle)
    assert "60,000 points" in bundle["text/plain"]
    assert "EPSG:32615" in bundle["text/plain"]


def test_the_still_picture_is_taken_from_the_viewpoint(show):
    """A green ball over the meadow is where a pinhole camera sees it, before what is behind it."""
    dataset = survey(40_000)
    ball = np.array([576_640.0, 5_188_030.0, 180.0])
    rng = np.random.default_rng(3)
    for axis, value in zip("xyz", ball, strict=True):
        dataset[axis][:3_000] = value + rng.uniform(-1.5, 1.5, 3_000)
    for band, value in {"red": 0, "green": 65_535, "blue": 0}.items():
        dataset[band][:3_000] = value
    scene = show(dataset)
    viewpoint = {
        "target": (576_650.0, 5_188_050.0, 162.0),
        "distance_m": 110.0,
        "azimuth_deg": 340.0,
        "elevation_deg": 30.0,
    }
    scene.viewpoint = viewpoint
    picture = np.asarray(PIL.Image.open(io.BytesIO(scene.figure())).convert("RGBA")).astype(int)
    rows, columns = picture.shape[:2]
    (x, y), _ = on_screen(ball, viewpoint, columns, rows)
    green = (picture[..., 1] > 120) & (picture[..., 0] < 60) & (picture[..., 2] < 60)
    found = np.argwhere(green)
    assert len(found) > 30
    np.testing.assert_allclose(found.mean(axis=0), (y, x), atol=2)


def test_it_is_reachable_from_the_package():
    assert cx.widgets.Scene is Scene
