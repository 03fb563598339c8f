import json
from urllib.parse import parse_qs

import pytest

from cupixgeo.errors import AuthenticationError, CredentialError, ResponseError
from cupixgeo.net.oauth import ClientCredentials
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.settings import NetSettings
from tests.net.conftest import Reply, told

ID, SECRET = "planted-client-id", "planted-client-secret"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(server, clock, pauses):
    made = []

    def make(url=None, **options):
        settings = NetSettings(now=clock, sleep=pauses, uniform=lambda: 0.5)
        defaults = {"client_id": Secret(ID), "client_secret": Secret(SECRET), "service": "acme"}
        options = {**defaults, "settings": settings, **options}
        made.append(ClientCredentials(url or f"{server.url}/oauth2/token", **options))
        return made[-1]

    yield make
    for credentials in made:
        credentials.close()


def token(number, *, expires_in=3600):
    body = {"access_token": f"token-{number}", "expires_in": expires_in, "token_type": "bearer"}
    return Reply(body=json.dumps(body).encode())


def sent(credentials):
    return credentials.headers()["Authorization"].reveal()


def test_a_token_is_fetched_with_the_key_in_a_form_and_kept(make, server):
    server.script(token(1), token(2))
    credentials = make(scope="openid")
    assert [sent(credentials) for _ in range(3)] == ["Bearer token-1"] * 3
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/oauth2/token")
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"], "client_id": [ID], "client_secret": [SECRET],
        "scope": ["openid"],
    }  # fmt: skip


@pytest.mark.parametrize(("expires_in", "lasts"), [(3600, 3540), (80, 40), (None, 3540)])
def test_a_token_is_renewed_a_minute_before_its_end(make, server, clock, expires_in, lasts):
    server.script(token(1, expires_in=expires_in), token(2))
    credentials = make()
    sent(credentials)
    clock.now += lasts - 1
    assert sent(credentials) == "Bearer token-1"
    clock.now += 1
    assert sent(credentials) == "Bearer token-2"


def test_a_token_refused_to_two_threads_is_renewed_once(make, server):
    server.script(token(1), token(2), token(3))
    credentials = make()
    refused = credentials.headers()
    assert credentials.renew(refused)
    sent(credentials)
    assert credentials.renew(refused)
    assert sent(credentials) == "Bearer token-2"


def test_the_key_goes_to_the_token_service_and_the_token_to_the_api(make, server, other_server):
    server.script(token(1))
    other_server.script(Reply(401), Reply(body=b"[]"))
    session = Session(other_server.url, service="acme", auth=make())
    assert session.json("GET", "things") == []
    session.close()
    assert SECRET not in str(other_server.seen)
    assert [seen.headers["authorization"] for seen in other_server.seen] == ["Bearer token-1"] * 2
    assert all("authorization" not in seen.headers for seen in server.seen)


def test_a_token_service_that_is_away_for_a_moment_is_asked_again(make, server, pauses):
    server.script(Reply(503), Reply(429, headers={"Retry-After": "7"}), token(1))
    assert sent(make()) == "Bearer token-1"
    assert pauses[1] >= 7


def test_a_refused_key_is_said_with_the_service_s_word_and_without_the_key(make, server):
    server.script(Reply(401, b'{"error": "invalid_client", "error_description": "who?"}'))
    credentials = make()
    with pytest.raises(AuthenticationError, match=r"acme sign-in .*invalid_client.*who") as caught:
        credentials.headers()
    assert SECRET not in told(caught.value)
    assert SECRET not in repr(credentials)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"access_token": 5}', b'{"access_token": " "}'])
def test_an_answer_without_a_token_is_not_taken_for_one(make, server, body):
    server.script(Reply(body=body))
    with pytest.raises(ResponseError, match="without an access_token"):
        make().headers()


def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(make, server):
    server.script(Reply(body=b'{"access_token": "planted token with blanks"}'))
    with pytest.raises(CredentialError, match="cannot be a token") as caught:
        make().headers()
    assert "planted token" not in told(caught.value)


@pytest.mark.parametrize("half", ["client_id", "client_secret"])
def test_half_a_key_is_refused(make, half):
    with pytest.raises(CredentialError, match="client_id:client_secret"):
        make(**{half: Secret(" ")})


def test_a_key_is_not_sent_unencrypted_over_a_network(make):
    with pytest.raises(CredentialError, match="unencrypted") as caught:
        make("http://192.0.2.7/token")
    assert SECRET not in told(caught.value)
    make("http://192.0.2.7/token", plain_http=True)
