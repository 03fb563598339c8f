"""Who is let in, how requests look, and what is said to the rest."""

import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from cupixgeo.emulator import Emulator

MODE = "{ support { systemMode } }"
HELLO = "{ hello }"


def test_the_address_is_the_root_above_graphql(emu, at):
    base_url, token = emu.endpoint("altizure")
    assert base_url == f"{emu.url}/altizure"
    assert token == f"{at.app_key}:{at.user_token()}"


def test_without_a_good_application_key_the_mode_is_empty_and_all_else_null(make):
    for client in (make(key=None), make(key="wrong")):
        assert client.data(MODE) == {"systemMode": ""}
        assert client.data("{ versions { api } }") is None
        assert client.data("{ my { self { email } } }") is None


def test_without_a_good_token_queries_about_the_user_give_null_and_no_error(make):
    for client in (make(altitoken=None), make(altitoken="wrong")):
        assert client.data("{ my { self { email } } }") is None
        assert client.data("{ versions { api } }") == {"api": "2.7.4"}


@pytest.mark.parametrize("headers", [{"altitoken": None}, {"altitoken": "x"}, {"key": "x"}])
def test_without_key_or_token_a_mutation_is_an_authentication_error(make, headers):
    client = make(**headers)
    answer = client.answer('mutation { createProject(name: "x") { id } }')
    assert answer.status_code == 200
    assert answer.json()["data"] == {"createProject": None}
    assert answer.json()["errors"][0]["message"] == "Authentication Error"


def test_variables_may_be_null_absent_or_empty(alti):
    for extra in ({}, {"variables": None}, {"variables": {}}):
        answer = alti.post(json={"query": MODE, **extra})
        assert answer.json() == {"data": {"support": {"systemMode": "Normal"}}}


def test_a_form_is_taken_as_the_jquery_sample_sends_it(alti):
    assert alti.post(data={"query": MODE}).json()["data"]["support"]["systemMode"] == "Normal"


def test_enums_are_taken_inline_and_as_text_in_variables(alti):
    inline = alti.data('mutation { createProject(name: "x", type: pro) { projectType } }')
    assert inline == {"projectType": "pro"}
    assert alti.create(type="pro") is not None


def test_a_get_opens_a_page_for_people(alti):
    answer = alti.get("/graphql", params={"query": MODE})
    assert answer.headers["content-type"].startswith("text/html")


def test_what_is_no_graphql_is_refused(alti):
    for options in ({"content": b"{"}, {"json": []}, {"json": {"query": 7}}, {"json": {}}):
        answer = alti.post(**options)
        assert answer.status_code == 400
        assert answer.json()["errors"]
    assert "Variables" in alti.post(json={"query": MODE, "variables": [1]}).text
    assert alti.post("/nowhere", json={}).status_code == 404


def test_unknown_enum_values_fields_and_missing_arguments_are_validation_errors(alti):
    for query in (
        'mutation { createProject(name: "x", type: gold) { id } }',
        "mutation { createProject { id } }",
        "{ nothing }",
    ):
        answer = alti.answer(query)
        assert answer.status_code == 400
        assert "data" not in answer.json()


def test_only_entitled_accounts_are_greeted_in_the_rooms(alti, other):
    def hello(client, room):
        return client.post(room, json={"query": HELLO}).json()["data"]["hello"]

    assert hello(alti, "/sales")
    assert not hello(alti, "/super")
    assert not hello(other, "/sales")


SIGN_IN = (
    "mutation($email: String!, $password: String!, $fresh: Boolean)"
    " { getUserToken(email: $email, password: $password, fresh: $fresh) }"
)


def test_a_password_gives_the_users_token_and_a_wrong_one_null(make, at):
    client = make(altitoken=None)
    north = at.store.accounts[0]
    good = {"email": north.email, "password": north.password}
    assert client.data(SIGN_IN, **good, fresh=False) == at.user_token()
    assert client.data(SIGN_IN, **{**good, "password": "no"}) is None
    fresh = client.data(SIGN_IN, **good, fresh=True)
    assert fresh == at.user_token()
    assert fresh != at.user_token(1)


def test_tokens_are_words_as_the_web_demos_expect(at):
    for text in (at.app_key, at.user_token(0), at.user_token(1), at.expire_token()):
        assert text.replace("_", "").isalnum()


def test_an_expired_token_is_nobodys(alti, at):
    at.expire_token()
    assert alti.data("{ my { self { email } } }") is None


def test_a_code_sent_to_a_verified_phone_works_once(make, at):
    client = make(altitoken=None)
    request = "mutation($p: String!) { requestLoginCode(phone: $p) { error { code } result } }"
    take = "mutation($p: String!, $c: String!) { getUserTokenByLoginCode(phone: $p, code: $c) }"
    assert client.data(request, p="+852-90000000")["result"] == "Success"
    code = at.access.sms["85290000000"]
    assert client.data(take, p="85290000000", c="000000") is None
    assert client.data(take, p="85290000000", c=code) == at.user_token()
    assert client.data(take, p="85290000000", c=code) is None
    refused = client.data(request, p="12345")
    assert refused["result"] == "Fail"
    assert isinstance(refused["error"]["code"], int)


def test_the_oauth_page_sends_the_browser_back_with_a_token(alti, at):
    query = {
        "client_id": at.app_key, "response_type": "token",
        "redirect_uri": "http://localhost/back", "state": "abc",
    }  # fmt: skip
    answer = alti.get("/auth/start", params=query)
    target = urlsplit(answer.headers["Location"])
    assert answer.status_code == 302
    assert parse_qs(target.fragment) == {"access_token": [at.user_token()], "state": ["abc"]}
    for wrong in (
        {"client_id": "x"},
        {"redirect_uri": "http://evil.example/"},
        {"response_type": "x"},
    ):
        assert alti.get("/auth/start", params={**query, **wrong}).status_code == 400


def test_an_oauth_code_is_exchanged_once_and_only_with_the_secret(alti, at):
    query = {
        "client_id": at.app_key, "response_type": "code", "redirect_uri": "http://localhost/",
    }  # fmt: skip
    target = urlsplit(alti.get("/auth/start", params=query).headers["Location"])
    form = {
        "client_id": at.app_key, "client_secret": at.access.app_secret,
        "code": parse_qs(target.query)["code"][0],
    }  # fmt: skip
    refused = alti.post("/auth/exchange", data={**form, "client_secret": "x"})
    assert refused.status_code == 401
    assert alti.post("/auth/exchange", data=form).json()["access_token"] == at.user_token()
    assert alti.post("/auth/exchange", data=form).status_code == 400


def test_the_journal_names_the_operation_and_a_fault_can_hit_it(alti, emu):
    from cupixgeo.emulator import faults

    rule = emu.faults.add(faults.server_error(), service="altizure", path="/graphql/createProject")
    alti.data(MODE)
    assert alti.answer('mutation { createProject(name: "x") { id } }').status_code == 500
    assert rule.fired == 1
    assert [e.operation for e in emu.journal] == ["support", "createProject"]
    assert alti.data("{ allProjects { totalCount } }") == {"totalCount": 14}


def test_another_service_does_not_need_graphql(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphql", None)
    from cupixgeo.emulator.altizure.service import schema

    schema.cache_clear()
    with Emulator() as emulator:
        assert emulator.endpoint("cupix").token
        with pytest.raises(ImportError, match=r"pip install 'cupixgeo\[emulator\]'"):
            emulator.endpoint("altizure")
