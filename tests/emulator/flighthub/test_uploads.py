"""Credentials, callbacks and resources."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.emulator.flighthub.conftest import resource_of

CALLBACK = "/open_model/stores/upload_callback"


def test_a_credential_has_all_documented_fields_and_a_folder_of_its_own(emu, api):
    first, second = api.obtain(), api.obtain()
    assert set(first) == {
        "cloud_name", "access_key_id", "secret_access_key", "session_token", "region",
        "cloud_bucket_name", "callback_param", "store_path", "expire_time", "end_point",
    }  # fmt: skip
    assert first["store_path"].endswith("/{fileName}")
    assert resource_of(first) != resource_of(second)
    assert first["end_point"] == emu.storage_url
    assert first["expire_time"] == int(emu.clock.now() + api.rules.credential_lifetime_s)
    api.rules.end_point_has_scheme = False
    assert api.obtain()["end_point"] == emu.storage_url.removeprefix("http://")


def test_files_are_uploaded_reported_and_make_a_resource(api, photos):
    grant = api.obtain()
    name, content = next(iter(photos.items()))
    etag = api.put(grant, name, content)
    uuid = resource_of(grant)
    assert api.code("GET", f"/open_model/resource/{uuid}") == (404, 200404)
    answer = api.report(grant, [{"name": name, "etag": etag}], resource_name="Pier 4")
    assert answer == {"resource_uuid": uuid, "upload_count": 1, "file_name_list": [name]}
    assert api.data("GET", f"/open_model/resource/{uuid}") == {
        "resource_uuid": uuid,
        "status": 1,
        "resource_size": len(content),
        "file_names": [name],
    }


def test_a_key_opens_its_own_folder_until_it_expires(emu, api):
    grant, other = api.obtain(), api.obtain()
    stolen = {**grant, "store_path": other["store_path"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        api.put(stolen, "a.jpg", b"1")
    emu.clock.advance(api.rules.credential_lifetime_s)
    with pytest.raises(ClientError, match="ExpiredToken"):
        api.put(grant, "a.jpg", b"1")


def test_keys_for_the_whole_organization_open_other_folders_of_it(api, other):
    api.rules.key_scope = "organization"
    grant, second, theirs = api.obtain(), api.obtain(), other.obtain()
    api.put({**second, "store_path": grant["store_path"]}, "a.jpg", b"1")
    with pytest.raises(ClientError, match="AccessDenied"):
        api.put({**second, "store_path": theirs["store_path"]}, "a.jpg", b"1")


def body(grant, **changed):
    files = [{"name": "a.jpg", "etag": "0cc175b9c0f1b6a831c399e269772661"}]
    return {
        "resource_uuid": resource_of(grant),
        "callback_param": grant["callback_param"],
        "files": files,
        **changed,
    }


@pytest.fixture
def grant(api):
    grant = api.obtain()
    api.store(grant, {"a.jpg": b"a"})
    return grant


def entry(name="a.jpg", etag="0cc175b9c0f1b6a831c399e269772661"):
    return {"name": name, "etag": etag}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"resource_uuid": ""}, (200, 200610)),
        ({"resource_uuid": "unknown"}, (404, 200404)),
        ({"callback_param": None}, (200, 200610)),
        ({"callback_param": "unknown"}, (200, 200610)),
        ({"files": []}, (200, 200610)),
        ({"files": None}, (200, 200610)),
        ({"files": ["a.jpg"]}, (200, 200610)),
        ({"files": [entry()] * 2}, (200, 200610)),
        ({"files": [entry(f"{n}.jpg") for n in range(101)]}, (200, 200610)),
        ({"files": [entry("folder/a.jpg")]}, (200, 200610)),
        ({"files": [entry("folder\\a.jpg")]}, (200, 200610)),
        ({"files": [entry(etag="")]}, (200, 200610)),
        ({"files": [entry(etag='"0cc175b9c0f1b6a831c399e269772661"')]}, (200, 990006)),
        ({"files": [entry(etag="0" * 32)]}, (200, 990006)),
        ({"files": [entry("b.jpg")]}, (200, 990006)),
        ({"resource_name": "x" * 256}, (200, 200610)),
    ],
)
def test_a_callback_that_is_wrong_is_refused_and_reports_nothing(api, grant, changed, expected):
    assert api.code("POST", CALLBACK, body(grant, **changed)) == expected
    assert not api.service.uploads.resources


def test_a_callback_needs_a_json_object(api):
    assert api.code("POST", CALLBACK, []) == (200, 200610)
    text = {"content": b"{}", "headers": {"Content-Type": "text/plain"}}
    assert api.code("POST", CALLBACK, **text) == (200, 200610)


def test_the_same_file_may_be_reported_again_and_more_are_added(api, grant):
    api.store(grant, {"b.jpg": b"bb"})
    for name, etag in (("a.jpg", None), ("a.jpg", None), ("b.jpg", None)):
        held = api.service.uploads.bucket().objects[grant["store_path"].replace("{fileName}", name)]
        api.report(grant, [{"name": name, "etag": etag or held.etag}])
    row = api.data("GET", f"/open_model/resource/{resource_of(grant)}")
    assert (row["file_names"], row["resource_size"]) == (["a.jpg", "b.jpg"], 3)


def test_another_credential_s_callback_param_is_refused_unless_the_rules_allow_it(api, grant):
    second = api.obtain()
    listed = api.store(second, {"b.jpg": b"bb"})
    mixed = body(grant, callback_param=second["callback_param"], files=listed)
    assert api.code("POST", CALLBACK, mixed) == (200, 200610)
    api.rules.any_callback_param = True
    assert api.data("POST", CALLBACK, mixed)["upload_count"] == 1


def test_another_organization_sees_nothing_of_it(api, other, grant):
    api.report(grant, [entry()])
    uuid = resource_of(grant)
    assert other.code("GET", f"/open_model/resource/{uuid}") == (404, 200404)
    assert other.code("DELETE", f"/open_model/resource/{uuid}") == (404, 200404)
    assert other.code("POST", CALLBACK, body(grant)) == (200, 200610)


def test_a_resource_may_take_time_to_be_imported(emu, api, grant):
    api.rules.importing_s = 60
    api.report(grant, [entry()])
    path = f"/open_model/resource/{resource_of(grant)}"
    assert api.data("GET", path)["status"] == 0
    emu.clock.advance(60)
    assert api.data("GET", path)["status"] == 1


def test_a_deleted_resource_is_empty_and_frees_the_bucket(api, grant):
    api.report(grant, [entry()])
    path = f"/open_model/resource/{resource_of(grant)}"
    assert api.data("DELETE", path) == {}
    row = api.data("GET", path)
    assert (row["status"], row["file_names"], row["resource_size"]) == (3, None, 0)
    assert not api.service.uploads.bucket().objects
    assert api.data("DELETE", path) == {}
    assert api.code("POST", CALLBACK, body(grant)) == (200, 990006)
    api.store(grant, {"a.jpg": b"a"})
    assert api.code("POST", CALLBACK, body(grant)) == (404, 200404)


def test_the_cloud_s_name_decides_the_protocol(api):
    buckets = {}
    for name in ("aws", "AWS_S3", "ali", "ali_oss", "ALI_OSS"):
        api.rules.cloud_name = name
        grant = api.obtain()
        assert grant["cloud_name"] == name
        buckets[name] = (grant["cloud_bucket_name"], grant["region"])
    assert buckets["aws"] == buckets["AWS_S3"] == ("fh-open-modeling", "eu-central-1")
    assert set(list(buckets.values())[2:]) == {("fh-open-modeling-oss", "oss-cn-hangzhou")}
