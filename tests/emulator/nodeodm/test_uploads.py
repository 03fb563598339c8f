import io
import json
import zipfile

import pytest

from tests.emulator.nodeodm.conftest import PHOTOS

UUID = "11111111-2222-4333-8444-555555555555"


def zipped(**members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return target.getvalue()


def put(node, uuid, name, content):
    files = [("images", (name, content, "application/octet-stream"))]
    return node.post(f"/task/new/upload/{uuid}", files=files)


def test_a_task_is_announced_filled_and_committed(node):
    uuid = node.init(name="Pier 4")["uuid"]
    for photo in PHOTOS[:3]:
        assert node.upload(uuid, photo) == {"success": True}
    assert node.at.pending == {uuid: [photo.name for photo in PHOTOS[:3]]}
    assert node.get("/task/list") == []
    assert node.info(uuid) == {"error": f"{uuid} not found"}
    assert node.commit(uuid) == {"uuid": uuid}
    assert node.get("/task/list") == [{"uuid": uuid}]
    assert node.info(uuid)["imagesCount"] == 3
    assert node.info(uuid)["name"] == "Pier 4"
    assert node.at.image(uuid, PHOTOS[0].name) == PHOTOS[0].read_bytes()


def test_several_files_may_come_in_one_request(node):
    uuid = node.init()["uuid"]
    assert node.upload(uuid, *PHOTOS[:4]) == {"success": True}
    assert len(node.at.pending[uuid]) == 4


def test_everything_may_come_in_one_request(node):
    files = [("images", (p.name, p.read_bytes(), "image/jpeg")) for p in PHOTOS[:2]]
    answer = node.post("/task/new", files=files, data={"name": "x"}, headers={"set-uuid": UUID})
    assert answer == {"uuid": UUID}
    assert node.info(UUID)["imagesCount"] == 2


@pytest.mark.parametrize("bad", ["abc", UUID[:-1], UUID.replace("4333", "9333"), UUID + "0"])
def test_an_id_that_is_no_uuid_is_refused(node, bad):
    assert node.init(uuid=bad) == {"error": f"Invalid set-uuid: {bad}"}


def test_an_id_is_taken_once_but_may_be_announced_again_before_the_commit(node):
    assert node.init(uuid=UUID, name="one") == {"uuid": UUID}
    node.upload(UUID, *PHOTOS[:2])
    assert node.init(uuid=UUID, name="two") == {"uuid": UUID}
    assert len(node.at.pending[UUID]) == 2
    node.commit(UUID)
    assert node.info(UUID)["name"] == "two"
    assert node.init(uuid=UUID) == {"error": f"Invalid set-uuid: {UUID}"}


def test_a_second_file_of_the_same_name_is_kept_beside_the_first(node):
    uuid = node.init()["uuid"]
    for _ in range(3):
        node.upload(uuid, PHOTOS[0])
    assert node.at.pending[uuid] == ["DJI_0018.JPG", "DJI_0018_.JPG", "DJI_0018__.JPG"]


def test_a_seed_is_unpacked_over_the_images_and_is_none_itself(node):
    uuid = node.init()["uuid"]
    put(node, uuid, "a.jpg", b"cut o")
    node.upload(uuid, PHOTOS[1])
    seed = zipped(images__a_DOT_jpg=PHOTOS[0].read_bytes(), opensfm__exif="x")
    put(node, uuid, "seed.zip", seed)
    node.commit(uuid)
    assert node.info(uuid)["imagesCount"] == 2
    assert node.at.image(uuid, "a.jpg") == PHOTOS[0].read_bytes()


def test_a_seed_that_is_cut_off_makes_the_task_fail(node):
    uuid = node.init()["uuid"]
    node.upload(uuid, *PHOTOS[:2])
    put(node, uuid, "seed.zip", zipped(images__a_DOT_jpg="x")[:-30])
    node.commit(uuid)
    assert node.info(uuid)["status"] == {
        "code": 30,
        "errorMessage": "Could not extract .zip file, 7z exited with code 2",
    }


def test_a_seed_cannot_leave_the_task(node):
    uuid = node.init()["uuid"]
    node.upload(uuid, *PHOTOS[:2])
    put(node, uuid, "seed.zip", zipped(**{"..__..__evil_DOT_jpg": "x", "__abs_DOT_jpg": "y"}))
    node.commit(uuid)
    assert node.info(uuid)["imagesCount"] == 2


def test_texts_and_archives_are_no_images(node):
    uuid = node.init()["uuid"]
    node.upload(uuid, *PHOTOS[:2])
    put(node, uuid, "gcp_list.txt", b"EPSG:32615\n")
    put(node, uuid, "more.zip", b"PK")
    assert node.commit(uuid) == {"uuid": uuid}
    assert node.info(uuid)["imagesCount"] == 2


def test_an_upload_without_files_is_refused_for_good(node):
    uuid = node.init()["uuid"]
    answer = node.post(f"/task/new/upload/{uuid}", files={"name": (None, "x")})
    assert answer == {"error": "Need at least 1 file.", "noRetry": True}
    assert node.post(f"/task/new/upload/{uuid}")["noRetry"]


def test_files_in_another_field_are_refused(node):
    uuid = node.init()["uuid"]
    assert node.upload(uuid, PHOTOS[0], field="photos") == {"error": "Unexpected field"}
    assert node.post("/task/new/init", files={"images": ("a.jpg", b"x")}) == {
        "error": "Unexpected field"
    }


def test_a_form_that_is_cut_off_is_refused(node):
    uuid = node.init()["uuid"]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = node.post(f"/task/new/upload/{uuid}", content=b"--b\r\n", headers=headers)
    assert answer == {"error": "Unexpected end of form"}


@pytest.mark.parametrize("step", ["upload", "commit"])
def test_an_id_nobody_announced_is_refused(node, step):
    assert node.post(f"/task/new/{step}/{UUID}") == {"error": "Invalid uuid (not found)"}


def test_a_commit_without_files_throws_the_upload_away(node):
    uuid = node.init()["uuid"]
    assert node.commit(uuid) == {"error": "Need at least 1 file."}
    assert node.commit(uuid) == {"error": "Invalid uuid (not found)"}


def test_a_task_is_committed_once(node):
    uuid = node.task()
    assert node.commit(uuid) == {"error": "Invalid uuid (not found)"}
    assert len(node.get("/task/list")) == 1


def test_too_many_files_are_found_out_after_the_commit(node):
    node.at.settings.max_images = 3
    uuid = node.task(PHOTOS[:4])
    told = "4 images uploaded, but this node can only process up to 3."
    assert node.info(uuid)["status"] == {"code": 30, "errorMessage": told}
    files = [("images", (p.name, p.read_bytes(), "image/jpeg")) for p in PHOTOS[:4]]
    assert node.post("/task/new", files=files) == {"error": told}


def test_an_upload_nobody_touches_is_thrown_away(emu, node):
    uuid = node.init()["uuid"]
    emu.clock.advance(2 * 86400 - 10)
    node.upload(uuid, PHOTOS[0])
    emu.clock.advance(2 * 86400 - 10)
    assert node.at.pending[uuid]
    emu.clock.advance(20)
    assert node.commit(uuid) == {"error": "Invalid uuid (not found)"}


def test_an_address_of_a_zip_is_refused_because_nothing_is_fetched(node):
    answer = node.post("/task/new", files={"zipurl": (None, "http://a/b.zip")})
    assert "fetches nothing" in answer["error"]
    assert node.post("/task/new", files={"name": (None, "x")}) == {
        "error": "Need at least 1 file or a zip file url."
    }


def test_a_webhook_is_taken_and_not_called(emu, node):
    node.task(webhook="http://127.0.0.1:9/hook")
    emu.clock.advance(1000)
    assert json.dumps(node.get("/task/list"))
