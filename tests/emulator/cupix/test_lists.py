"""Envelope, field selection, paging, filters and order of the lists."""

import pytest

LISTS = [
    "/pointclouds", "/clusters", "/panos", "/captures", "/records", "/levels", "/facilities",
    "/meshes", "/videos", "/workspaces",
]  # fmt: skip


def get_list(api, path, **params):
    if path == "/clusters":
        params.setdefault("capture_id", api.emulator.world.cupix.ids.captures[0])
    return api.get(path, **params)


@pytest.mark.parametrize("path", [*LISTS, "/me", "/pointclouds/5310", "/facilities/b8kq2wzn"])
@pytest.mark.parametrize("fields", [None, "", " , "])
def test_fields_must_be_named(api, path, fields):
    response = get_list(api, path, **({} if fields is None else {"fields": fields}))
    assert response.status_code == 400
    assert response.json() == {
        "result": {
            "code": "ARG10001",
            "type": "argument",
            "reason": "missing",
            "message": "fields is required",
        },
        "session": None,
    }


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_data_and_pagination(api, path):
    reply = get_list(api, path, fields="id,name").json()
    assert reply.keys() == {"result", "session"}
    assert reply["session"] is None
    assert reply["result"].keys() == {"data", "pagination"}
    for item in reply["result"]["data"]:
        assert item.keys() == {"id", "type", "attributes"}
        assert item["attributes"].keys() == {"id", "name"}
        assert isinstance(item["id"], str)
        assert isinstance(item["attributes"]["id"], int)
        assert item["id"] == str(item["attributes"]["id"])


def test_one_object_has_no_pagination(api, ids):
    reply = api.get(f"/pointclouds/{ids.sub}", fields="id,name").json()
    assert reply == {
        "result": {
            "data": {
                "id": "5310",
                "type": "pointcloud",
                "attributes": {"id": 5310, "name": "Shore west 1"},
            }
        },
        "session": None,
    }


def test_exactly_the_asked_for_fields_come_back(api, ids):
    path = f"/pointclouds/{ids.sub}"
    some = api.attributes(path, fields="kind, nonsense ,published_at,location,bim_icp_tm")
    assert some == {
        "kind": "sub",
        "published_at": "2024-03-05T16:40:07.918Z",
        "location": None,
        "bim_icp_tm": None,
    }


def test_references_are_objects_even_to_nothing(api, ids):
    sub = api.attributes(f"/pointclouds/{ids.sub}", fields="parent,cluster,record,facility")
    assert sub["parent"] == {"id": ids.group, "name": "Shore west", "type": "Pointcloud"}
    assert sub["cluster"] == {"id": ids.cluster, "name": "Shore west", "type": "Cluster"}
    assert (sub["record"]["id"], sub["record"]["type"]) == (ids.record, "Record")
    assert (sub["facility"]["id"], sub["facility"]["key"]) == (ids.facility, ids.facility_key)
    group = api.attributes(f"/pointclouds/{ids.group}", fields="parent")
    assert group["parent"] == {"id": None}
    lonely = api.attributes(f"/pointclouds/{ids.odd.no_cluster_group}", fields="cluster")
    assert lonely["cluster"] == {"id": None, "name": None}


def test_thirty_rows_make_a_page(api, ids):
    page = api.result("/pointclouds", fields="id", record_id=ids.big_record)
    assert len(page["data"]) == 30
    assert page["pagination"] == {
        "total_entries": 120,
        "total_pages": 4,
        "per_page": 30,
        "previous_page": None,
        "current_page": 1,
        "next_page": 2,
    }


def test_following_next_page_gives_every_row_once(api, ids):
    seen, page = [], 1
    while page is not None:
        result = api.result("/pointclouds", fields="id", record_id=ids.big_record, page=page)
        seen += [item["attributes"]["id"] for item in result["data"]]
        before = result["pagination"]["previous_page"]
        assert before == (page - 1 or None)
        page = result["pagination"]["next_page"]
    assert len(seen) == len(set(seen)) == 120


def test_a_page_beyond_the_last_is_empty(api, ids):
    result = api.result("/pointclouds", fields="id", record_id=ids.record, page=7)
    assert result["data"] == []
    assert result["pagination"]["next_page"] is None
    assert result["pagination"]["total_entries"] == 9


def test_nothing_found_is_an_empty_list(api, ids):
    result = api.result("/pointclouds", fields="id", record_id=ids.missing)
    assert result["data"] == []
    assert result["pagination"]["total_pages"] == 0
    assert api.rows("/records", fields="id", facility_key="nobody") == []
    assert api.rows("/videos", fields="id", capture_id=ids.captures[0]) == []


def test_ten_thousand_panos_come_in_one_page_if_asked(api, ids):
    rows = []
    for capture in ids.big_captures:
        params = {"capture_id": capture, "per_page": 5000}
        rows += api.rows("/panos", fields="id,geo_coordinate,gps", **params)
    assert len({row["id"] for row in rows}) == 10_000
    assert len({tuple(row["geo_coordinate"]["pos"]) for row in rows}) == 10_000


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"record_id": 602}, 9),
        ({"record_id": 602, "pointcloud_type": "uploaded"}, 5),
        ({"record_id": 602, "pointcloud_type": "3d_reconstructed"}, 4),
        ({"record_id": 602, "pointcloud_type": "all"}, 9),
        ({"cluster_id": 3416}, 5),
        ({"capture_id": 812}, 4),
        ({"parent_id": 5320}, 3),
        ({"parent_id": 5320, "record_id": 640}, 0),
        ({"filter": "record_id=602, kind=group"}, 2),
        ({"filter": "use_georeference=true"}, 1),
        ({"filter": "error_code=null,record_id=602"}, 9),
        ({"q": "SHORE WEST"}, 5),
        ({"record_id": 602, "visibility": "in_trash_by_parent"}, 0),
    ],
)
def test_filters_of_pointclouds(api, params, count):
    assert len(api.rows("/pointclouds", fields="id", **params)) == count


def test_clusters_need_a_capture(api, ids):
    refused = api.get("/clusters", fields="id")
    assert refused.status_code == 400
    assert refused.json()["result"]["message"] == "capture_id is required"
    rows = api.rows("/clusters", fields="id,capture", capture_id=ids.captures[1])
    assert [row["id"] for row in rows] == [ids.scaled_cluster]
    assert rows[0]["capture"]["id"] == ids.captures[1]


def test_captures_records_and_levels_are_found_from_the_facility(api, ids):
    records = api.rows("/records", fields="id", facility_key=ids.facility_key)
    assert [row["id"] for row in records] == [ids.record]
    levels = api.rows("/levels", fields="id,elevation", facility_key=ids.facility_key)
    assert levels == [{"id": ids.level, "elevation": 0.0}]
    captures = api.rows("/captures", fields="id", record_id=ids.record)
    assert tuple(row["id"] for row in captures) == ids.captures


def test_facilities_and_workspaces_are_linked(api, ids):
    assert [row["id"] for row in api.rows("/workspaces", fields="id")] == [ids.workspace]
    assert len(api.rows("/facilities", fields="id", workspace_id=ids.workspace)) == 4
    assert len(api.rows("/workspaces", fields="id", filter="state=active")) == 1
    assert api.rows("/workspaces", fields="id", filter="state=created") == []


def test_panos_are_found_by_capture_id_and_revision(api, ids):
    both = [api.rows("/panos", fields="id", capture_id=capture) for capture in ids.captures]
    assert sum(map(len, both)) == 18
    picked = api.rows("/panos", fields="id", ids=f"{ids.first_pano}, {ids.first_pano + 3}")
    assert [row["id"] for row in picked] == [9001, 9004]
    assert api.rows("/panos", fields="id", revision_type="enhanced_image") == []


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_rows_can_be_ordered_by_any_field(api, ids, direction):
    params = {"record_id": ids.record, "order_by": "points_count", "sort": direction}
    counts = [
        row["points_count"] for row in api.rows("/pointclouds", fields="points_count", **params)
    ]
    known = [count for count in counts if count is not None]
    assert known == sorted(known, reverse=direction == "desc")
    assert counts[-2:] == [None, None]  # the groups have no points
    assert len(known) == 7


def test_order_comes_before_paging(api):
    params = {"order_by": "name", "sort": "desc", "per_page": 2}
    first = api.rows("/facilities", fields="name", page=1, **params)
    second = api.rows("/facilities", fields="name", page=2, **params)
    names = [row["name"] for row in first + second]
    assert names == sorted(names, reverse=True)
    assert len(names) == 4


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("/pointclouds", {"page": "0"}, "page is invalid: 0"),
        ("/pointclouds", {"page": "two"}, "page is invalid: two"),
        ("/pointclouds", {"per_page": "-1"}, "per_page is invalid: -1"),
        ("/pointclouds", {"per_page": "9" * 5000}, "per_page is invalid: 999"),
        ("/pointclouds", {"record_id": "six"}, "record_id is invalid: six"),
        ("/pointclouds", {"pointcloud_type": "e57"}, "pointcloud_type is invalid: e57"),
        ("/pointclouds", {"filter": "kind"}, "filter is invalid: kind"),
        ("/pointclouds", {"filter": "colour=red"}, "filter is invalid: colour=red"),
        ("/pointclouds", {"order_by": "colour"}, "order_by is invalid: colour"),
        ("/pointclouds", {"sort": "down"}, "sort is invalid: down"),
        ("/pointclouds", {"visibility": "hidden"}, "visibility is invalid: hidden"),
        ("/panos", {"ids": "1,x"}, "ids is invalid: 1,x"),
        ("/panos", {"revision_type": "best"}, "revision_type is invalid: best"),
        ("/facilities", {"latitude": "1"}, "does not implement the parameter latitude"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_400(api, path, params, message):
    response = api.get(path, fields="id", **params)
    assert response.status_code == 400
    assert message in response.json()["result"]["message"]
