import json

import pytest

from cupixgeo import errors
from cupixgeo.services.job_values import JobRequest
from cupixgeo.services.nodeodm.parameters import NodeOption, choose
from cupixgeo.services.nodeodm.request import attachments_of, offer, read_request

OPTIONS = (
    NodeOption("dsm", "bool", False, "", "surface model"),
    NodeOption("dtm", "bool", False, "", "terrain model"),
    NodeOption("skip-3dmodel", "bool", False, "", "no model"),
    NodeOption("skip-orthophoto", "bool", False, "", "no orthophoto"),
    NodeOption("skip-report", "bool", False, "", "no report"),
    NodeOption("orthophoto-resolution", "float", 5.0, "float > 0.0", "cm/pixel"),
    NodeOption("mesh-octree-depth", "int", 11, "integer: 1 <= x <= 14", "depth"),
    NodeOption("mesh-size", "int", 200000, "positive integer", "vertices"),
    NodeOption("gps-z-offset", "float", 0.0, "float", "metres"),
    NodeOption("pc-quality", "enum", "medium", ("high", "medium", "low"), "quality"),
    NodeOption("primary-band", "string", "auto", "string", "band"),
    NodeOption("odd", "int", 1, "something new", "a range nobody knows"),
)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"orthophoto_resolution": 2}, {"orthophoto-resolution": 2}),
        ({"orthophoto-resolution": 2.5}, {"orthophoto-resolution": 2.5}),
        ({"mesh_octree_depth": 14}, {"mesh-octree-depth": 14}),
        ({"mesh_size": 0}, {"mesh-size": 0}),
        ({"mesh_size": 3000.0}, {"mesh-size": 3000}),
        ({"gps_z_offset": -12.5}, {"gps-z-offset": -12.5}),
        ({"pc_quality": "low"}, {"pc-quality": "low"}),
        ({"dsm": True}, {"dsm": True}),
        ({"primary_band": "red"}, {"primary-band": "red"}),
        ({"odd": 7}, {"odd": 7}),
        ({}, {}),
    ],
)
def test_good_values_are_sent_under_the_nodes_names(asked, sent):
    assert choose(OPTIONS, asked) == sent


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"orthophoto_resolution": 0}, r"orthophoto_resolution=0 .*float > 0\.0.*5\.0 where"),
        ({"orthophoto_resolution": "fine"}, "a number"),
        ({"orthophoto_resolution": True}, "a number"),
        ({"orthophoto_resolution": float("nan")}, "a number"),
        ({"mesh_octree_depth": 15}, "1 <= x <= 14"),
        ({"mesh_octree_depth": 2.5}, "a whole number"),
        ({"mesh_size": -1}, "positive integer"),
        ({"pc_quality": "best"}, "one of .high, medium, low"),
        ({"dsm": "yes"}, "True or False"),
        ({"primary_band": 3}, "a text"),
    ],
)
def test_bad_values_are_refused_with_range_and_default(asked, said):
    with pytest.raises(errors.ArgumentError, match=said):
        choose(OPTIONS, asked)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(errors.ArgumentError, match=r"'ortophoto_resolution'.*orthophoto_reso"):
        choose(OPTIONS, {"ortophoto_resolution": 2})
    with pytest.raises(errors.ArgumentError, match=r"without a word\. account\.options"):
        choose(OPTIONS, {"xyz": 2})


@pytest.mark.parametrize(
    ("products", "sent"),
    [
        ((), {}),
        (("pointcloud", "mesh", "orthophoto", "report"), {}),
        (("dsm", "mesh", "orthophoto", "report"), {"dsm": True}),
        (
            ("pointcloud",),
            {"skip-3dmodel": True, "skip-orthophoto": True, "skip-report": True},
        ),
        (
            ("dsm", "dtm"),
            {
                "dsm": True,
                "dtm": True,
                "skip-3dmodel": True,
                "skip-orthophoto": True,
                "skip-report": True,
            },
        ),
    ],
)
def test_products_become_switches(products, sent):
    assert choose(OPTIONS, {}, products) == sent


def test_products_and_options_may_not_contradict_each_other():
    assert choose(OPTIONS, {"dsm": True}, ["dsm", "mesh", "orthophoto", "report"]) == {"dsm": True}
    with pytest.raises(errors.ArgumentError, match="dsm=False contradicts"):
        choose(OPTIONS, {"dsm": False}, ["dsm"])


def test_a_product_the_engine_has_no_option_for_is_refused():
    with pytest.raises(errors.ArgumentError, match="does not make 'dsm'"):
        choose(OPTIONS[5:], {}, ["dsm"])
    assert choose(OPTIONS[5:], {}, ["pointcloud"]) == {}


def request(**parameters):
    return JobRequest("Pier 4", parameters.pop("crs", None), (), parameters)


def test_a_crs_is_refused_because_the_node_chooses_it():
    with pytest.raises(errors.ArgumentError, match="to_crs"):
        read_request(request(crs=32650), OPTIONS)


def test_files_beside_the_photos_get_the_names_the_node_looks_for(tmp_path):
    for name in ("control.csv", "geo.csv", "groups.csv", "old.LAZ"):
        (tmp_path / name).write_text("x")
    read = read_request(
        request(
            gcp=tmp_path / "control.csv",
            geo=str(tmp_path / "geo.csv"),
            image_groups=tmp_path / "groups.csv",
            align=tmp_path / "old.LAZ",
        ),
        OPTIONS,
    )
    named = {a.role: (a.name, a.path.name) for a in attachments_of(read)}
    assert named == {
        "gcp": ("gcp_list.txt", "control.csv"),
        "geo": ("geo.txt", "geo.csv"),
        "image_groups": ("image_groups.txt", "groups.csv"),
        "align": ("align.laz", "old.LAZ"),
    }


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"gcp": "no/such/file.txt"}, "gcp='no/such/file.txt' is no file"),
        ({"gcp": 7}, "gcp=7 is no file"),
        ({"align": __file__}, "no LAS, LAZ or TIF"),
        ({"skip_post_processing": "yes"}, "not True or False"),
        ({"webhook": "https://a.example/hook?key=planted"}, "nothing secret"),
        ({"webhook": "https://me:planted@a.example/hook"}, "nothing secret"),
        ({"webhook": 7}, "nothing secret"),
        ({"outputs": "odm_dem"}, "no list of paths"),
        ({"outputs": [1]}, "no list of paths"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters, said):
    with pytest.raises(errors.ArgumentError, match=said) as caught:
        read_request(request(**parameters), OPTIONS)
    assert "planted" not in str(caught.value)


def test_a_request_is_json_with_all_that_later_calls_need():
    read = read_request(request(webhook="https://a.example/hook", outputs=["odm_dem"]), OPTIONS)
    assert read == {
        "files": {},
        "skip_post_processing": False,
        "webhook": "https://a.example/hook",
        "outputs": ["odm_dem"],
        "options": {},
    }


RING = [[-91.995, 46.842], [-91.994, 46.842], [-91.994, 46.843], [-91.995, 46.842]]
BOUNDED = (*OPTIONS, NodeOption("boundary", "string", "", "json", "polygon"))


def test_a_boundary_is_written_as_the_engine_reads_it():
    area = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]}}
    (feature,) = json.loads(read_request(request(boundary=area), BOUNDED)["options"]["boundary"])[
        "features"
    ]
    assert feature["geometry"]["type"] == "Polygon"
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert {tuple(corner) for corner in ring} == {tuple(corner) for corner in RING}


@pytest.mark.parametrize(
    "area",
    [
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]},
        {"type": "MultiPolygon", "coordinates": [[RING], [RING]]},
    ],
)
def test_a_boundary_that_is_not_one_polygon_is_refused(area):
    with pytest.raises(errors.ArgumentError, match="boundary="):
        read_request(request(boundary=area), BOUNDED)


def test_what_is_offered_are_the_nodes_options_in_typed_form():
    shown = {a.name: a for a in offer(BOUNDED, ("pointcloud", "dsm")).arguments}
    assert shown["dsm"].default is True
    assert shown["skip_orthophoto"].default is True
    assert (shown["mesh_octree_depth"].low, shown["mesh_octree_depth"].high) == (1, 14)
    assert shown["pc_quality"].choices == ("high", "medium", "low")
    assert "boundary" not in shown
    assert offer(BOUNDED, ()).area == "boundary"
    assert offer(OPTIONS, ()).area == ""
