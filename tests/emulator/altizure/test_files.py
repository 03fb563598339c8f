"""Meta files and imported models: which names are taken, what becomes of them."""

import io
import zipfile

import pytest

from cupixgeo.emulator.altizure.worker import meta_errors
from tests.emulator.altizure.conftest import sha1

META = (
    "mutation($pid: ID!, $name: String!) { uploadMetaFileS3(pid: $pid, bucket: Paris,"
    " filename: $name) { url file { id state name } } }"
)
MODEL = (
    "mutation($id: ID!, $name: String!) { uploadModelS3(id: $id, bucket: Virginia,"
    " filename: $name) { url file { id state name } } }"
)
DONE = (
    "mutation($id: ID!, $merge: Boolean) { doneModelUpload(id: $id, merge: $merge)"
    " { id importedState } }"
)
GOOD = {
    "pose.txt": b"a b.JPG 46.8 -92.0 200.5\nc.JPG 46.8 -92.0 200 1 -90.0 3e1\n",
    "camera.txt": b"a.JPG 3000 2000 1500\n",
    "group.txt": b"a.JPG 0\nb.JPG 12\n",
}


@pytest.fixture
def pid(alti):
    return alti.create(type="pro")


def upload_meta(alti, pid, name, body):
    made = alti.data(META, pid=pid, name=name)
    assert alti.put(made["url"], body).status_code == 200
    alti.emulator.clock.advance(5)
    return made["file"]["id"]


def meta(alti, pid, id):
    query = (
        "query($pid: ID!, $id: ID!) { project(id: $pid) { metaFile(id: $id)"
        " { state name filesize checksum date error } } }"
    )
    return alti.data(query, pid=pid, id=id)["metaFile"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_meta_file_becomes_ready_without_any_mark(alti, pid, name):
    file = meta(alti, pid, upload_meta(alti, pid, name, GOOD[name]))
    assert (file["state"], file["error"]) == ("Ready", [])
    assert (file["filesize"], file["checksum"]) == (len(GOOD[name]), sha1(GOOD[name]))
    query = (
        "query($pid: ID!, $sha: String!) { project(id: $pid) { hasMetaFile(checksum: $sha)"
        " { state } } }"
    )
    assert alti.data(query, pid=pid, sha=sha1(GOOD[name]))["hasMetaFile"] == {"state": "Ready"}
    assert alti.data(query, pid=pid, sha="0" * 40)["hasMetaFile"] is None


BAD = {
    "pose.txt": (b"a.JPG 46.8 -92.0\n", b"a.JPG 1 2 3\na.JPG 1 2 4\n", b"a.JPG 1 2 x\n", b"\xff"),
    "camera.txt": (b"a.JPG 3000 2000\n", b"3000 2000 1500\n"),
    "group.txt": (b"a.JPG -1\n", b"a.JPG 1.5\n", b"a.JPG\n"),
}


@pytest.mark.parametrize(("name", "body"), [(n, b) for n, bodies in BAD.items() for b in bodies])
def test_a_bad_one_fails_with_its_line(alti, pid, name, body):
    file = meta(alti, pid, upload_meta(alti, pid, name, body))
    assert file["state"] == "Failed"
    assert name in file["error"][0]


def test_a_local_coordinate_system_may_stand_in_the_first_line():
    assert meta_errors("pose.txt", b"coordinatesystem local\na.JPG 1 2 3\n") == []
    assert meta_errors("pose.txt", b"a.JPG 1 2 3\ncoordinatesystem local\n") != []


def test_a_duplicate_is_not_found_any_more(alti, pid):
    upload_meta(alti, pid, "group.txt", GOOD["group.txt"])
    assert meta(alti, pid, upload_meta(alti, pid, "group.txt", GOOD["group.txt"])) is None


def test_other_names_and_other_peoples_projects_are_refused(alti, other, pid):
    assert alti.data(META, pid=pid, name="poses.txt") is None
    assert other.data(META, pid=pid, name="pose.txt") is None
    assert alti.data(META, pid=pid, name="initial.xms.zip")["file"]["state"] == "Pending"


def test_a_meta_file_that_cannot_be_fetched_fails(alti, pid, clock):
    query = (
        "mutation($pid: ID!, $url: String!) { uploadMetaURL(pid: $pid, url: $url) { id state } }"
    )
    made = alti.data(query, pid=pid, url="http://192.0.2.1/pose.txt")
    clock.advance(5)
    assert meta(alti, pid, made["id"])["state"] == "Failed"


# -- imported models -----------------------------------------------------------------------------


def zipped(*names):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, b"v 0 0 0\n" * 500)
    return target.getvalue()


@pytest.fixture
def imported(alti):
    return alti.create(imported=True, modelType="CAD")


def send(alti, pid, pieces, *, merge):
    for name, body in pieces:
        made = alti.data(MODEL, id=pid, name=name)
        assert made["file"]["state"] == "Pending"
        assert alti.put(made["url"], body).status_code == 200
    state = alti.data(DONE, id=pid, merge=merge)["importedState"]
    alti.emulator.clock.advance(60)
    return state, alti.project(pid)


def test_one_zip_is_converted(alti, imported):
    state, project = send(alti, imported, [("pier.zip", zipped("pier.obj"))], merge=False)
    assert state == "Converting"
    assert project["importedState"] == "Ready"
    assert [m["state"] for m in project["importedModels"]] == ["Ready"]


def test_binary_parts_are_joined_when_that_is_asked_for(alti, imported):
    whole = zipped("pier.obj")
    parts = [("pier.zip.part.1", whole[:100]), ("pier.zip.part.2", whole[100:])]
    assert send(alti, imported, parts, merge=False)[1]["importedState"] == "Failed"
    assert send(alti, imported, parts, merge=True)[1]["importedState"] == "Ready"


def test_volumes_need_no_joining_to_be_asked_for(alti, imported):
    whole = zipped("pier.obj")
    parts = [("pier.zip.001", whole[:99]), ("pier.zip.002", whole[99:])]
    assert send(alti, imported, parts, merge=False)[1]["importedState"] == "Ready"


@pytest.mark.parametrize("body", [b"no zip", zipped("readme.txt")])
def test_what_is_no_model_fails_and_says_why(alti, imported, body):
    project = send(alti, imported, [("pier.zip", body)], merge=False)[1]
    assert (project["importedState"], project["errorCode"]) == ("Failed", "EmulatedModelUnreadable")
    assert project["error"]


def test_a_model_larger_than_the_storage_of_the_plan_exceeds_the_limit(alti, imported, at):
    at.store.accounts[0].membership.asset_storage = 1e-7
    state, project = send(alti, imported, [("pier.zip", zipped("a.obj"))], merge=False)
    assert state == project["importedState"] == "LimitExceeded"
    at.store.accounts[0].membership.asset_storage = 10.0
    assert alti.data(MODEL, id=imported, name="pier.zip")["file"]["state"] == "Pending"
    assert alti.project(imported)["importedState"] == "Pending"


@pytest.mark.parametrize("name", ["brücke.zip", "a b.zip", "pier.obj", "a/b.zip"])
def test_names_the_service_does_not_like_are_errors(alti, imported, name):
    assert alti.errors(MODEL, id=imported, name=name) == [f"Invalid filename: {name}"]


def test_a_model_goes_into_an_imported_project_only(alti, other, pid, imported):
    assert alti.data(MODEL, id=pid, name="a.zip") is None
    assert other.data(MODEL, id=imported, name="a.zip") is None
    assert alti.data(DONE, id=pid, merge=False) is None


def test_an_imported_model_is_converted_again_by_a_start(alti, imported, clock):
    send(alti, imported, [("pier.zip", zipped("pier.obj"))], merge=False)
    code, task = alti.start(imported)
    assert code is None
    assert task["state"] == "Pending"
    assert alti.project(imported)["importedState"] == "Converting"
    clock.advance(60)
    assert alti.project(imported)["importedState"] == "Ready"


def test_a_model_by_url_and_the_clean_up(alti, imported, clock):
    by_url = "mutation($pid: ID!, $url: String!) { uploadModelURL(pid: $pid, url: $url) { name } }"
    made = alti.data(by_url, pid=imported, url="http://192.0.2.1/pier.zip")
    assert made == {"name": "pier.zip"}
    alti.data(DONE, id=imported, merge=False)
    clock.advance(60)
    assert alti.project(imported)["importedState"] == "Failed"
    clean = "mutation($id: ID!) { cleanupImportedModel(id: $id) { id } }"
    assert alti.data(clean, id=imported) == {"id": imported}
    assert alti.project(imported)["importedModels"] == []
