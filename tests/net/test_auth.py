import httpx
import pytest

from cupixgeo.errors import AuthenticationError
from cupixgeo.net.auth import FixedAuth, basic, bearer
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Form, Session
from tests.net.conftest import Reply, told

TOKEN = "planted-0123456789-token"
OK = Reply(body=b"{}")


@pytest.fixture
def session(server, settings):
    auth = FixedAuth({"Authorization": basic("user", "word")}, params={"token": Secret(TOKEN)})
    session = Session(f"{server.url}/api", service="acme", auth=auth, settings=settings)
    yield session
    session.close()


def test_a_token_in_the_query_goes_to_its_own_origin_only(session, server, other_server):
    server.answer = other_server.answer = lambda _: OK
    session.json("GET", "things", params={"a": 1})
    session.json("GET", f"{other_server.url}/things", params={"a": 1})
    assert server.seen[0].path == f"/api/things?a=1&token={TOKEN}"
    assert other_server.seen[0].path == "/things?a=1"
    assert server.seen[0].headers["authorization"] == "Basic dXNlcjp3b3Jk"
    assert "authorization" not in other_server.seen[0].headers


def test_a_token_in_the_query_is_in_no_error_and_no_log(session, server, caplog):
    caplog.set_level("DEBUG")
    server.script(Reply(401, f"<p>no such token: {TOKEN}</p>".encode()))
    with pytest.raises(AuthenticationError) as caught:
        session.json("GET", "things")
    assert TOKEN not in told(caught.value) + caplog.text + repr(session)


def test_a_fixed_token_that_is_refused_is_not_tried_again(session, server):
    server.script(Reply(401))
    with pytest.raises(AuthenticationError):
        session.json("GET", "things")
    assert len(server.seen) == 1


class Renewable:
    """A token that counts up each time it was refused."""

    def __init__(self):
        self.number = 1
        self.refused = []
        self.secrets = ()

    def headers(self):
        return {"Authorization": bearer(Secret(f"token-{self.number}"))}

    def params(self):
        return {}

    def renew(self, refused):
        self.refused.append(refused["Authorization"].reveal())
        self.number += 1
        return True


def test_a_refused_token_is_renewed_once_even_for_calls_that_may_not_be_repeated(server, settings):
    auth = Renewable()
    server.script(Reply(401), OK)
    session = Session(server.url, service="acme", auth=auth, settings=settings)
    assert session.json("POST", "things", body={"a": 1}) == {}
    assert auth.refused == ["Bearer token-1"]
    assert [seen.headers["authorization"] for seen in server.seen] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert server.seen[0].body == server.seen[1].body
    server.script(Reply(401))
    with pytest.raises(AuthenticationError):
        session.json("POST", "things")
    assert len(server.seen) == 4
    session.close()


def test_a_form_is_sent_as_a_form_and_its_secrets_only_there(session, server):
    server.script(OK)
    form = Form({"a": "b c", "key": Secret("ä&=")})
    session.json("POST", "things", body=form)
    assert server.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(httpx.QueryParams(server.seen[0].body.decode())) == {"a": "b c", "key": "ä&="}
    assert "ä&=" not in repr(form)
