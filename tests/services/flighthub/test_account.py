"""Regions, headers, the envelope, and what an account lists."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

import cupixgeo as cx
from cupixgeo.emulator import faults
from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    CupixGeoError,
    NotFoundError,
    NotReadyError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
)
from cupixgeo.services.flighthub.account import FlightHubAccount
from tests.net.conftest import told

TOKEN = "planted" + "-organization-key"
RUNNING = "/open_model/models/running"


def headers_of(emu, account, call):
    """Give the headers of the requests a call makes."""
    seen = []
    service = emu.service("flighthub")
    handle = service.handle
    service.handle = lambda request: seen.append(request.headers) or handle(request)
    try:
        call()
    finally:
        service.handle = handle
    return seen


# -- where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["eu", "us", "cn", " EU "])
def test_regions_have_gateways(region):
    with cx.connect("flighthub", TOKEN, region=region) as account:
        name = region.strip().lower()
        expected = f"https://es-flight-api-{name}.djigate.com/openapi/v0.1"
        assert account.base_url == expected


def test_the_newer_api_is_a_setting():
    path = {"api_path": "/openapi/v2.0"}
    with cx.connect("flighthub", TOKEN, region="cn", assume=path) as account:
        assert account.base_url.endswith("djigate.com/openapi/v2.0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give region="),
        ({"region": "mars"}, "'eu', 'us', 'cn'"),
        ({"base_url": "https://fh.dji.com/openapi/v0.1"}, "web application"),
        ({"region": "eu", "edition": "pro"}, "edition="),
        ({"region": "eu", "assume": {"x": 1}}, "assume= knows"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_without_the_token(options, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        cx.connect("flighthub", TOKEN, **options)
    assert TOKEN not in told(caught.value)


# -- headers and projects ------------------------------------------------------------------------


def test_every_request_has_token_project_language_and_an_id_of_its_own(emu, account):
    project = account.project
    seen = headers_of(emu, account, lambda: (account.running(), account.running()))
    assert [request["x-user-token"] for request in seen] == [emu.endpoint("flighthub").token] * 2
    assert {request["x-project-uuid"] for request in seen} == {project}
    assert {request["x-language"] for request in seen} == {"en"}
    assert len({request["x-request-id"] for request in seen}) == 2


def test_calls_without_a_body_have_no_content_type(emu, account):
    account.resolve_project()
    (request,) = headers_of(emu, account, account.api.obtain_token)
    assert "content-type" not in request


def test_the_only_project_one_has_joined_is_taken(account, service):
    assert account.project == service.directory.projects[0].uuid


def test_a_project_is_given_by_id_by_name_or_in_the_environment(connect, service, monkeypatch):
    joined, other, _ = service.directory.projects
    assert connect(project=joined.uuid).project == joined.uuid
    assert connect(project="Pier 4").project == other.uuid
    monkeypatch.setenv("FLIGHTHUB_PROJECT", "Pier 4")
    assert connect().project == other.uuid


def test_projects_that_cannot_be_told_are_listed(connect, service):
    with pytest.raises(ArgumentError, match=r"called 'Pier'.* 'Pier 4'"):
        connect(project="Pier").running()
    projects = service.directory.projects
    joined = [*projects[:2], projects[2]]
    from dataclasses import replace

    user = service.directory.users[0].user_id
    service.directory.__dict__["projects"] = tuple(
        replace(p, users=frozenset({user})) for p in joined
    )
    with pytest.raises(ArgumentError, match=r"2 FlightHub projects .*'Brighton Beach'.*'Pier 4'"):
        connect().running()


def test_a_project_one_has_not_joined_is_said(connect):
    with pytest.raises(PermissionDeniedError, match="does not allow") as caught:
        connect(project="Pier 4").running()
    assert caught.value.code == "200403"


# -- the envelope --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (200401, AuthenticationError),
        (200403, PermissionDeniedError),
        (200404, NotFoundError),
        (200610, BadRequestError),
        (210429, RateLimitError),
        (210500, ServerError),
        (310001, BadRequestError),
        (-1, BadRequestError),
    ],
)
def test_a_code_in_a_good_answer_is_an_error_with_its_class(emu, account, code, kind):
    account.resolve_project()
    emu.faults.add(
        faults.json_reply({"code": code, "message": "no way.", "data": None}),
        service="flighthub",
        path=RUNNING,
        times=None,
    )
    with pytest.raises(kind, match=rf"code {code}\): no way\. ") as caught:
        account.running()
    error = caught.value
    assert (error.status, error.code) == (200, str(code))
    assert error.request_id in str(error)


def test_codes_can_be_given_a_meaning(emu, connect):
    account = connect(code_texts={310001: "the photos do not overlap"})
    account.resolve_project()
    emu.faults.add(
        faults.json_reply({"code": 310001}), service="flighthub", path=RUNNING, times=None
    )
    with pytest.raises(BadRequestError, match="the photos do not overlap"):
        account.running()


def test_an_http_status_has_its_class_and_the_code_of_the_envelope(emu, connect):
    with pytest.raises(AuthenticationError) as caught:
        connect(token="nobody").projects()
    assert (caught.value.status, caught.value.code) == (401, "200401")
    assert caught.value.request_id
    emu.service("flighthub").rules.auth_status = 200
    with pytest.raises(AuthenticationError, match="another region"):
        connect(token="nobody").system_status()


@pytest.mark.parametrize("content", [{"list": []}, [], "ok", {"code": "0"}, {"code": True}, None])
def test_json_without_a_code_is_not_flighthub(emu, account, content):
    account.resolve_project()
    emu.faults.add(faults.json_reply(content), service="flighthub", path=RUNNING, times=None)
    with pytest.raises(ResponseError, match="not FlightHub's API"):
        account.running()


@pytest.mark.parametrize("data", [[], "x", {"list": {}}, {"list": ["x"]}])
def test_a_list_that_is_none_is_refused(emu, account, data):
    account.resolve_project()
    emu.faults.add(
        faults.json_reply({"code": 0, "data": data}), service="flighthub", path=RUNNING, times=None
    )
    with pytest.raises(ResponseError):
        account.running()


@pytest.mark.parametrize(
    "content",
    [
        {"code": 0, "message": "", "data": {"list": None}},
        {"code": 0, "message": "", "data": None},
        {"code": 0},
        {"code": 231011, "message": "nothing", "data": {}},
    ],
)
def test_nothing_is_an_empty_table_with_its_columns(emu, account, content):
    account.resolve_project()
    emu.faults.add(faults.json_reply(content), service="flighthub", path=RUNNING)
    table = account.running()
    assert table.empty
    assert {"model_uuid", "kind", "state", "model_status"} <= set(table.columns)


def test_a_web_page_says_that_the_address_is_wrong(emu, account):
    emu.faults.add(faults.html_page(), service="flighthub", times=None)
    with pytest.raises(ResponseError, match="base_url"):
        account.projects()


def test_a_call_with_effects_is_never_repeated_by_itself(emu, account):
    account.resolve_project()
    emu.faults.add(faults.server_error(500), service="flighthub", method="POST", times=None)
    emu.journal.clear()
    with pytest.raises(ServerError):
        account.stop_model("x")
    assert len(emu.journal) == 1


# -- lists ---------------------------------------------------------------------------------------


def test_projects_have_times_with_a_zone_and_places(account):
    table = account.projects()
    assert list(table["name"]) == ["Brighton Beach", "Pier 4"]
    assert table["created_at"][0] == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")
    assert table["latitude"][0] == pytest.approx(46.8427)
    assert list(account.projects(joined=True)["name"]) == ["Brighton Beach"]
    assert account.projects(q="nothing like it").empty


def test_models_and_resources_are_series(account, service, photos, state):
    with account.plan(photos, name="x", products=["las", "orthophoto"]).launch() as job:
        job.wait(30)
    (two, three) = service.tasks.tasks.values()
    row = account.model(three.uuid)
    assert (row["kind"], row["state"], row["model_status"]) == ("3d", "done", 15)
    assert account.model(two.uuid)["kind"] == "2d"
    resource = account.resource(three.resource_uuid)
    assert resource["status"] == 1
    assert len(resource["file_names"]) == 5
    account.delete_resource(three.resource_uuid)
    gone = account.resource(three.resource_uuid)
    assert (gone["status"], gone["file_names"]) == (3, [])
    account.delete_model(three.uuid)
    with pytest.raises(NotFoundError):
        account.model(three.uuid)


def test_the_running_list_names_kind_and_state(account, service, emu, photos):
    user = service.directory.users[0]
    from cupixgeo.emulator.flighthub.rules import Outcome
    from cupixgeo.emulator.flighthub.tasks import Task

    task = Task("u-1", 1, "3dgs", user.org_uuid, "r-1", {}, 10, emu.clock.now(), Outcome(),
                (30, 300, 30))  # fmt: skip
    service.tasks.tasks[task.uuid] = task
    row = account.running().iloc[0]
    assert (row["model_uuid"], row["kind"], row["state"]) == ("u-1", "3dgs", "queued")
    account.stop_model("u-1")
    assert account.running().empty
    assert account.model("u-1")["state"] == "cancelled"


def test_an_archive_is_downloaded_by_uuid_and_by_the_number_on_the_map(account, tmp_path, emu):
    (row,) = account.map_models().to_dict("records")
    assert row["create_at"] == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")
    path = account.download_model(row["id"], tmp_path)
    assert path.name == f"flighthub-{row['id']}.zip"
    assert path.stat().st_size == row["size"]
    assert emu.journal.where(origin="storage", carried_token=True) == []
    details = account.map_model(row["id"])
    assert not [name for name in details.index if "url" in name]


def test_a_model_without_an_archive_is_not_ready(account, service, emu, tmp_path, photos, state):
    service.rules.run_s = 1e6
    plan = account.plan(photos, name="x", products=["las"])
    with plan.launch() as job:
        while not service.tasks.tasks:
            assert job.is_active
        (uuid,) = service.tasks.tasks
        with pytest.raises(NotReadyError):
            account.download_model(uuid, tmp_path)
        job.stop()
    assert not list(tmp_path.glob("*.zip"))


def test_a_model_of_a_media_folder_is_ordered_and_listed_when_it_is_made(account, emu):
    number = account.create_map_model(
        "Shore", task_folder_id=4711, crs=32615, generate_model_formats=["las"]
    )
    assert number not in list(account.map_models()["id"])
    emu.clock.advance(1000)
    assert number in list(account.map_models()["id"])


@pytest.mark.parametrize("bad", ["", "../x", "a b", "x/y", "a?b"])
def test_ids_that_are_none_reach_no_path(account, emu, bad):
    emu.journal.clear()
    for call in (account.api.model, account.api.resource, account.api.stop):
        with pytest.raises(ArgumentError, match="no id"):
            call(bad)
    assert not len(emu.journal)


# -- secrets -------------------------------------------------------------------------------------


def test_the_token_is_nowhere_to_be_seen(account, emu, caplog):
    caplog.set_level(logging.DEBUG)
    token = emu.endpoint("flighthub").token
    account.projects()
    account.running()
    shown = [repr(account), account._repr_html_(), repr(account.session), caplog.text]
    shown.append(repr(account.reconnect_options()))
    for fault in (faults.server_error(500), faults.html_page(), faults.json_reply({"code": 1})):
        emu.faults.add(fault, service="flighthub", times=5)
        with pytest.raises(CupixGeoError) as caught:
            account.running()
        shown.append(told(caught.value))
        emu.faults.clear()
    assert not [text for text in shown if token in text]


def test_it_is_registered(emu):
    with cx.connect("flighthub", emulator=emu) as account:
        assert isinstance(account, FlightHubAccount)
