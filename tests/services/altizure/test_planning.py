"""What a plan says before anything is sent: size, price, limits, requests, meta files."""

from __future__ import annotations

import pytest
from PIL import Image

from cupixgeo import errors
from cupixgeo.emulator.world import data_folder
from cupixgeo.services.altizure.parameters import Parameters
from cupixgeo.services.job_values import JobRequest

REAL = data_folder() / "images"


@pytest.fixture
def poor(connect, emu):
    return connect(token=emu.endpoint("altizure", account=1).token)


def test_the_price_of_the_real_photos_is_asked_for_and_shown(account, emu):
    plan = account.plan(REAL, name="Beach")
    size = 18 * 2073600 / 1e9  # they have fewer pixels than an image is charged for at least
    assert plan.cost.amount == pytest.approx(size)
    assert (plan.cost.unit, plan.cost.available) == ("coin", 25.0)
    assert f"{size:.6g} gigapixels at 1 coin each" in plan.cost.note
    assert f"about {size * 11.8:.2f} USD" in plan.cost.note
    assert plan.problems == []
    asked = {entry.operation for entry in emu.journal}
    assert {"utility", "bank", "my", "support"} <= asked
    assert "createProject" not in asked


def test_members_pay_their_own_price_in_their_own_currency(connect, at, photos):
    at.store.accounts[0].membership.coin_per_gp = 0.5
    plan = connect(currency="CNY").plan(photos, name="Pier")
    size = 4 * 2073600 / 1e9
    assert plan.cost.amount == pytest.approx(size / 2)
    assert "CNY" in plan.cost.note


def test_photos_of_several_sizes_are_added_up(account, photos):
    Image.new("RGB", (2500, 1000)).save(photos / "wide.jpg")
    plan = account.plan(photos, name="Pier")
    assert plan.cost.amount == pytest.approx(4 * 2073600 / 1e9 + 2500 * 1000 / 1e9)


def test_what_the_balance_does_not_cover_is_not_launched(poor, photos):
    plan = poor.plan(photos, name="Pier")
    assert "costs 0.0082944 coin, and the account has 0" in plan.problems[0]
    with pytest.raises(errors.LimitError, match="Nothing was sent"):
        plan.launch()


def test_coupons_make_the_balance_no_limit(poor, photos):
    plan = poor.plan(photos, name="Pier", coupons=["0" * 24])
    assert plan.problems == []
    assert "1 coupons cover a part" in plan.cost.note


def test_a_free_project_is_measured_by_its_quota(account, poor, photos):
    free = {"name": "Pier", "project_type": "free"}
    limits = account.plan(photos, **free).limits().set_index("what")
    assert limits.loc["free project", "most"] == 3.0
    assert limits["ok"].all()
    assert account.plan(photos, **free).cost is None
    (problem,) = poor.plan(photos, **free).problems
    assert problem == "free project: 0.0082944 GP, allowed is at most 0"


def test_free_projects_are_public_and_pro_ones_private_unless_said_otherwise(account, poor, photos):
    def visibility(**options):
        body = account.plan(photos, name="Pier", **options).requests()["body"][0]
        return body["variables"]["visibility"]

    assert visibility() == "private"
    assert visibility(project_type="free") == "public"
    assert visibility(visibility="unlisted") == "unlisted"
    with pytest.raises(errors.LimitError, match="is public, not unlisted"):
        poor.plan(photos, name="Pier", project_type="free", visibility="unlisted")


def test_too_few_photos_are_a_problem(connect, account, tmp_path, photos):
    two = tmp_path / "two"
    two.mkdir()
    for path in sorted(photos.iterdir())[:2]:
        path.rename(two / path.name)
    assert "photos: 2 photo, allowed is at least 3" in account.plan(two, name="x").problems[0]
    assert connect(conventions={"min_images": 2}).plan(two, name="x").problems == []


def test_a_task_type_is_one_the_service_names(account, photos):
    assert account.plan(photos, name="x", task_type="Dense").problems == []
    with pytest.raises(errors.ArgumentError, match="'Native' or 'Dense'"):
        account.plan(photos, name="x", task_type="Sparse")


def test_a_service_that_is_read_only_is_not_planned_for(account, photos, at):
    at.rules.system_mode = "ReadOnly"
    with pytest.raises(errors.NotReadyError, match="'ReadOnly'"):
        account.plan(photos, name="x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project_type": "gold"}, "'pro' or 'free'"),
        ({"visibility": "secret"}, "'public' or 'unlisted'"),
        ({"upload": "pigeon"}, "'auto' or 's3'"),
        ({"upload": "url"}, "belong together"),
        ({"photo_url": "https://x/"}, "belong together"),
        ({"upload": "url", "photo_url": "ftp://x/"}, "no http or https"),
        ({"upload": "url", "photo_url": "https://x/?key=planted"}, "kept on disk"),
        ({"upload": "url", "photo_url": "https://a:planted@x/"}, "kept on disk"),
        ({"colour": "red"}, "no parameter 'colour'"),
        ({"project_type": "free", "coupons": ["a"]}, "pro projects"),
        ({"project_type": "free", "products": ["mesh"]}, "cannot be downloaded"),
        ({"products": ["pointcloud"]}, "pointcloud"),
        ({"crs": 32615}, "leave crs= out"),
        ({"coupons": [7]}, "are not ids"),
        ({"task_type": ""}, "task_type is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    account, photos, emu, options, message
):
    with pytest.raises(errors.ArgumentError, match=message) as caught:
        account.plan(photos, name="x", **options)
    assert "planted" not in str(caught.value)
    assert not len(emu.journal)


def test_parameters_survive_being_written_down():
    given = {"coupons": ["a", "b"], "upload": "oss", "pre_start": True, "visibility": "unlisted"}
    parameters = Parameters.from_request(JobRequest("x", parameters=given))
    assert Parameters.from_json(parameters.to_json()) == parameters
    assert Parameters.from_request(JobRequest("x", parameters={"coupons": "a"})).coupons == ("a",)


@pytest.mark.parametrize(
    ("options", "operations"),
    [
        ({}, ["hasImage", "uploadImageS3", "startImageUpload", None]),
        ({"upload": "oss"}, ["hasImage", "uploadImageOSS", "startImageUpload", None, "doneImage"]),
        ({"upload": "minio"}, ["hasImage", "uploadImageMinio", "startImageUpload", None]),
        (
            {"upload": "url", "photo_url": "https://x/photos"},
            ["hasImage", "uploadImageURL"],
        ),
    ],
)
def test_requests_follow_the_way_the_photos_travel(account, photos, options, operations):
    table = account.plan(photos, name="x", **options).requests()
    assert table["body"][0]["operation"] == "createProject"
    for row, wanted in zip(table.to_dict("records")[1:], operations, strict=False):
        assert row["repeats"] == 4
        if wanted is None:
            assert row["method"] == "PUT"
        else:
            assert row["body"]["operation"].startswith(wanted)
    ends = [b["operation"] for b in table["body"] if b]
    assert ends[-3:] == ["startReconstructionWithError", "project", "project.downloads"]


def test_a_prepared_start_is_planned_as_such(account, photos):
    bodies = account.plan(photos, name="x", pre_start=True, coupons=["c"]).requests()["body"]
    operations = [body["operation"] for body in bodies if body]
    assert "preStartReconstruction" in operations
    assert "startReconstructionWithError" not in operations


# -- meta files ----------------------------------------------------------------------------------

POSE = "coordinatesystem local\nP 1.jpg 1 2 3\nP_2.jpg 1 2 3 4 5 6\n\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_meta_files_travel_under_the_names_the_service_takes(account, photos, write):
    plan = account.plan(
        photos,
        name="x",
        pose=write("my poses.txt", POSE),
        camera=write("c.txt", "P_1.jpg 3000 20.5 15\n"),
        group=write("g.txt", "P_1.jpg 0\n"),
        initial=write("x.zip", b"PK"),
    )
    names = [file.name for file in plan.intent.files if file.role != "photo"]
    assert names == ["pose.txt", "camera.txt", "group.txt", "initial.xms.zip"]
    (row,) = [b for b in plan.requests()["body"] if b and "Meta" in b["operation"]]
    assert row["operation"] == "uploadMetaFileS3"


@pytest.mark.parametrize(
    ("role", "text", "message"),
    [
        ("pose", "P.jpg 1 2\n", "line 1"),
        ("pose", "P.jpg 1 2 3\nP.jpg 1 2 3\n", "line 2.*pose already"),
        ("pose", "P.jpg 1 2 3 4\n1 2 3\n", "line 2"),
        ("pose", "", "names no image"),
        ("camera", "P.jpg 1 2\n", "focal_px"),
        ("group", "P.jpg -1\n", "name group"),
        ("group", b"\xff\xfe", "no UTF-8"),
    ],
)
def test_a_meta_file_the_service_would_refuse_is_refused_here(
    account, photos, write, emu, role, text, message
):
    with pytest.raises(errors.ArgumentError, match=message):
        account.plan(photos, name="x", **{role: write("m.txt", text)})
    assert not len(emu.journal)


def test_a_meta_file_that_is_not_there_is_said(account, photos, tmp_path):
    with pytest.raises(errors.CupixGeoError, match=r"nothing\.txt cannot be read"):
        account.plan(photos, name="x", pose=tmp_path / "nothing.txt")
