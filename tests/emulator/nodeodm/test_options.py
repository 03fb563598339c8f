import json

import pytest

from cupixgeo.emulator.nodeodm.options import OptionsError, checked, listed


def sent(**values):
    return json.dumps([{"name": k.replace("_", "-"), "value": v} for k, v in values.items()])


def test_every_option_has_its_five_fields_and_a_default_that_is_text(node):
    options = node.get("/options")
    assert len({option["name"] for option in options}) == len(options) > 70
    for option in options:
        assert set(option) == {"name", "type", "value", "domain", "help"}
        assert option["type"] in ("int", "float", "string", "bool", "enum")
        assert isinstance(option["value"], str)
        assert isinstance(option["domain"], list) == (option["type"] == "enum")
    assert [o["name"] for o in options] == sorted(o["name"] for o in options)


def test_every_default_would_be_taken_if_it_were_sent():
    for option in listed(fills_help=False):
        if option["domain"] == "json":
            continue  # the default is no JSON: it stands for nothing
        text = json.dumps([{"name": option["name"], "value": option["value"]}])
        assert [o["name"] for o in checked(text, max_concurrency=None)] == [option["name"]]


def test_help_is_filled_in_before_2_1_2_only(node):
    (quality,) = [o for o in node.get("/options") if o["name"] == "pc-quality"]
    assert quality["help"].endswith("%(choices)s. Default: %(default)s")
    node.at.settings.version = "2.1.1"
    (quality,) = [o for o in node.get("/options") if o["name"] == "pc-quality"]
    assert quality["help"].endswith("ultra, high, medium, low, lowest. Default: medium")


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("dsm", True, True),
        ("dsm", "true", True),
        ("dsm", "0", False),
        ("orthophoto-resolution", "2.5 cm", 2.5),
        ("orthophoto-resolution", 2, 2.0),
        ("mesh-size", "3000.7", 3000),
        ("mesh-octree-depth", 14, 14),
        ("pc-quality", "low", "low"),
        ("boundary", '{"type":"Polygon"}', '{"type":"Polygon"}'),
        ("primary-band", "red", "red"),
        ("gps-z-offset", -3, -3.0),
    ],
)
def test_good_values_are_converted(name, value, becomes):
    text = json.dumps([{"name": name, "value": value}])
    assert checked(text, max_concurrency=None) == [{"name": name, "value": becomes}]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("dsm", "yes", "Cannot convert yes to boolean"),
        ("dsm", 1, "Cannot convert 1 to boolean"),
        ("orthophoto-resolution", 0, "Invalid value 0.0 (out of range)"),
        ("orthophoto-resolution", "fine", "Invalid value NaN (out of range)"),
        ("mesh-octree-depth", 15, "Invalid value 15 (out of range)"),
        ("mesh-octree-depth", 0, "Invalid value 0 (out of range)"),
        ("crop", -1, "Invalid value -1.0 (out of range)"),
        ("pc-quality", "best", "Invalid value best (not in enum)"),
        ("boundary", "{", "Invalid value { (out of range)"),
        ("min-num-features", "many", "Invalid value NaN (out of range)"),
    ],
)
def test_bad_values_are_refused_by_name(node, name, value, error):
    answer = node.init(options=json.dumps([{"name": name, "value": value}]))
    assert json.loads(answer["error"]) == [{"name": name, "error": error}]
    assert node.at.pending == {}


def test_unknown_options_are_dropped_without_a_word(node):
    uuid = node.task(options=[{"name": "no-such", "value": 1}, {"name": "dtm", "value": True}])
    names = [option["name"] for option in node.info(uuid)["options"]]
    assert names == ["dtm", "pc-ept", "cog"]


def test_what_is_no_json_is_refused_and_what_is_no_list_is_none(node):
    assert "JSON" in node.init(options="{{")["error"]
    assert checked('{"name": "dsm"}', max_concurrency=None) == []
    assert checked(None, max_concurrency=None) == []


def test_a_node_caps_the_concurrency_and_sets_it_where_nothing_was_said():
    name = "max-concurrency"
    assert checked(sent(max_concurrency=16), max_concurrency=4) == [{"name": name, "value": 4}]
    assert checked(sent(max_concurrency=2), max_concurrency=4) == [{"name": name, "value": 2}]
    assert checked("[]", max_concurrency=4) == [{"name": name, "value": 4}]


def test_the_first_of_two_values_counts_and_several_errors_come_together():
    twice = json.dumps([{"name": "dsm", "value": True}, {"name": "dsm", "value": False}])
    assert checked(twice, max_concurrency=None) == [{"name": "dsm", "value": True}]
    with pytest.raises(OptionsError) as caught:
        checked(sent(dsm="maybe", crop=-1), max_concurrency=None)
    assert [entry["name"] for entry in json.loads(str(caught.value))] == ["crop", "dsm"]
