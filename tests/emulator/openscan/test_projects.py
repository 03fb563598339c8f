import httpx
import pytest

from cupixgeo.emulator import faults
from tests.emulator.openscan.conftest import BASIC, OpenScan, zip_of


def test_every_endpoint_is_a_get(openscan):
    for path in ("/getTokenInfo", "/createProject", "/startProject", "/resetProject"):
        assert openscan.http.post(path, params={"token": openscan.token}).status_code == 405
    assert openscan.get("/nothing").status_code == 404


@pytest.mark.parametrize("auth", [None, ("openscan", "wrong"), ("someone", "free")])
def test_wrong_basic_credentials_are_refused_in_json(openscan, auth):
    answer = httpx.get(
        f"{openscan.base_url}/getTokenInfo", params={"token": openscan.token}, auth=auth
    )
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized access"})


def test_the_status_needs_no_credentials(openscan):
    assert httpx.get(f"{openscan.base_url}/status").json() == {"status": "online"}


def test_the_queue_estimate_needs_no_token(openscan):
    answer = httpx.get(f"{openscan.base_url}/getQueueEstimate", auth=BASIC)
    assert answer.json() == {"estimated_time_seconds": 2750.0}


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize(
    "path", ["getTokenInfo", "createProject", "startProject", "getProjectInfo", "resetProject"]
)
def test_a_missing_or_unknown_token_is_a_400_that_never_says_why(openscan, path, token):
    params = {"project": "a.zip", **({"token": token} if token else {})}
    answer = openscan.http.get(f"/{path}", params=params)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "could not understand" in answer.text


def test_token_info_is_that_of_the_guide_s_sample(openscan):
    assert openscan.get("/getTokenInfo").json() == {
        "credit": 24468629501, "limit_filesize": 2000000000, "limit_photos": 1000,
    }  # fmt: skip


def test_a_token_is_asked_for_with_three_names(emu, openscan):
    wanted = {"mail": "a@b.example", "forename": "A", "lastname": "B"}
    assert openscan.get("/requestToken", **wanted).json() == {}
    assert openscan.get("/requestToken", mail="a@b.example").status_code == 400
    assert emu.service("openscan").requested == [wanted]


def test_creating_gives_a_link_for_each_part_and_takes_the_credit(openscan, photos_zip):
    made = openscan.create(photos_zip, parts=2).json()
    assert made.keys() == {"status", "ulink", "credit"}
    assert made["status"] == "created"
    assert len(set(made["ulink"])) == 2
    left = openscan.get("/getTokenInfo").json()["credit"]
    assert made["credit"] == left == 24468629501 - len(photos_zip)


def test_the_credit_in_the_answer_can_be_the_one_used(openscan, settings, photos_zip):
    settings.credit_is_remaining = False
    assert openscan.create(photos_zip).json()["credit"] == len(photos_zip)


@pytest.mark.parametrize(
    "changes",
    [
        {"photos": 0}, {"photos": "many"}, {"photos": 1001}, {"parts": 0}, {"parts": "1.5"},
        {"filesize": 0}, {"filesize": 2_000_000_001}, {"parts": 2, "filesize": 400_000_001},
        {"project": ""}, {"project": "a/b.zip"}, {"project": "a b.zip"}, {"photos": None},
    ],
)  # fmt: skip
def test_what_is_beyond_a_limit_or_malformed_is_refused(openscan, changes):
    params = {"project": "a.zip", "photos": 3, "parts": 1, "filesize": 1000, **changes}
    params = {name: value for name, value in params.items() if value is not None}
    assert openscan.get("/createProject", **params).status_code == 400


def test_what_is_beyond_the_credit_is_refused(emu, openscan):
    emu.service("openscan").accounts[0].credit = 999
    params = {"project": "a.zip", "photos": 3, "parts": 1, "filesize": 1000}
    assert openscan.get("/createProject", **params).status_code == 400
    emu.service("openscan").settings.checks_limits = False
    assert openscan.get("/createProject", **params).status_code == 200


def test_extra_and_repeated_parameters_are_ignored(openscan):
    pairs = [
        ("token", openscan.token), ("project", "a.zip"), ("photos", "3"), ("parts", "1"),
        ("filesize", "1000"), ("partslist", "/home/me/a.zip_1"), ("partslist", "/home/me/a.zip_2"),
        ("padding", "x" * 4000),
    ]  # fmt: skip
    assert openscan.http.get("/createProject", params=pairs).status_code == 200


def test_a_name_is_taken_once_it_was_started(openscan, settings, photos_zip):
    first = openscan.create(photos_zip).json()["ulink"]
    second = openscan.create(photos_zip).json()["ulink"]
    assert first != second
    assert openscan.send(first[0], photos_zip).status_code == 409
    assert openscan.get("/getTokenInfo").json()["credit"] == 24468629501 - len(photos_zip)
    openscan.send(second[0], photos_zip)
    openscan.get("/startProject", project="a-OSC.zip")
    assert openscan.create(photos_zip).status_code == 400
    settings.refuses_existing = False
    assert openscan.create(photos_zip).status_code == 200


def test_starting_needs_all_parts(openscan, photos_zip):
    links = openscan.create(photos_zip, parts=2).json()["ulink"]
    half = len(photos_zip) // 2
    assert openscan.get("/startProject", project="a-OSC.zip").status_code == 400
    openscan.send(links[1], photos_zip[half:])
    assert openscan.get("/startProject", project="a-OSC.zip").status_code == 400
    openscan.send(links[0], photos_zip[:half])
    answer = openscan.get("/startProject", project="a-OSC.zip")
    assert (answer.status_code, answer.json()) == (200, {"status": "initialized"})
    assert openscan.get("/startProject", project="a-OSC.zip").status_code == 400
    assert openscan.get("/startProject", project="nothing.zip").status_code == 400


def test_the_answer_of_2021_can_be_had(openscan, settings, photos_zip):
    settings.start_word = "started"
    assert openscan.start(photos_zip).json() == {"status": "started"}


def test_a_project_goes_through_its_states_by_the_clock(emu, openscan, photos_zip):
    openscan.upload(photos_zip)
    seen = [openscan.info()["status"]]
    openscan.get("/startProject", project="a-OSC.zip")
    for seconds in (0, 60, 60, 1800):
        emu.clock.advance(seconds)
        seen.append(openscan.info()["status"])
        assert (openscan.info()["dlink"] == "") == (seconds != 1800)
    assert seen == [
        "created", "initialized", "file approved", "processing started", "processing done",
    ]  # fmt: skip


def test_a_project_can_end_by_being_asked(openscan, settings, photos_zip):
    settings.ready_after_polls = 4
    openscan.start(photos_zip)
    seen = [openscan.info()["status"] for _ in range(4)]
    assert seen == ["initialized", "file approved", "processing started", "processing done"]


def test_an_unknown_project_is_401_without_an_error_in_json(openscan, settings):
    answer = openscan.get("/getProjectInfo", project="nothing.zip")
    assert answer.status_code == 401
    assert "error" not in answer.text
    settings.unknown_is_empty = True
    answer = openscan.get("/getProjectInfo", project="nothing.zip")
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_reset_frees_the_name_and_gives_nothing_back(openscan, settings, photos_zip):
    openscan.finish(photos_zip)
    assert openscan.get("/resetProject", project="a-OSC.zip").json() == {}
    assert openscan.get("/getProjectInfo", project="a-OSC.zip").status_code == 401
    assert openscan.get("/resetProject", project="a-OSC.zip").status_code == 400
    assert openscan.get("/getTokenInfo").json()["credit"] == 24468629501 - len(photos_zip)
    settings.refunds = True
    openscan.upload(photos_zip)
    openscan.get("/resetProject", project="a-OSC.zip")
    assert openscan.get("/getTokenInfo").json()["credit"] == 24468629501 - len(photos_zip)


@pytest.mark.parametrize(
    ("content", "photos", "status"),
    [
        (zip_of(["a.jpg", "b.JPEG", "c.png"]), 3, "processing done"),
        (zip_of(["a.jpg", "b.jpg"]), 3, "processing failed"),
        (zip_of(["a.jpg", "sub/b.jpg", "c.jpg"]), 3, "processing failed"),
        (zip_of(["a.jpg", "b.txt", "c.jpg"]), 3, "processing failed"),
        (b"no zip at all", 3, "processing failed"),
    ],
)
def test_the_zip_has_to_be_flat_and_hold_the_photos(openscan, content, photos, status):
    assert openscan.finish(content, photos=photos)["status"] == status


def test_fewer_bytes_than_announced_end_in_failure(openscan, photos_zip):
    links = openscan.create(photos_zip).json()["ulink"]
    openscan.send(links[0], photos_zip[:-1])
    openscan.get("/startProject", project="a-OSC.zip")
    openscan.emulator.clock.advance(3600)
    assert openscan.info()["status"] == "processing failed"


@pytest.mark.parametrize("word", ["processing failed", "Processing failed"])
def test_failure_can_be_ordered_in_either_case(openscan, settings, photos_zip, word):
    settings.outcome = word
    info = openscan.finish(photos_zip)
    assert (info["status"], info["dlink"]) == (word, "")


def test_results_expire(emu, openscan, settings, photos_zip):
    assert openscan.finish(photos_zip)["dlink"]
    emu.clock.advance(settings.keeps_results_s)
    info = openscan.info()
    assert (info["status"], info["dlink"]) == ("expired", "")


def test_accounts_do_not_see_each_other_s_projects(emu, openscan, photos_zip):
    openscan.upload(photos_zip)
    other = OpenScan(emu, account=1)
    assert other.get("/getProjectInfo", project="a-OSC.zip").status_code == 401
    other.close()
    assert len(other.token) < 14 < len(openscan.token)
    with pytest.raises(ValueError, match="accounts 0 to 1, not 2"):
        emu.endpoint("openscan", account=2)


def test_the_token_is_kept_out_of_the_journal(emu, openscan, photos_zip):
    emu.faults.add(faults.server_error(500), service="openscan", path="/getQueueEstimate")
    assert openscan.get("/getQueueEstimate").status_code == 500
    openscan.finish(photos_zip)
    assert openscan.token not in repr(list(emu.journal))
    assert {entry.carried_token for entry in emu.journal.where(origin="storage")} == {False}
