import logging
import pickle
import warnings
import zipfile

import pytest

import cupixgeo as cx
from cupixgeo.emulator import faults
from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    CredentialError,
    CupixGeoError,
    CupixGeoWarning,
    NotFoundError,
    NotReadyError,
    ResponseError,
)
from cupixgeo.services.openscan.account import API_ROOT, request_token
from tests.net.conftest import told


@pytest.fixture
def token(emu):
    return emu.endpoint("openscan").token


@pytest.fixture
def project(emu, account, photos):
    """A project that is done in half an hour."""
    service = emu.service("openscan")
    upload = photos / "P_1.jpg"
    size = upload.stat().st_size
    params = {"project": "a.zip", "photos": 1, "parts": 1, "filesize": size}
    account.session.json("GET", "createProject", params=params)
    (made,) = service.projects
    made.started, made.upload = emu.clock.now(), upload
    made.stages = [("processing started", emu.clock.now() + 1800)]
    return made


# -- access ---------------------------------------------------------------------------------------


def test_the_public_service_is_used_only_by_those_who_accept_that_it_is_open():
    with pytest.raises(CredentialError, match="plain_http=True") as caught:
        cx.connect("openscan", "planted-private-token")
    assert "planted" not in told(caught.value)
    with cx.connect("openscan", "planted-private-token", plain_http=True) as account:
        assert account.base_url == API_ROOT
        assert account.reconnect_options()["plain_http"] is True


def test_the_token_is_found_where_openscan_s_own_software_keeps_it(emu, token, monkeypatch):
    monkeypatch.setenv("OPENSCANCLOUD_TOKEN", token)
    with cx.connect("openscan", base_url=emu.endpoint("openscan").base_url) as account:
        assert account.token_info()["limit_photos"][0] == 1000


def test_a_token_that_looks_shared_is_warned_about(emu):
    shared = emu.endpoint("openscan", account=1).token
    with pytest.warns(CupixGeoWarning, match="looks like a shared one"):
        cx.connect("openscan", shared, emulator=emu).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cx.connect("openscan", emulator=emu).close()


@pytest.mark.parametrize(
    "options", [{"region": "eu"}, {"assume": {"parts": 5}}, {"assume": {"part_bytes": 200_000_001}},
                {"assume": {"part_bytes": 0}}, {"assume": {"patience": -1}}],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(emu, options):
    with pytest.raises(ArgumentError):
        cx.connect("openscan", emulator=emu, **options)


def test_a_token_is_asked_for_once(emu):
    service, base_url = emu.service("openscan"), emu.endpoint("openscan").base_url
    request_token("a@b.example", "A", "B", base_url=base_url)
    assert service.requested == [{"mail": "a@b.example", "forename": "A", "lastname": "B"}]
    with pytest.raises(ArgumentError, match="forename"):
        request_token("a@b.example", " ", "B", base_url=base_url)
    with pytest.raises(CredentialError, match="no encryption"):
        request_token("a@b.example", "A", "B")
    emu.faults.add(faults.lost_reply(), service="openscan", path="/requestToken")
    with pytest.raises(ConnectionFailedError):
        request_token("a@b.example", "A", "B", base_url=base_url)
    assert len(service.requested) == 2


# -- asking ---------------------------------------------------------------------------------------


def test_token_info_is_a_table_with_units(account):
    table = account.token_info()
    assert table.to_dict("records") == [
        {"credit": 24468629501, "limit_filesize": 2000000000, "limit_photos": 1000}
    ]
    assert table.attrs["columns"]["credit"]["unit"] == "byte"


def test_a_wrong_token_is_a_bad_request_that_does_not_show_it(connect):
    with pytest.raises(BadRequestError) as caught:
        connect(token="planted-wrong-token").token_info()
    assert "planted" not in told(caught.value)


def test_the_queue_and_the_state_of_the_service(emu, account):
    assert account.queue_estimate_s() == 2750.0
    assert account.is_online()
    emu.faults.add(faults.json_reply({"message": "?"}), service="openscan", times=2)
    with pytest.raises(ResponseError, match="no time"):
        account.queue_estimate_s()
    assert not account.is_online()


def test_a_401_is_about_the_credentials_or_about_the_project(emu, account, project):
    assert account.project("a.zip").status
    with pytest.raises(NotFoundError, match=r"'b\.zip'"):
        account.project("b.zip")
    refused = faults.json_reply({"error": "Unauthorized access"}, status=401)
    emu.faults.add(refused, service="openscan", path="/getProjectInfo")
    with pytest.raises(AuthenticationError, match="Unauthorized access"):
        account.project("a.zip")


def test_an_empty_answer_means_that_there_is_no_project(emu, account):
    emu.service("openscan").settings.unknown_is_empty = True
    with pytest.raises(NotFoundError):
        account.project("a.zip")


def test_links_are_not_shown(emu, account, project):
    emu.clock.advance(3600)
    info = account.project("a.zip")
    assert info.result is not None
    assert len(info.uploads) == 1
    for link in (info.result, *info.uploads):
        assert link.reveal() not in repr(info)


def test_a_reset_is_sent_once_whatever_happens(emu, account, project):
    emu.faults.add(faults.server_error(503), service="openscan", path="/resetProject")
    with pytest.raises(CupixGeoError):
        account.reset("a.zip")
    assert len(emu.journal.where(path="*/resetProject")) == 1
    account.reset("a.zip")
    with pytest.raises(BadRequestError):
        account.reset("a.zip")


# -- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["share", "page", "direct"])
def test_a_result_is_downloaded_through_each_shape_of_link(emu, account, project, tmp_path, shape):
    emu.service("openscan").settings.link_shape = shape
    emu.clock.advance(3600)
    path = account.download("a.zip", tmp_path)
    assert path == tmp_path / "openscan-a.zip"
    assert "model.obj" in zipfile.ZipFile(path).namelist()
    assert not any(entry.carried_token for entry in emu.journal.where(origin="storage"))


def test_a_result_that_is_not_there_says_why(emu, account, project, tmp_path):
    with pytest.raises(NotReadyError, match="not there yet"):
        account.download("a.zip", tmp_path)
    emu.clock.advance(365 * 86_400)
    with pytest.raises(NotReadyError, match="not kept any more"):
        account.download("a.zip", tmp_path)
    with pytest.raises(NotFoundError):
        account.download("b.zip", tmp_path)
    assert list(tmp_path.glob("openscan*")) == []


# -- secrets --------------------------------------------------------------------------------------

FAULTS = [
    faults.html_page(400),
    faults.json_reply({"error": "Unauthorized access"}, status=401),
    faults.server_error(500),
    faults.html_page(),
    faults.truncated_json(),
    faults.no_answer(),
    faults.json_reply([]),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_error_holds_the_token(emu, account, project, token, tmp_path, fault, caplog):
    caplog.set_level(logging.DEBUG)
    emu.faults.add(fault, service="openscan", times=None)
    raised = []
    for call in (
        account.token_info,
        lambda: account.project("a.zip"),
        lambda: account.reset("a.zip"),
        lambda: account.download("a.zip", tmp_path),
    ):
        try:
            call()
        except CupixGeoError as error:
            raised.append(error)
    assert len(raised) >= 3
    for error in raised:
        assert token not in told(error)
        assert token.encode() not in pickle.dumps(error)
    assert token not in caplog.text + repr(account) + account._repr_html_()
