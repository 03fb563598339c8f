"""What counts as an answer, and what as which error."""

from __future__ import annotations

import logging

import pytest

from cupixgeo import errors
from cupixgeo.emulator import faults
from tests.net.conftest import told


def answer_with(emu, content, *, status=200, times=1):
    fault = faults.json_reply(content, status=status)
    emu.faults.add(fault, service="altizure", method="POST", times=times)


def test_errors_with_status_200_are_errors_in_the_services_words(account, emu):
    answer_with(emu, {"data": {"my": None}, "errors": [{"message": "Database away"}]})
    with pytest.raises(errors.BadRequestError, match=r"refuses Me: Database away") as caught:
        account.me()
    assert (caught.value.status, caught.value.verb) == (200, "Me")


def test_the_first_message_counts_and_the_status_does_not(account, emu):
    answer_with(emu, {"errors": [{"message": "first"}, {"message": "second"}]}, status=400)
    with pytest.raises(errors.BadRequestError, match="first") as caught:
        account.me()
    assert "second" not in str(caught.value)
    assert "Me" in str(caught.value)


@pytest.mark.parametrize("status", [200, 400])
def test_an_authentication_error_is_one_whatever_the_status(account, emu, status):
    content = {"data": None, "errors": [{"message": "Authentication Error"}]}
    answer_with(emu, content, status=status)
    with pytest.raises(errors.AuthenticationError, match="sign in again"):
        account.create_project("x")


@pytest.mark.parametrize("data", [{"id": "1"}, None])
def test_errors_of_a_change_that_was_begun_say_that_it_may_have_been_done(account, emu, data):
    answer_with(emu, {"data": {"createProject": data}, "errors": [{"message": "odd"}]})
    with pytest.raises(errors.ResponseError, match="cannot be told whether"):
        account.create_project("x")


@pytest.mark.parametrize("content", [[], {}, {"data": None}, {"data": {}}, "text", {"errors": []}])
def test_what_is_no_graphql_is_not_taken_for_an_answer(account, emu, content):
    answer_with(emu, content, times=None)
    with pytest.raises(errors.ResponseError):
        account.me()


@pytest.mark.parametrize("errors_field", ["text", {"message": "inner"}, [None], [{}]])
def test_odd_errors_are_errors_too(account, emu, errors_field):
    answer_with(emu, {"data": None, "errors": errors_field}, times=None)
    with pytest.raises(errors.BadRequestError):
        account.me()


def test_null_where_an_object_should_be_is_not_a_crash(account, emu):
    answer_with(emu, {"data": {"getGeoIPInfo": None}})
    assert account.buckets().empty
    answer_with(emu, {"data": {"my": {"allProjects": None}}})
    assert account.projects().empty
    answer_with(emu, {"data": {"my": {"allProjects": {"edges": None, "pageInfo": None}}}})
    assert account.projects().empty


def test_pages_that_go_in_a_circle_are_noticed(account, emu):
    page = {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": "same"}}
    answer_with(emu, {"data": {"my": {"allProjects": page}}}, times=None)
    with pytest.raises(errors.ResponseError, match="same page twice"):
        account.projects()


@pytest.mark.parametrize("page", [[], {"edges": "x"}, {"edges": [1]}, {"edges": [{"node": 1}]}])
def test_a_page_of_another_shape_is_said(account, emu, page):
    answer_with(emu, {"data": {"my": {"allProjects": page}}}, times=None)
    with pytest.raises(errors.ResponseError, match="MyAllProjects"):
        account.projects()


def test_a_query_is_repeated_after_a_failure_and_a_change_is_not(account, emu, pauses):
    emu.faults.add(faults.server_error(), service="altizure", times=2)
    assert not account.projects().empty
    assert len(pauses) == 2
    rule = emu.faults.add(faults.server_error(), service="altizure", times=None)
    with pytest.raises(errors.ServerError):
        account.create_project("x")
    assert rule.fired == 1


def test_a_web_page_is_no_answer(account, emu):
    emu.faults.add(faults.html_page(), service="altizure", times=None)
    with pytest.raises(errors.ResponseError, match="base_url"):
        account.me()


def test_a_bad_key_and_a_bad_token_are_told_from_an_empty_list(connect, at):
    for token in (f"wrong:{at.user_token()}", f"{at.app_key}:wrong"):
        account = connect(token=token)
        with pytest.raises(errors.AuthenticationError, match="application key or the user token"):
            account.me()
        with pytest.raises(errors.AuthenticationError):
            account.project(next(iter(at.store.projects)) + "0")
        with pytest.raises(errors.AuthenticationError):
            account.create_project("x")
    assert connect(token=f"wrong:{at.user_token()}").system_mode() == "Forbidden"


def test_an_unknown_project_is_not_found(account):
    with pytest.raises(errors.NotFoundError, match=r"projects\(\) lists"):
        account.project("0" * 24)


# -- secrets -------------------------------------------------------------------------------------


def test_key_and_token_are_sent_to_the_service_and_shown_nowhere(account, at, emu, caplog):
    caplog.set_level(logging.DEBUG)
    account.me()
    account.downloads(next(p.id for p in at.store.projects.values() if p.downloads))
    answer_with(emu, {"errors": [{"message": f"no user {at.user_token()}"}]})
    with pytest.raises(errors.BadRequestError) as caught:
        account.projects()
    texts = [told(caught.value), caplog.text, repr(account), account._repr_html_()]
    for secret in (at.app_key, at.user_token(), "X-Emu-Signature"):
        assert not any(secret in text for text in texts)
    assert emu.journal.where(service="altizure", carried_token=True)


def test_a_token_that_is_not_key_and_token_is_refused_unseen(connect):
    for wrong in ("planted-key-0123:", ":planted-token-0123", "planted-a-0123:planted-b:c"):
        with pytest.raises(errors.ArgumentError, match="KEY:TOKEN") as caught:
            connect(token=wrong)
        assert "planted" not in told(caught.value)


def test_the_key_is_found_apart_from_the_token(connect, at, monkeypatch):
    monkeypatch.delenv("ALTIZURE_KEY", raising=False)
    assert connect(token=at.user_token(), key=at.app_key).me()["email"][0]
    monkeypatch.setenv("ALTIZURE_KEY", at.app_key)
    assert connect(token=at.user_token()).me()["email"][0]
    monkeypatch.delenv("ALTIZURE_KEY")
    with pytest.raises(errors.CredentialError, match="ALTIZURE_KEY"):
        connect(token=at.user_token())


def test_regions_and_private_addresses(connect, at, emu):
    import cupixgeo as cx

    token = f"{at.app_key}:{at.user_token()}"
    roots = {
        None: "https://api.altizure.com",
        "international": "https://api.altizure.com",
        "china": "https://api.altizure.cn",
    }
    for region, root in roots.items():
        with cx.connect("altizure", token, region=region) as account:
            assert account.base_url == root
    with pytest.raises(errors.ArgumentError, match="no region 'mars'"):
        cx.connect("altizure", token, region="mars")
    base_url = emu.endpoint("altizure").base_url
    assert connect(emulator=None, token=token, base_url=f"{base_url}/graphql").me()["email"][0]
