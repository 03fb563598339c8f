import re

import pytest

CAPTURE = {
    "eid", "sid", "name", "created", "uploaded", "state", "error_reason", "state_description",
    "error_reason_slug", "preview_urls", "preview_url", "viewer_url", "share_url", "share_link",
    "gif_url", "video_url", "share_video_url", "is_public",
}  # fmt: skip
"""Keys of CaptureOutput; the specification says that all are always there."""

MODEL = {
    "splat_count": 500_000,
    "training_resolution": 1600,
    "spherical_harmonics_degrees": 0,
    "level_of_detail": False,
}


def test_a_new_capture_says_how_it_is_to_be_sent(teleport):
    made = teleport.create(size=(1 << 20) * 5 + 1)
    assert made.keys() == {"eid", "chunk_size", "num_parts"}
    assert (made["chunk_size"], made["num_parts"]) == (1 << 20, 6)
    assert re.fullmatch("[0-9a-z]{12}", made["eid"])


def test_the_documented_example_has_ten_parts(teleport, settings):
    settings.chunk_size = type(settings)().chunk_size
    assert teleport.create(size=104_857_600)["num_parts"] == 10


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"bytesize": 5}, ["body", "name"]),
        ({"name": "a"}, ["body", "bytesize"]),
        ({"name": "", "bytesize": 5}, ["body", "name"]),
        ({"name": 5, "bytesize": 5}, ["body", "name"]),
        ({"name": "a", "bytesize": 0}, ["body", "bytesize"]),
        ({"name": "a", "bytesize": -1}, ["body", "bytesize"]),
        ({"name": "a", "bytesize": True}, ["body", "bytesize"]),
        ({"name": "a", "bytesize": "many"}, ["body", "bytesize"]),
        ({"name": "a", "bytesize": 10**11}, ["body", "bytesize"]),
        ({"name": "a", "bytesize": 5, "input_data_format": "tiff"}, ["body", "input_data_format"]),
        ({"name": "a", "bytesize": 5, "num_frames": "few"}, ["body", "num_frames"]),
        ({"name": "a", "bytesize": 5, "guided_mode": "maybe"}, ["body", "guided_mode"]),
        ({"name": "a", "bytesize": 5, "training_parameters": 3}, ["body", "training_parameters"]),
    ],
)
def test_a_wrong_announcement_is_refused_in_detail(teleport, body, at):
    answer = teleport.post("/api/v1/captures", body)
    assert answer.status_code == 422
    problems = answer.json()["detail"]
    assert at in [problem["loc"] for problem in problems]
    assert all(problem.keys() == {"loc", "msg", "type"} for problem in problems)


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(teleport, body):
    answer = teleport.http.post("/api/v1/captures", content=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


def test_more_parts_than_the_store_takes_are_refused(teleport, settings):
    settings.max_parts = 3
    body = {"name": "a", "bytesize": 4 << 20}
    assert teleport.post("/api/v1/captures", body).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("splat_count", 499_999),
        ("splat_count", 10_000_001),
        ("training_resolution", 2000),
        ("spherical_harmonics_degrees", 2),
        ("level_of_detail", None),
        ("splat_count", None),
    ],
)
def test_modelv3_needs_all_four_values_in_range(teleport, field, value):
    training = {"modelv3": {**MODEL, field: value}}
    body = {"name": "a", "bytesize": 5, "training_parameters": training}
    answer = teleport.post("/api/v1/captures", body)
    assert answer.status_code == 422
    at = [problem["loc"] for problem in answer.json()["detail"]]
    assert at == [["body", "training_parameters", "modelv3", field]]


def test_modelv3_needs_the_plan(teleport, stranger):
    body = {"name": "a", "bytesize": 5, "training_parameters": {"modelv3": MODEL}}
    assert teleport.post("/api/v1/captures", body).status_code == 200
    refused = stranger.post("/api/v1/captures", body)
    assert refused.status_code == 403
    assert "plan" in refused.json()["detail"]


def test_a_focus_area_is_kept_as_it_was_sent(emu, teleport):
    area = {"min_lat": 46.84, "max_lat": 46.85, "min_lng": -92.0, "max_lng": -91.99}
    made = teleport.create(training_parameters={"focus_area": area})
    kept = emu.service("teleport").captures[-1]
    assert (kept.eid, kept.parameters) == (made["eid"], {"focus_area": area})


@pytest.mark.parametrize(
    "area",
    [
        {"min_lat": 91},
        {"max_lng": -181},
        {"buffer_meters": -1},
        {"polylines": [5]},
        {"polylines": "a"},
    ],
)
def test_a_focus_area_that_is_none_is_refused(teleport, area):
    body = {"name": "a", "bytesize": 5, "training_parameters": {"focus_area": area}}
    assert teleport.post("/api/v1/captures", body).status_code == 422


def test_the_list_is_a_bare_array_of_whole_captures(teleport):
    made = teleport.create()
    rows = teleport.get("/api/v1/captures").json()
    assert isinstance(rows, list)
    assert rows[0]["eid"] == made["eid"]
    assert all(row.keys() == CAPTURE for row in rows)
    assert (rows[0]["state"], rows[0]["sid"], rows[0]["uploaded"]) == ("CREATED", None, None)


def test_the_list_is_cut_by_limit_and_offset(teleport):
    made = [teleport.create(f"page-{n:02d}")["eid"] for n in range(30)]
    newest = made[::-1]

    def page(**params):
        return [
            row["eid"] for row in teleport.get("/api/v1/captures", name="page-", **params).json()
        ]

    assert page() == newest[:25]
    assert page(offset=25) == newest[25:]
    assert page(limit=4, offset=2) == newest[2:6]
    assert page(offset=1000) == []


def test_the_order_of_the_list_and_its_filter_can_be_chosen(teleport, settings):
    first, second = (teleport.create(name)["eid"] for name in ("choice", "choice-b"))
    settings.newest_first = False
    rows = teleport.get("/api/v1/captures", name="choice").json()
    assert [row["eid"] for row in rows] == [first, second]
    settings.name_filter = "equals"
    assert [row["eid"] for row in teleport.get("/api/v1/captures", name="choice").json()] == [first]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": "x"}, {"offset": -1}, {"time_zone": "x"}]
)
def test_a_nonsense_page_is_refused(teleport, query):
    assert teleport.get("/api/v1/captures", **query).status_code == 422


def test_times_have_microseconds_and_a_zone_only_on_request(teleport):
    eid = teleport.create()["eid"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", teleport.listed(eid)["created"])
    zoned = teleport.listed(eid, time_zone="true")["created"]
    assert zoned == teleport.listed(eid)["created"] + "+00:00"


def test_a_capture_is_renamed(teleport):
    eid = teleport.create("before")["eid"]
    answer = teleport.http.put(f"/api/v1/captures/{eid}", json={"name": "after"})
    assert (answer.status_code, answer.json()["name"]) == (200, "after")
    assert teleport.listed(eid)["name"] == "after"
    assert teleport.http.put(f"/api/v1/captures/{eid}", json={}).status_code == 422
    assert teleport.http.put(f"/api/v1/captures/{eid}", json={"name": ""}).status_code == 422


def test_a_capture_is_deleted_once(teleport):
    eid = teleport.create()["eid"]
    answer = teleport.http.delete(f"/api/v1/captures/{eid}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert teleport.http.delete(f"/api/v1/captures/{eid}").status_code == 404
    assert eid not in [row["eid"] for row in teleport.get("/api/v1/captures").json()]


def test_there_is_no_reading_of_one_capture(teleport):
    answer = teleport.get(f"/api/v1/captures/{teleport.create()['eid']}")
    assert answer.status_code == 405
    assert answer.json() == {"detail": "Method Not Allowed"}


def test_a_path_that_is_none_is_404(teleport):
    assert teleport.get("/api/v1/capture").json() == {"detail": "Not Found"}


def test_a_capture_goes_through_its_states_by_the_clock(emu, teleport, settings, photos_zip):
    settings.stages = (("QUEUED", 60.0), ("PROCESSING", 600.0))
    eid = teleport.upload(photos_zip)["eid"]
    seen = []
    for seconds in (0, 59, 1, 599, 1):
        emu.clock.advance(seconds)
        seen.append(teleport.listed(eid)["state"])
    assert seen == ["QUEUED", "QUEUED", "PROCESSING", "PROCESSING", "READY"]


def test_a_capture_can_end_by_being_asked(teleport, settings, photos_zip):
    settings.ready_after_polls = 3
    eid = teleport.upload(photos_zip)["eid"]
    assert [teleport.listed(eid)["state"] for _ in range(3)] == ["PROCESSING"] * 2 + ["READY"]


def test_a_finished_capture_has_its_links(teleport, photos_zip):
    capture = teleport.finish(photos_zip)
    assert capture["state"] == "READY"
    assert re.fullmatch("[0-9a-f]{32}", capture["sid"])
    assert capture["share_link"].endswith(f"/share/{capture['sid']}")
    assert set(capture["preview_urls"]) == {"432x576", "897x1196"}
    picture = teleport.store.get(capture["preview_url"])
    assert picture.content[:3] == b"\xff\xd8\xff"
    assert capture["error_reason"] is capture["error_reason_slug"] is None


@pytest.mark.parametrize(
    "reason",
    ["NOT_ENOUGH_FRAMES", "INPUT_VALIDATION_FAILED", "CONVERSION_FAILED",
     "POSE_REFINEMENT_FAILED", "DENSIFICATION_FAILED", "SOMETHING_NEW"],
)  # fmt: skip
def test_a_capture_can_end_in_any_reason(teleport, settings, photos_zip, reason):
    settings.outcome = reason
    capture = teleport.finish(photos_zip)
    assert (capture["state"], capture["sid"]) == ("ERROR", None)
    assert capture["error_reason"] == capture["error_reason_slug"] == reason
    assert capture["state_description"]
