"""Tokens, projects, routes and the envelope."""

from __future__ import annotations

import base64
import json

import pytest

from tests.emulator.flighthub.conftest import Api

ROUTES = [
    ("GET", "/project"),
    ("POST", "/open_model/stores/obtain_token"),
    ("POST", "/open_model/stores/upload_callback"),
    ("GET", "/open_model/resource/x"),
    ("DELETE", "/open_model/resource/x"),
    ("POST", "/open_model/models/reconstruction/start"),
    ("POST", "/open_model/models/x/reconstruction/stop"),
    ("GET", "/open_model/models/running"),
    ("GET", "/open_model/models/x"),
    ("DELETE", "/open_model/models/x"),
    ("GET", "/model"),
    ("GET", "/model/1"),
    ("POST", "/model/create"),
    ("GET", "/model/download-url/1"),
    ("GET", "/system_status"),
]


def test_the_envelope_of_system_status_has_no_data(api):
    assert api.call("GET", "/system_status").json() == {"code": 0, "message": ""}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", [None, "", "nobody", "another.json.webtoken"])
def test_every_call_refuses_a_token_nobody_has(emu, method, path, token):
    with Api(emu) as api:
        api._client.headers.pop("X-User-Token")
        headers = {} if token is None else {"X-User-Token": token}
        assert api.code(method, path, headers=headers) == (401, 200401)
        emu.service("flighthub").rules.auth_status = 200
        assert api.code(method, path, headers=headers) == (200, 200401)


@pytest.mark.parametrize(("method", "path"), ROUTES[1:-1])
def test_calls_in_a_project_one_has_not_joined_are_refused(api, method, path):
    projects = api.service.directory.projects
    for uuid in (projects[1].uuid, projects[2].uuid, "no-project"):
        assert api.code(method, path, headers={"X-Project-Uuid": uuid}) == (403, 200403)


def test_open_modeling_goes_without_a_project_unless_the_rules_are_strict(emu):
    with Api(emu, project=False) as api:
        assert api.obtain()
        assert api.code("GET", "/model") == (200, 200610)
        api.rules.strict_project = True
        assert api.code("POST", "/open_model/stores/obtain_token") == (200, 200610)
        assert api.data("GET", "/project")


def test_unknown_routes_and_methods_are_refused_in_the_envelope(api):
    assert api.code("GET", "/open_model/models") == (404, 200404)
    assert api.code("GET", "/nothing") == (404, 200404)
    assert api.code("PUT", "/open_model/models/running") == (405, 200404)


def test_both_versions_of_the_api_answer_the_same(emu, api):
    newer = api.base_url.replace("v0.1", "v2.0")
    assert api.call("GET", f"{newer}/system_status").json()["code"] == 0
    assert api.call("GET", f"{newer}/health").json()["code"] == 0
    assert api.call("GET", f"{api.base_url}0/system_status").status_code == 404


def test_the_request_id_comes_back(api):
    answer = api.call("GET", "/system_status", headers={"X-Request-Id": "4711"})
    assert answer.headers["X-Request-Id"] == "4711"
    assert "X-Request-Id" not in api.call("GET", "/system_status").headers


def test_tokens_are_web_tokens_with_the_user_and_differ_by_account_and_seed(api, other):
    def claims(token):
        text = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    mine, theirs = claims(api.token), claims(other.token)
    assert mine["iss"] == "cupixgeo-emulator"
    assert mine["user_id"] != theirs["user_id"]
    assert api.token != other.token
    with pytest.raises(ValueError, match="accounts 0 to 1"):
        api.service.token(2)


def names(rows):
    return [row["name"] for row in rows["list"]]


def test_projects_are_those_of_the_organization(api, other):
    assert names(api.data("GET", "/project")) == ["Brighton Beach", "Pier 4"]
    assert names(other.data("GET", "/project")) == ["South yard"]
    joined = {"prj_authorized_status": "project-status-authorized"}
    rows = api.data("GET", "/project", params=joined)["list"]
    assert [row["uuid"] for row in rows] == [api.project]
    assert rows[0]["project_work_center_point"] == {"latitude": 46.8427, "longitude": -91.994}
    assert isinstance(rows[0]["created_at"], int)


def test_projects_are_found_sorted_and_paged(api):
    def listed(**params):
        return names(api.data("GET", "/project", params=params))

    assert listed(q="pier") == ["Pier 4"]
    assert listed(sort_column="name", sort_type="DESC") == ["Pier 4", "Brighton Beach"]
    assert listed(page_size=1) == ["Brighton Beach"]
    assert listed(page_size=1, page=2) == ["Pier 4"]
    assert listed(page_size=1, usage="simple") == ["Brighton Beach", "Pier 4"]
    assert api.data("GET", "/project", params={"page": 9}) == {"list": None}
    api.rules.null_lists = False
    assert api.data("GET", "/project", params={"page": 9}) == {"list": []}
    for wrong in ({"page": 0}, {"page_size": "x"}, {"sort_column": "size"}, {"sort_type": "up"}):
        assert api.code("GET", "/project", params=wrong) == (200, 200610)
