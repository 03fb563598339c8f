"""Every answer has the shape the specification declares: keys, types, nothing missing."""

from tests.emulator.teleport.conftest import CHUNK

TEXT, NUMBER, TRUTH = str, (int, float), bool
MAYBE_TEXT = (str, type(None))

NEW_CAPTURE = {"eid": TEXT, "chunk_size": int, "num_parts": int}
UPLOAD_URL = {"eid": TEXT, "upload_url": TEXT, "chunk_size": int}
CAPTURE = {
    "eid": TEXT, "sid": MAYBE_TEXT, "name": TEXT, "created": TEXT, "uploaded": MAYBE_TEXT,
    "state": TEXT, "error_reason": MAYBE_TEXT, "state_description": MAYBE_TEXT,
    "error_reason_slug": MAYBE_TEXT, "preview_urls": dict, "preview_url": MAYBE_TEXT,
    "viewer_url": MAYBE_TEXT, "share_url": MAYBE_TEXT, "share_link": MAYBE_TEXT,
    "gif_url": MAYBE_TEXT, "video_url": MAYBE_TEXT, "share_video_url": MAYBE_TEXT,
    "is_public": TRUTH,
}  # fmt: skip
MATRIX = {"matrix": [NUMBER]}
MODEL = {
    "url": TEXT, "size": int, "id": MAYBE_TEXT, "aabb": {"min": [NUMBER], "max": [NUMBER]},
    "resolution_range": (list, type(None)), "parent": MAYBE_TEXT,
}  # fmt: skip
METADATA = {
    "eid": TEXT, "name": TEXT, "segmented_capture_eid": MAYBE_TEXT, "profile_name": TEXT,
    "lod": TRUTH, "model_urls": [TEXT], "cameras": [MATRIX], "models": [MODEL], "sid": TEXT,
    "hdr_mode": MAYBE_TEXT, "nominal_ev": NUMBER, "tmo_parameters": [NUMBER],
    "video_trajectory": {"fps": NUMBER, "keyframes": [MATRIX]},
}  # fmt: skip
REPOSITION = dict.fromkeys(
    ("rotation_x", "rotation_y", "rotation_z", "rotation_w", "scale"), NUMBER
)
METADATA_V2 = {
    "sid": TEXT, "name": TEXT, "content_profile": TEXT, "coord_system": TEXT, "model_url": TEXT,
    "cameras_url": TEXT, "initial_camera": dict, "gps_transformation": dict, "registration": dict,
}  # fmt: skip
PROBLEM = {"loc": list, "msg": TEXT, "type": TEXT}


def departures(value, declared, at="answer"):
    """List where a value is not what was declared."""
    if isinstance(declared, dict):
        if not isinstance(value, dict):
            return [f"{at} is no object"]
        different = [f"{at}: {sorted(value.keys() ^ declared.keys())}"]
        inner = [
            line
            for name in value.keys() & declared.keys()
            for line in departures(value[name], declared[name], f"{at}.{name}")
        ]
        return inner + (different if value.keys() != declared.keys() else [])
    if isinstance(declared, list):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [
            line
            for number, item in enumerate(value)
            for line in departures(item, declared[0], f"{at}[{number}]")
        ]
    is_odd_truth = isinstance(value, bool) and declared is not bool
    return [] if isinstance(value, declared) and not is_odd_truth else [f"{at} is {value!r}"]


def test_the_check_notices_departures():
    assert sorted(departures({"eid": 5, "num_parts": True, "x": 1}, NEW_CAPTURE)) == [
        "answer.eid is 5",
        "answer.num_parts is True",
        "answer: ['chunk_size', 'x']",
    ]
    assert departures({"matrix": [1, "2"]}, MATRIX) == ["answer.matrix[1] is '2'"]


def test_all_answers_of_a_whole_life(emu, teleport, settings, photos_zip):
    settings.reposition = (0.0, 0.0, 0.0, 1.0, 1.0)
    made = teleport.create(size=CHUNK)
    assert departures(made, NEW_CAPTURE) == []
    path = f"/api/v1/captures/{made['eid']}"
    link = teleport.post(f"{path}/create-upload-url/1", {"eid": made["eid"], "bytesize": CHUNK})
    assert departures(link.json(), UPLOAD_URL) == []
    uploaded = teleport.upload(photos_zip)
    assert departures(uploaded, CAPTURE) == []
    emu.clock.advance(1200)
    ready = teleport.listed(uploaded["eid"])
    renamed = teleport.http.put(f"/api/v1/captures/{ready['eid']}", json={"name": "b"}).json()
    for capture in (ready, renamed, *teleport.get("/api/v1/captures").json()):
        assert departures(capture, CAPTURE) == []
    for lod in ("true", "false"):
        metadata = teleport.get(f"/share/{ready['sid']}/metadata", lod=lod).json()
        assert departures(metadata, METADATA | {"reposition_data": REPOSITION}) == []
    second = teleport.get(f"/api/v2/captures/{ready['sid']}/metadata").json()
    assert departures(second, METADATA_V2) == []
    refused = teleport.post("/api/v1/captures", {}).json()
    assert departures(refused, {"detail": [PROBLEM]}) == []
    missing = teleport.get("/share/nothing/metadata").json()
    assert departures(missing, {"detail": TEXT}) == []
