"""Who may call: tokens, sessions, teams."""

import httpx
import pytest

PASSWORD_GRANT = ("team_domain", "email", "password")


def sign_in(emu, *, account=0, **changes):
    user = emu.service("cupix").accounts[account]
    form = {"grant_type": "email"} | {name: getattr(user, name) for name in PASSWORD_GRANT}
    base_url = emu.endpoint("cupix").base_url
    return httpx.post(f"{base_url}/authenticate", json=form | changes)


def me(emu, token):
    base_url = emu.endpoint("cupix").base_url
    return httpx.get(f"{base_url}/me?fields=id", headers={"X-CUPIX-AUTH": token}).status_code


@pytest.mark.parametrize("headers", [{}, {"X-CUPIX-AUTH": ""}, {"X-CUPIX-AUTH": "emu-cupix-x"}])
@pytest.mark.parametrize("path", ["/me?fields=id", "/pointclouds", "/pointclouds/5310/download"])
def test_no_valid_token_is_401_with_an_empty_body(emu, headers, path):
    response = httpx.get(emu.endpoint("cupix").base_url + path, headers=headers)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["Content-Length"] == "0"


@pytest.mark.parametrize("name", ["X-CUPIX-AUTH", "x-cupix-auth", "X-Cupix-Auth"])
def test_the_header_s_name_has_no_case(emu, name):
    base_url, token = emu.endpoint("cupix")
    assert httpx.get(f"{base_url}/me?fields=id", headers={name: token}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/me", "/pointclouds/5310", "/records", "/reviews/sv7brighton/panos"]
)
def test_the_token_may_come_in_the_query_on_every_route(emu, path):
    base_url, token = emu.endpoint("cupix")
    params = {"fields": "id", "x-cupix-auth": token}
    assert httpx.get(base_url + path, params=params).status_code == 200


def test_me_tells_whose_token_it_is(api, other):
    assert api.attributes("/me", fields="id,email") == {"id": 71, "email": "surveyor@north.example"}
    assert other.attributes("/me", fields="id")["id"] == 72


def test_each_team_sees_its_own_facilities_only(api, other, ids):
    mine = {row["key"] for row in api.rows("/facilities", fields="key")}
    assert ids.facility_key in mine
    assert [row["key"] for row in other.rows("/facilities", fields="key")] == [
        ids.foreign_facility_key
    ]
    assert ids.foreign_facility_key not in mine


def test_another_team_s_object_is_403_without_a_body(api, other, ids):
    paths = [
        f"/pointclouds/{ids.sub}",
        f"/pointclouds/{ids.sub}/meta",
        f"/pointclouds/{ids.sub}/download",
        f"/facilities/{ids.facility_key}",
        f"/panos/{ids.first_pano}",
        f"/reviews/{ids.review_key}/records",
    ]
    for path in paths:
        response = other.get(path, fields="id")
        assert (response.status_code, response.content) == (403, b""), path
    assert api.get(f"/pointclouds/{ids.foreign_sub}", fields="id").status_code == 403


def test_a_list_filtered_by_another_team_s_object_is_403(other, ids):
    assert other.get("/pointclouds", fields="id", record_id=ids.record).status_code == 403
    assert other.get("/clusters", fields="id", capture_id=ids.captures[0]).status_code == 403
    assert other.get("/records", fields="id", facility_key=ids.facility_key).status_code == 403


def test_an_unknown_route_is_404_before_anything_else(emu):
    response = httpx.get(emu.endpoint("cupix").base_url + "/pointcloudz")
    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/pointclouds", "GET"),
        ("DELETE", "/pointclouds/5310", "GET"),
        ("PUT", "/pointclouds/5310/download", "GET"),
        ("GET", "/authenticate", "POST"),
        ("POST", "/sessions", "DELETE, GET"),
    ],
)
def test_a_wrong_method_is_405_and_says_what_is_allowed(api, method, path, allowed):
    response = api.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed


def test_signing_in_gives_an_access_token_for_half_an_hour(emu):
    reply = sign_in(emu).json()
    result = reply["result"]
    assert reply["message"] is None
    assert result["grant_type"] == "email"
    assert result["access_token_expires_at"] == "2024-05-13T08:30:00.000Z"
    assert result["refresh_token_expires_at"] == "2024-05-20T08:00:00.000Z"
    assert reply["session"]["session_id"] == result["session_id"]
    assert reply["session"]["user"]["attributes"]["email"] == "surveyor@north.example"
    assert me(emu, result["access_token"]) == 200
    emu.clock.advance(30 * 60 - 1)
    assert me(emu, result["access_token"]) == 200
    emu.clock.advance(1)
    assert me(emu, result["access_token"]) == 401


def test_a_refresh_token_renews_the_session_for_a_week(emu):
    first = sign_in(emu).json()["result"]
    emu.clock.advance(3600)
    base_url = emu.endpoint("cupix").base_url
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = httpx.post(f"{base_url}/authenticate", json=form).json()["result"]
    assert second["session_id"] == first["session_id"]
    assert second["access_token"] != first["access_token"]
    assert me(emu, second["access_token"]) == 200
    emu.clock.advance(7 * 24 * 3600)
    form["refresh_token"] = second["refresh_token"]
    assert httpx.post(f"{base_url}/authenticate", json=form).status_code == 401


def test_signing_in_as_the_other_team_shows_its_world(emu, ids):
    token = sign_in(emu, account=1).json()["result"]["access_token"]
    base_url = emu.endpoint("cupix").base_url
    headers = {"X-CUPIX-AUTH": token}
    own = httpx.get(f"{base_url}/pointclouds/{ids.foreign_sub}?fields=id", headers=headers)
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"password": "guess"}, 401, None),
        ({"team_domain": "emu-south"}, 401, None),
        ({"email": ""}, 400, "email is required"),
        ({"grant_type": None}, 400, "grant_type is required"),
        ({"grant_type": "access_code"}, 400, "grant_type is invalid: access_code"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401, None),
    ],
)
def test_a_wrong_sign_in_is_refused(emu, changes, status, message):
    response = sign_in(emu, **changes)
    assert response.status_code == status
    if message is None:
        assert response.content == b""
    else:
        assert response.json()["result"]["message"] == message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_sign_in_that_is_no_json_object_is_400(emu, body):
    base_url = emu.endpoint("cupix").base_url
    response = httpx.post(f"{base_url}/authenticate", content=body)
    assert response.status_code == 400
    assert response.json()["result"]["message"].startswith("body is invalid")


def test_signing_out_ends_the_session(emu):
    token = sign_in(emu).json()["result"]["access_token"]
    base_url = emu.endpoint("cupix").base_url
    headers = {"X-CUPIX-AUTH": token}
    shown = httpx.get(f"{base_url}/sessions", headers=headers).json()["result"]["data"]
    assert shown["attributes"]["session_id"] == shown["id"] == "session-0001"
    assert shown["attributes"]["expires_at"] == "2024-05-20T08:00:00.000Z"
    ended = httpx.delete(f"{base_url}/sessions", headers=headers)
    assert (ended.status_code, ended.content) == (204, b"")
    assert me(emu, token) == 401


def test_an_api_token_has_no_session_to_end(api):
    assert api.attributes("/sessions")["session_id"] is None
    assert api.request("DELETE", "/sessions").status_code == 400
    assert api.get("/me", fields="id").status_code == 200
