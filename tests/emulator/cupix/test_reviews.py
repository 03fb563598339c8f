"""A SiteView shows the objects of its facility, narrowed by record, date, level and area."""

import pytest


def count(api, ids, name, **params):
    return len(api.rows(f"/reviews/{ids.review_key}/{name}", fields="id", **params))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("records", 1),
        ("levels", 1),
        ("captures", 2),
        ("panos", 18),
        ("pointclouds", 9),
        ("meshes", 0),
    ],
)
def test_it_shows_its_facility_and_nothing_else(api, ids, name, expected):
    assert count(api, ids, name) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"record_ids": "602"}, 9),
        ({"record_ids": "640"}, 0),
        ({"area_ids": "811"}, 5),
        ({"area_ids": "811,812"}, 9),
        ({"level_ids": "41"}, 9),
        ({"level_ids": "42"}, 0),
        ({"from_at": "2016-06-01T00:00:00.000Z", "to_at": "2016-07-01T00:00:00.000Z"}, 9),
        ({"from_at": "2017-06-01T00:00:00.000Z", "to_at": "2017-07-01T00:00:00.000Z"}, 0),
    ],
)
def test_it_can_be_narrowed(api, ids, params, expected):
    assert count(api, ids, "pointclouds", **params) == expected


def test_its_records_tell_where_the_poses_are(emu, api, ids):
    fields = "id,captured_at,geo_coordinate_url"
    (record,) = api.rows(f"/reviews/{ids.review_key}/records", fields=fields)
    assert record["captured_at"] == "2016-06-23T16:31:59.000Z"
    assert record["geo_coordinate_url"].startswith(emu.storage_url)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"record_ids": "602", "from_at": "a", "to_at": "b"}, "not together"),
        ({"from_at": "2016-06-01T00:00:00.000Z"}, "to_at is required"),
        ({"to_at": "2016-06-01T00:00:00.000Z"}, "from_at is required"),
        ({"level_ids": "ground"}, "level_ids is invalid"),
    ],
)
def test_contradicting_parameters_are_400(api, ids, params, message):
    response = api.get(f"/reviews/{ids.review_key}/pointclouds", fields="id", **params)
    assert response.status_code == 400
    assert message in response.json()["result"]["message"]
