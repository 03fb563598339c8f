import httpx
import pytest

from tests.emulator.teleport.conftest import Teleport


def key(teleport, **changes):
    pair = {"client_id": teleport.client_id, "client_secret": teleport.client_secret}
    return {"grant_type": "client_credentials", **pair, **changes}


@pytest.mark.parametrize("encoding", ["data", "json"])
def test_a_key_is_exchanged_for_a_token_in_either_encoding(teleport, encoding):
    answer = httpx.post(f"{teleport.base_url}/oauth2/token", **{encoding: key(teleport)})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "token_type"}
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (3600, "bearer")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "openid admin"}, 400, "invalid_scope"),
    ],
)
def test_a_wrong_request_for_a_token_is_refused(teleport, changes, status, error):
    answer = httpx.post(f"{teleport.base_url}/oauth2/token", data=key(teleport, **changes))
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_request_for_a_token_in_another_encoding_is_refused(teleport):
    answer = httpx.post(f"{teleport.base_url}/oauth2/token", content=b"grant_type=x")
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("value", [None, "Bearer wrong", "Basic eDp5", "Bearer"])
def test_without_a_good_token_the_answer_is_401(teleport, value):
    teleport.http.headers.pop("Authorization")
    headers = {} if value is None else {"Authorization": value}
    answer = teleport.http.get("/api/v1/captures", headers=headers)
    assert answer.status_code == 401
    assert isinstance(answer.json()["detail"], str)


def test_a_token_lives_as_long_as_was_said(emu, teleport, settings):
    settings.token_lifetime_s = 90
    teleport.sign_in()
    emu.clock.advance(89)
    assert teleport.get("/api/v1/captures").status_code == 200
    emu.clock.advance(1)
    assert teleport.get("/api/v1/captures").status_code == 401
    teleport.sign_in()
    assert teleport.get("/api/v1/captures").status_code == 200


def test_all_tokens_can_be_made_to_expire_at_once(emu, teleport):
    emu.service("teleport").tokens.expire_all()
    assert teleport.get("/api/v1/captures").status_code == 401


def test_an_organisation_sees_only_its_own_captures(teleport, stranger, photos_zip):
    capture = teleport.finish(photos_zip)
    assert stranger.get("/api/v1/captures").json() == []
    eid, sid = capture["eid"], capture["sid"]
    assert stranger.http.put(f"/api/v1/captures/{eid}", json={"name": "x"}).status_code == 404
    assert stranger.http.delete(f"/api/v1/captures/{eid}").status_code == 404
    assert stranger.get(f"/share/{sid}/metadata").status_code == 404
    assert stranger.get(f"/api/v2/captures/{sid}/metadata").status_code == 404


def test_the_journal_holds_no_secret(emu, photos_zip):
    client = Teleport(emu)
    client.upload(photos_zip)
    client.close()
    written = repr(list(emu.journal))
    assert client.client_secret not in written
    assert client.http.headers["Authorization"].split()[1] not in written
    assert {e.carried_token for e in emu.journal.where(origin="storage")} == {False}


def test_there_are_two_organisations(emu):
    with pytest.raises(ValueError, match="accounts 0 to 1, not 2"):
        emu.endpoint("teleport", account=2)
