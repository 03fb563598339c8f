import zipfile

import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.emulator.wire import Response
from tests.services.openscan.stage import PART

ENOUGH_S = 60.0


@pytest.fixture
def service(emu):
    return emu.service("openscan")


@pytest.fixture
def launch(connect, photos):
    """Launch in small parts; everything passed on to the plan."""
    launched = []

    def launch(assume=None, **options):
        account = connect(assume={"part_bytes": PART, **(assume or {})})
        launched.append(account.plan(photos, name="Pier 4", **options).launch(workers=2))
        return launched[-1]

    yield launch
    for job in launched:
        job.close()


@pytest.fixture
def done(launch):
    def done(**options):
        job = launch(**options)
        job.wait(ENOUGH_S)
        return job

    return done


def orders(emu, name):
    return emu.journal.where(path=f"/openscan/{name}")


def test_photos_go_as_one_flat_zip_in_announced_parts(emu, service, done, photos):
    done()
    (project,) = service.projects
    assert project.photos == 5
    assert project.parts == -(-project.filesize // PART) > 1
    with zipfile.ZipFile(project.upload) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(path.name for path in photos.iterdir())


def test_a_project_has_a_random_name_unless_one_is_chosen(service, launch, done):
    job = done()
    first = service.projects[0].name
    assert "Pier" not in first
    assert first.startswith("cx-")
    assert len(first) == len("cx-0a1b2c3d4e.zip")
    job.close()
    done(project="Pier 4: west.zip")
    assert service.projects[1].name == "Pier_4_west.zip"


def test_a_plan_shows_credit_limits_and_requests(emu, connect, photos):
    plan = connect().plan(photos, name="a")
    assert plan.cost.unit == "byte of credit"
    assert plan.cost.available == 24468629501
    assert list(plan.limits()["what"]) == ["files that are no JPEG or PNG", "photos", "size"]
    paths = "\n".join(plan.requests()["path"])
    assert f"photos=5&parts=1&filesize={int(plan.cost.amount)}" in paths
    assert not orders(emu, "createProject")


@pytest.mark.parametrize(
    ("account", "says"),
    [
        ({"credit": 100}, "costs"),
        ({"limit_filesize": 100}, "size"),
        ({"limit_photos": 4}, "photos"),
    ],
)
def test_what_is_beyond_the_token_is_refused_before_it_is_sent(
    emu, service, connect, photos, account, says
):
    vars(service.accounts[0]).update(account)
    with pytest.raises(errors.LimitError, match=says):
        connect().plan(photos, name="a").launch()
    assert not orders(emu, "createProject")


@pytest.mark.parametrize("options", [{"products": ["splats"]}, {"quality": "high"},
                                     {"project": "***"}, {"crs": 32650}])  # fmt: skip
def test_a_plan_with_nonsense_is_refused(connect, photos, options):
    with pytest.raises(errors.ArgumentError):
        connect().plan(photos, name="a", **options)


def test_a_refusal_to_make_the_project_says_what_it_may_mean(emu, done):
    emu.faults.add(faults.html_page(400), service="openscan", path="/createProject")
    with pytest.raises(errors.BadRequestError, match=r"never says why.*token_info\(\)"):
        done()
    assert len(orders(emu, "createProject")) == 1


@pytest.mark.parametrize("name", ["createProject", "startProject", "resetProject"])
@pytest.mark.parametrize("fault", [faults.lost_reply(), faults.server_error(502)],
                         ids=lambda fault: fault.name)  # fmt: skip
def test_a_get_that_changes_something_is_looked_up_before_it_is_sent_again(
    emu, service, launch, name, fault
):
    emu.faults.add(fault, service="openscan", path=f"/{name}")
    service.settings.stages = (("processing started", 1e9 if name == "resetProject" else 10.0),)
    job = launch()
    if name == "resetProject":
        while not (service.projects and service.projects[0].started):
            assert job.is_active
        job.cancel(ENOUGH_S)
        assert service.projects == ()
    else:
        assert job.wait(ENOUGH_S).state == "done"
    has_effect = fault.name == "lost_reply"
    assert len(orders(emu, name)) == (1 if has_effect else 2)
    between = [e.path for e in emu.journal if e.path.endswith((name, "getProjectInfo"))]
    first = next(i for i, path in enumerate(between) if path.endswith(name))
    assert between[first + 1].endswith("getProjectInfo")


def test_a_consumed_link_means_that_the_part_arrived(emu, service, done):
    emu.faults.add(faults.lost_reply(), service="storage", method="POST", nth=2)
    job = done()
    assert job.state == "done"
    assert len(orders(emu, "createProject")) == 1
    assert "taken as arrived" in job.history()["text"].str.cat()


def test_a_consumed_link_can_be_distrusted(emu, service, done):
    emu.faults.add(faults.lost_reply(), service="storage", method="POST", nth=2)
    assert done(assume={"trust_consumed_links": False}).state == "done"
    assert len(orders(emu, "createProject")) == 2
    assert len(service.projects) == 1
    assert service.projects[0].name.endswith("-1.zip")


def test_an_expired_link_begins_the_upload_again(emu, service, done):
    emu.faults.add(faults.expired_signature(), service="storage", method="POST", nth=2)
    assert done().state == "done"
    assert len(orders(emu, "resetProject")) == 1
    assert len(service.projects) == 1


def test_a_part_that_arrived_otherwise_begins_the_upload_again(emu, service, done):
    wrong = Response(200, (("Content-Type", "application/json"),), b'{"content-hash": "%064d"}' % 7)
    emu.faults.add(faults.Fault("wrong_hash", reply=wrong), service="storage", method="POST")
    assert done().state == "done"
    assert len(orders(emu, "createProject")) == 2


def test_an_answer_without_a_hash_is_good_enough(emu, service, done):
    emu.faults.add(
        faults.Fault("no_hash", edit=lambda r: Response(r.status, r.headers, b"{}")),
        service="storage", method="POST", times=None,
    )  # fmt: skip
    assert done().state == "done"


def test_a_link_that_comes_late_is_waited_for(emu, service, done):
    service.settings.link_delay_s = 100.0
    seen = done().history().query("kind == 'state'")["text"]
    assert seen.str.startswith("finishing").any()


def test_a_link_that_never_comes_ends_the_waiting_and_not_the_job(emu, service, done, tmp_path):
    service.settings.link_delay_s = 1e9
    job = done(assume={"patience": 2})
    assert job.state == "done"
    with pytest.raises(errors.NotReadyError, match="e-mail"):
        job.results(tmp_path / "out")


def test_a_project_that_is_not_found_once_is_asked_for_again(emu, service, done):
    service.settings.ready_after_polls = 5
    emu.faults.add(faults.html_page(401), service="openscan", path="/getProjectInfo", times=2)
    assert done().state == "done"


def test_a_project_somebody_dropped_is_gone(emu, service, connect, photos):
    service.settings.stages = (("processing started", 1e9),)
    account = connect()
    with account.plan(photos, name="Pier 4").launch() as job:
        while not (service.projects and service.projects[0].started):
            assert job.is_active
        account.reset(service.projects[0].name)
        with pytest.raises(errors.JobFailedError, match="no project"):
            job.wait(ENOUGH_S)


def test_a_failure_says_where_the_reason_is(service, done):
    service.settings.outcome = "Processing failed"
    with pytest.raises(errors.JobFailedError, match="by e-mail only"):
        done()


def test_a_result_that_is_not_kept_any_more_is_gone(emu, service, done, tmp_path):
    job = done()
    emu.clock.advance(365 * 86_400)
    with pytest.raises(errors.NotFoundError, match="launch the job again"):
        job.results(tmp_path / "out")


def test_the_number_of_links_has_to_be_that_of_the_parts(emu, done):
    def fewer(response):
        body = response.body.replace(b'"ulink": [', b'"ulink": ["http://127.0.0.1:1/x", ')
        return Response(response.status, response.headers, body)

    emu.faults.add(faults.Fault("links", edit=fewer), service="openscan", times=None)
    with pytest.raises(errors.JobError, match="upload links for the"):
        done()
    assert cx.jobs()["state"][0] == "uploading"
