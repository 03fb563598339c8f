import logging
import pickle

import numpy as np
import pandas as pd
import pytest

import cupixgeo as cx
from cupixgeo.emulator import faults
from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    CredentialError,
    CupixGeoError,
    NotFoundError,
    NotReadyError,
    PermissionDeniedError,
    ResponseError,
)
from cupixgeo.services.teleport.files import Choice
from cupixgeo.services.teleport.settings import TeleportSettings
from tests.net.conftest import told
from tests.services.teleport.samples import add_capture


@pytest.fixture
def key(emu):
    return emu.endpoint("teleport").token


# -- credentials ----------------------------------------------------------------------------------


def test_the_key_is_found_in_the_environment(emu, key, monkeypatch):
    monkeypatch.setenv("TELEPORT_TOKEN", key)
    with cx.connect("teleport", base_url=emu.endpoint("teleport").base_url) as account:
        assert account.captures().empty


@pytest.mark.parametrize("wrong", ["only-half", "id:", ":secret"])
def test_half_a_key_is_refused(emu, wrong):
    with pytest.raises(CredentialError, match="client_id:client_secret"):
        cx.connect("teleport", wrong, base_url=emu.endpoint("teleport").base_url)


def test_a_wrong_key_is_said_and_not_shown(emu):
    with cx.connect("teleport", "nobody:planted-secret", emulator=emu) as account:
        with pytest.raises(AuthenticationError, match="invalid_client") as caught:
            account.captures()
        assert "planted-secret" not in told(caught.value)


def test_the_real_service_has_two_addresses():
    with cx.connect("teleport", "id:secret") as account:
        assert account.base_url == "https://teleport.varjo.com"
        assert repr(account._signer) == (
            "<ClientCredentials https://signin.teleport.varjo.com/oauth2/token>"
        )
        assert account.reconnect_options()["assume"]["per_page"] == 25


@pytest.mark.parametrize(
    "options", [{"region": "eu"}, {"assume": {"pages": 5}}, {"assume": {"per_page": 0}},
                {"assume": {"quat_order": "zyx"}}, {"base_url": "ftp://x"}],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(options):
    with pytest.raises(ArgumentError):
        cx.connect("teleport", "id:secret", **options)


def test_a_token_that_expires_is_renewed_without_a_word(emu, account):
    account.captures()
    emu.service("teleport").tokens.expire_all()
    account.captures()
    emu.clock.advance(7200)
    account.captures()
    assert len(emu.journal.where(path="*/oauth2/token")) == 3
    assert len(emu.journal.where(status=401)) == 1


# -- captures -------------------------------------------------------------------------------------


def test_no_captures_are_a_table_with_its_columns(account):
    table = account.captures()
    assert table.empty
    assert str(table["created"].dtype) == "datetime64[us, UTC]"
    assert {"eid", "state", "sid", "error_reason_slug"} <= set(table.columns)


def test_captures_are_read_page_after_page(emu, connect):
    made = [add_capture(emu, f"n{n:02d}").eid for n in range(53)]
    table = connect().captures()
    assert list(table["eid"]) == made[::-1]
    assert [e.query["offset"] for e in emu.journal.where(path="*/captures")] == ["0", "25", "50"]
    emu.journal.clear()
    assert len(connect(assume={"per_page": 53}).captures()) == 53
    assert len(emu.journal.where(path="*/captures")) == 2


def test_a_list_that_grows_between_pages_repeats_nobody(emu, connect):
    for number in range(4):
        add_capture(emu, f"n{number}")
    account = connect(assume=TeleportSettings(per_page=2))
    newer = {"eid": "zz", "name": "new"}
    first = account.session.json("GET", "api/v1/captures", params={"limit": 2, "offset": 0})
    shifted = faults.json_reply([newer, first[0]])
    emu.faults.add(shifted, service="teleport", path="/api/v1/captures")
    eids = list(account.captures()["eid"])
    assert len(eids) == len(set(eids)) == 4


def test_a_service_that_sends_the_same_page_for_ever_is_not_read_for_ever(emu, connect):
    same = faults.json_reply([{"eid": "a", "name": "x"}])
    emu.faults.add(same, service="teleport", path="/api/v1/captures", times=None)
    assert len(connect(assume={"per_page": 1}).captures()) == 1


def test_a_list_that_is_none_is_empty_and_anything_else_is_refused(emu, account):
    emu.faults.add(faults.json_reply(None), service="teleport", path="/api/v1/captures")
    assert account.captures().empty
    emu.faults.add(faults.json_reply({"items": []}), service="teleport", path="/api/v1/captures")
    with pytest.raises(ResponseError, match="else than a list"):
        account.captures()


def test_captures_are_found_by_name(emu, account):
    add_capture(emu, "pier 4.zip")
    add_capture(emu, "quay.zip")
    assert list(account.captures(name="pier")["name"]) == ["pier 4.zip"]


def test_times_without_a_zone_are_utc(emu, account):
    add_capture(emu)
    expected = pd.Timestamp(emu.clock.now(), unit="s", tz="UTC")
    assert account.captures()["created"][0] == account.captures()["uploaded"][0] == expected


def test_a_capture_is_renamed_and_deleted(emu, account):
    eid = add_capture(emu).eid
    assert account.rename(eid, "quay")["name"][0] == "quay"
    account.delete(eid)
    assert account.captures().empty
    with pytest.raises(NotFoundError):
        account.delete(eid)
    with pytest.raises(ArgumentError, match="not blank"):
        account.rename(eid, " ")


@pytest.mark.parametrize("eid", ["../x", "", None, "a/b", "a?b"])
def test_what_is_no_id_never_becomes_a_path(emu, account, eid):
    with pytest.raises(ArgumentError, match="not the id"):
        account.delete(eid)
    assert len(emu.journal) == 0


def test_what_is_wrong_with_a_request_is_told_field_by_field(account):
    with pytest.raises(BadRequestError, match="bytesize: ensure this value is at least 1") as error:
        account.session.json("POST", "api/v1/captures", body={"name": "a", "bytesize": 0})
    assert error.value.code == "value_error.number"
    with pytest.raises(BadRequestError, match="name: field required; bytesize: field required"):
        account.session.json("POST", "api/v1/captures", body={})


def test_a_plan_that_does_not_include_something_is_told(emu, connect):
    model = {
        "splat_count": 500_000, "training_resolution": 1600, "spherical_harmonics_degrees": 0,
        "level_of_detail": False,
    }  # fmt: skip
    poor = connect(token=emu.endpoint("teleport", account=1).token)
    body = {"name": "a", "bytesize": 1, "training_parameters": {"modelv3": model}}
    with pytest.raises(PermissionDeniedError, match="pay-as-you-go"):
        poor.session.json("POST", "api/v1/captures", body=body)


# -- models ---------------------------------------------------------------------------------------


def test_models_are_listed_with_boxes_and_leaves(emu, account):
    capture = add_capture(emu)
    table = account.models(capture.eid, lod=True)
    assert list(table["is_leaf"]) == [False, True, True]
    assert list(table["parent"].fillna("")) == ["", "0", "0"]
    assert (table["x_min"] < table["x_max"]).all()
    assert table["size"].min() > 0
    assert table.attrs["columns"]["x_min"]["unit"] == "scene unit"
    (one,) = account.models(capture.sid, profile="sogs-sh0", quality="sd").to_dict("records")
    assert (one["profile"], one["is_leaf"]) == ("sogs-sh0", True)


def test_a_capture_is_named_by_either_id(emu, account):
    capture = add_capture(emu)
    assert account.metadata(capture.eid).sid == account.metadata(capture.sid).sid == capture.sid


def test_a_capture_that_is_not_ready_says_what_it_is(emu, account):
    waiting = add_capture(emu, is_ready=False)
    failed = add_capture(emu, outcome="POSE_REFINEMENT_FAILED")
    with pytest.raises(NotReadyError, match=r"it is CREATED\. Try again later"):
        account.metadata(waiting.eid)
    with pytest.raises(NotReadyError, match=r"it is ERROR\. It failed"):
        account.models(failed.eid)
    with pytest.raises(NotFoundError, match=r"captures\(\) lists"):
        account.models("nothinghere1")


def test_a_profile_that_was_not_made_is_told(emu, account):
    capture = add_capture(emu)
    with pytest.raises(NotReadyError, match="'fragment-chunk1'"):
        account.metadata(capture.sid, profile="fragment-chunk1")
    with pytest.raises(NotReadyError, match="unity"):
        account.metadata_v2(capture.sid, coord_system="unity")
    with pytest.raises(ArgumentError, match="'sd' or 'hd'"):
        account.metadata(capture.sid, quality="best")


def test_the_second_version_is_asked_for_by_segment_crop_and_coordinates(emu, account):
    capture = add_capture(emu)
    metadata = account.metadata_v2(
        capture.eid, segment=capture.segment, crop_variant="autocrop", coord_system="colmap"
    )
    assert metadata.coord_system == "colmap"
    assert "gps_transformation" in metadata.extra
    assert "autocrop" in metadata.model_url.reveal()
    entry = emu.journal[-1]
    assert entry.path.endswith(f"/api/v2/captures/{capture.sid}-{capture.segment}/metadata")
    assert entry.query == {
        "content_profile": "ply", "crop_variant": "autocrop", "coord_system": "colmap",
    }  # fmt: skip


def test_cameras_come_with_poses_or_with_the_names_of_their_photos(emu, account):
    capture = add_capture(emu)
    poses, named = account.cameras(capture.sid), account.cameras(capture.sid, coord_system="colmap")
    assert len(poses) == len(named) == 18
    assert named["image_name"][0] == "DJI_0018.JPG"
    np.testing.assert_allclose(poses[["x", "y", "z"]], named[["x", "y", "z"]])
    np.testing.assert_allclose(poses["matrix"][0][:3, 3], poses.loc[0, ["x", "y", "z"]].tolist())


def test_a_model_is_downloaded_under_the_capture_s_id(emu, account, tmp_path):
    capture = add_capture(emu)
    path = account.download(capture.eid, tmp_path)
    assert path == tmp_path / f"teleport-{capture.sid}-ply.ply"
    assert path.stat().st_size == account.models(capture.sid)["size"][0]
    bundle = account.download(capture.eid, tmp_path, choice=Choice("sogs-sh0"))
    assert bundle.suffix == ".zip"
    assert {e.carried_token for e in emu.journal.where(origin="storage")} == {False}


def test_one_of_several_models_is_chosen_by_its_number(emu, account, tmp_path):
    capture = add_capture(emu)
    tree = Choice(quality="sd", is_lod=True)
    with pytest.raises(ArgumentError, match=r"model=; \[1, 2\] are the finest"):
        account.download(capture.sid, tmp_path, choice=tree)
    path = account.download(capture.sid, tmp_path, choice=tree, model=2)
    assert path.name == f"teleport-{capture.sid}-ply-2.ply"


def test_a_link_that_expires_is_asked_for_again(emu, account, tmp_path):
    capture = add_capture(emu)
    emu.faults.add(faults.expired_midway(100_000), service="storage")
    path = account.download(capture.sid, tmp_path)
    assert path.stat().st_size == account.models(capture.sid)["size"][0]
    assert len(emu.journal.where(path="*/share/*/metadata")) >= 2


# -- secrets --------------------------------------------------------------------------------------

FAULTS = [
    faults.json_reply({"detail": "bad"}, status=400),
    faults.json_reply({"detail": [{"loc": ["body"], "msg": "bad", "type": "x"}]}, status=422),
    faults.json_reply({"detail": "no"}, status=401),
    faults.json_reply(None, status=403),
    faults.server_error(500),
    faults.html_page(),
    faults.truncated_json(),
    faults.no_answer(),
    faults.json_reply([{"eid": 5}]),
    faults.json_reply({"models": [{"size": 1}]}),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("path", ["/oauth2/token", "/api/*", "/share/*"])
def test_no_error_holds_key_token_or_signature(emu, connect, key, tmp_path, fault, path, caplog):
    caplog.set_level(logging.DEBUG)
    capture = add_capture(emu)
    account = connect()
    if path != "/oauth2/token":
        account.captures()
    emu.faults.add(fault, service="teleport", path=path, times=None)
    token = account._signer._token
    leaks = [key, key.partition(":")[2], "X-Emu-Signature"]
    leaks += [token.reveal()] if token is not None else []
    raised = []
    for call in (
        account.captures,
        lambda: account.models(capture.sid),
        lambda: account.cameras(capture.sid, coord_system="colmap"),
        lambda: account.download(capture.sid, tmp_path),
    ):
        try:
            call()
        except CupixGeoError as error:
            raised.append(error)
    assert raised
    for error in raised:
        for leak in leaks:
            assert leak not in told(error)
            assert leak.encode() not in pickle.dumps(error)
    assert not any(leak in caplog.text + repr(account) + account._repr_html_() for leak in leaks)
