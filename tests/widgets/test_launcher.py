"""The launcher, driven as a user does, at all services: photos, wishes, dry run, job, result."""

from __future__ import annotations

import json
import shutil
import threading
import time

import ipywidgets
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.emulator import Emulator, faults
from cupixgeo.errors import ArgumentError
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.ledger import Ledger, Phase
from cupixgeo.widgets.job_card import JobCard
from cupixgeo.widgets.launcher import Launcher
from tests.widgets.accounts import SERVICES, connect, few_photos, until

WAIT_S = 60.0
RING = [(-91.9944, 46.8424), (-91.9936, 46.8424), (-91.9936, 46.8430), (-91.9944, 46.8430)]


@pytest.fixture(scope="module")
def running():
    with Emulator(seed=7) as emulator:
        emulator.service("flighthub").rules.every_nth_point = 400
        emulator.service("nodeodm").settings.run_s = 60.0
        yield emulator


@pytest.fixture
def emu(running, tmp_path, monkeypatch):
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    running.faults.clear()
    running.journal.clear()
    yield running
    running.faults.clear()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return few_photos(tmp_path_factory.mktemp("flights") / "pier")


@pytest.fixture
def make(emu, photos):
    """Make a launcher at a service, with the photos looked at."""
    opened = []

    def make(service, *, look=True, account=None, **options):
        account = account or connect(emu, service)
        launcher = Launcher(account, **{"photos": photos, "name": "Pier 4", **options})
        opened.append((launcher, account))
        until(lambda: launcher.wishes is not None)
        if look:
            launcher.photos.look.click()
            settle(launcher)
        return launcher

    yield make
    for launcher, account in opened:
        for card in launcher.jobs.cards.values():
            card.job.stop()
        launcher.jobs.wait(WAIT_S)
        launcher.close()
        account.close()


def settle(launcher):
    """Wait until nothing is being looked at or asked for."""
    until(lambda: not (launcher.photos.errand.is_busy or launcher.planning.is_busy))
    until(lambda: launcher._pending is None and not launcher.planning.is_busy)


def launch(launcher):
    """Click Launch; returns the card of the job."""
    before = set(launcher.jobs.cards)
    launcher.launch.click()
    until(lambda: set(launcher.jobs.cards) - before or launcher.message)
    settle(launcher)
    assert not launcher.message, launcher.message
    return launcher.jobs.cards[(set(launcher.jobs.cards) - before).pop()]


def finish(launcher, card, state="done"):
    until(lambda: card.job.state.is_final, WAIT_S)
    assert launcher.jobs.wait(WAIT_S)
    card.refresh()
    assert card.job.state == state


def set_field(launcher, name, raw, group=""):
    launcher.wishes.form.fields[group, name].raw = raw
    settle(launcher)


def texts(widget):
    """Yield every text a widget or one inside it sends to the browser."""
    for value in widget.get_state().values():
        if isinstance(value, str):
            yield value
    for child in getattr(widget, "children", ()):
        yield from texts(child)


# -- from photos to a result ---------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_photos_become_a_result_by_clicking(service, emu, make, monkeypatch, tmp_path):
    launcher = make(service)
    assert launcher.message == ""
    assert "5 ok" in launcher.photos.words.value
    assert launcher.photos.table.length == 5
    assert launcher._limits.value.count("cx-chip-ok")

    launcher.dry_run.click()
    settle(launcher)
    planned = launcher._plan[1].requests()
    for path in planned["path"]:
        assert path.replace("&", "&amp;") in launcher.requests.value
    assert cx.jobs().empty
    assert not emu.journal.where(origin="storage")

    card = launch(launcher)
    assert cx.jobs()["job_id"][0] == card.job.id
    finish(launcher, card)
    card._folder.value = str(tmp_path / "results" / "pier")
    card._collect.click()
    assert card.errand.wait(WAIT_S)
    assert launcher.message == ""
    assert launcher.result.scene is not None
    assert launcher.result.map is not None
    assert "photos" in launcher.result.map.tables
    if service in ("flighthub", "nodeodm"):
        assert any("Pier 4" in name for name in launcher.result.map.layers)
    else:
        assert "does not tell" in launcher.result.words.value
    token = str(emu.endpoint(service).token)
    assert not [text for text in texts(launcher) if token in text]

    monkeypatch.setenv(launcher._account.token_variable, token)
    monkeypatch.setattr(cx, "connect", lambda name, **o: connect(emu, name, emulator=None, **o))
    names = {}
    exec(compile(launcher.code(), "code", "exec"), names)
    assert names["job"].state == "done"
    assert names["results"].files
    assert names["plan"].intent.parameters == Ledger().row(card.job.id).intent.parameters
    names["account"].close()


def test_only_what_was_changed_is_in_the_code_and_in_the_call(make):
    launcher = make("flighthub")
    set_field(launcher, "quality_level", 1, "parameter_3d")
    assert 'parameter_3d={"quality_level": 1}' in launcher.code()
    launcher.wishes.products["mesh"].value = False
    settle(launcher)
    assert 'products=["pointcloud"]' in launcher.code()
    content = launcher._plan[1].intent.parameters["content"]["3d"]["parameter"]
    assert (content["quality_level"], content["output_mesh"]) == (1, False)


def test_products_decide_which_parameters_there_are(make):
    launcher = make("flighthub", look=False)
    launcher.wishes.products["splats"].value = True
    groups = {group for group, _ in launcher.wishes.form.fields}
    assert groups == {"", "parameter_3d", "parameter_3dgs"}


def test_the_photos_suggest_a_crs_and_the_folder_a_name(make, photos):
    launcher = make("flighthub", name="")
    assert launcher.wishes.crs.value == "EPSG:32615"
    assert launcher.wishes.name.value == photos.name
    launcher.wishes.name.value = "Mine"
    launcher.photos.folder.box.value = str(photos.parent)
    assert launcher.wishes.name.value == "Mine"


def test_a_service_that_chooses_its_crs_itself_is_not_asked_for_one(make):
    launcher = make("altizure")
    assert launcher.wishes.crs.layout.display == "none"
    assert "crs=" not in launcher.code()


# -- area ------------------------------------------------------------------------------------------


def area_sent(launcher):
    return launcher._plan[1].intent.parameters


@pytest.mark.parametrize(
    ("service", "find"),
    [
        ("flighthub", lambda p: p["content"]["3d"]["predefine_AOI"]["polygon_points"]),
        ("teleport", lambda p: p["training_parameters"]["focus_area"]),
        ("nodeodm", lambda p: json.loads(p["options"]["boundary"])["features"]),
    ],
)
def test_an_area_on_the_map_reaches_the_request(make, service, find):
    launcher = make(service)
    launcher.photos.map.aoi = cx.widgets.Map(aoi=np.array(RING), crs=4326).aoi
    settle(launcher)
    assert "4 corners" in launcher.wishes._area.help
    sent = json.dumps(find(area_sent(launcher)))
    assert "46.842" in sent or "5188142" in sent
    launcher.wishes._clear.click()
    settle(launcher)
    with pytest.raises((KeyError, TypeError)):
        find(area_sent(launcher))


def test_a_service_that_takes_no_area_is_offered_none(make):
    assert make("altizure").wishes._area.layout.display == "none"


def test_an_area_the_service_cannot_use_is_said_beside_it(make):
    launcher = make("flighthub")
    launcher.wishes.products["splats"].value = True
    for name in ("pointcloud", "mesh"):
        launcher.wishes.products[name].value = False
    launcher.photos.map.aoi = cx.widgets.Map(aoi=np.array(RING), crs=4326).aoi
    settle(launcher)
    launcher.dry_run.click()
    settle(launcher)
    assert launcher.wishes.offer.area == ""


# -- wrong inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "group", "name", "raw", "says"),
    [
        ("flighthub", "parameter_3d", "model_simplify", "7", "0.05 to 1"),
        ("flighthub", "parameter_3d", "usable_memory_GB", "lots", "no number of GB"),
        ("flighthub", "parameter_3d", "blocks_exchange_xml_geo_desc", '{"a": 1}', "does nothing"),
        ("altizure", "", "photo_url", "ftp://a", "belong together"),
        ("altizure", "", "pose", "/nowhere/pose.txt", "cannot be read"),
        ("openscan", "", "project", "///", "name"),
        ("teleport", "modelv3", "splat_count", "5", "all four"),
        ("teleport", "", "training_parameters", "{", "no JSON"),
        ("nodeodm", "", "mesh_octree_depth", "99", "1 <= x <= 14"),
        ("nodeodm", "", "gcp", "/nowhere", "is no file"),
    ],
)
def test_a_wrong_input_is_said_beside_its_field(make, service, group, name, raw, says):
    launcher = make(service, look=False)
    set_field(launcher, name, raw, group)
    field = launcher.wishes.form.fields[group, name]
    assert says in field.fault
    others = [f for f in launcher.wishes.form.fields.values() if f.fault and f is not field]
    assert others == []
    assert "1 to correct" in launcher.wishes.details.head.description
    field.reset()
    assert field.fault == launcher.message == ""


def test_several_wrong_inputs_are_all_said(make):
    launcher = make("flighthub", look=False)
    set_field(launcher, "model_simplify", "7", "parameter_3d")
    set_field(launcher, "ply_with_normals_level", "-3", "parameter_3d")
    set_field(launcher, "global_min_depth", "far", "parameter_3d")
    wrong = {name for (_, name), f in launcher.wishes.form.fields.items() if f.fault}
    assert wrong == {"model_simplify", "ply_with_normals_level", "global_min_depth"}


def test_nothing_is_launched_while_something_is_wrong(make):
    launcher = make("flighthub")
    set_field(launcher, "model_simplify", "7", "parameter_3d")
    launcher.launch.click()
    assert "Correct what is marked" in launcher.message
    assert cx.jobs().empty


def test_a_crs_nobody_knows_is_said_beside_it_and_stops_the_launch(make):
    launcher = make("flighthub")
    launcher.wishes.crs._box.value = "no such crs"
    settle(launcher)
    assert "No CRS is called" in launcher.wishes.crs.fault
    launcher.launch.click()
    assert "Correct what is marked" in launcher.message


def test_a_job_needs_a_name(make):
    launcher = make("openscan")
    launcher.wishes.name.value = " "
    launcher.launch.click()
    settle(launcher)
    assert launcher.wishes._name.fault == "A job needs a name."
    assert cx.jobs().empty


def test_a_folder_without_photos_says_so(make, tmp_path):
    (tmp_path / "empty").mkdir()
    launcher = make("flighthub", photos=tmp_path / "empty")
    assert "no photo here" in launcher.photos.folder.fault
    assert launcher.launch.disabled


def test_too_few_photos_are_shown_as_a_limit_and_not_launched(make, photos, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(photos.iterdir())[:2]:
        shutil.copy(path, few)
    launcher = make("flighthub", photos=few)
    assert "too little" in launcher._limits.value
    launcher.launch.click()
    settle(launcher)
    until(lambda: launcher.message)
    assert "Nothing was sent" in launcher.message
    assert cx.jobs().empty


def test_other_photos_need_another_look(make, tmp_path):
    launcher = make("flighthub")
    launcher.photos.folder.box.value = str(tmp_path)
    assert launcher.launch.disabled
    assert launcher.photos._found.layout.display == "none"


def test_a_film_is_taken_as_it_is_where_the_service_takes_films(emu, make, tmp_path):
    (tmp_path / "flight.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(60_000))
    launcher = make("teleport", look=False, photos=tmp_path)
    assert launcher.launch.disabled
    launcher.photos.folder.list.value = "flight.mp4"
    launcher.photos.folder.go.click()
    settle(launcher)
    assert launcher.photos.look.disabled
    card = launch(launcher)
    finish(launcher, card)
    assert card.job.progress().files_total == 1
    assert "flight.mp4" in launcher.code()


def test_a_service_that_does_not_answer_can_be_asked_again(emu, make):
    emu.faults.add(faults.server_error(500), service="nodeodm", path="/options", times=50)
    account = connect(emu, "nodeodm")
    launcher = Launcher(account)
    until(lambda: launcher.message, WAIT_S)
    assert launcher.wishes is None
    until(lambda: launcher._ask.layout.display is None)
    emu.faults.clear()
    launcher._ask.click()
    until(lambda: launcher.wishes is not None)
    launcher.close()
    account.close()


def test_an_unknown_keyword_is_refused_with_the_nearest(emu):
    with connect(emu, "openscan") as account, pytest.raises(ArgumentError, match="'photos'"):
        Launcher(account, photo="x")


def test_a_service_that_makes_nothing_has_nothing_to_launch(emu):
    with connect(emu, "cupix") as account, pytest.raises(ArgumentError, match="Dashboard"):
        Launcher(account)


# -- jobs ------------------------------------------------------------------------------------------


def test_a_service_that_dies_while_it_is_sent_to_says_what_is_safe_and_what_to_do(emu, make):
    launcher = make("flighthub")
    emu.faults.add(faults.server_error(500), service="storage", method="PUT", times=500)
    card = launch(launcher)
    until(lambda: launcher.message, WAIT_S)
    launcher.jobs.wait(WAIT_S)
    assert not card.job.state.is_final
    for text in (launcher.message, card.text):
        assert "Nothing was started, so it costs nothing yet" in text
        assert "Resume" in text
        assert "ledger" in text
    assert card._resume.layout.display is None
    assert cx.jobs()["job_id"].tolist() == [card.job.id]
    emu.faults.clear()
    card._resume.click()
    finish(launcher, card)
    assert len(emu.journal.where(path="*/reconstruction/start", method="POST")) == 1


def test_while_a_service_is_away_the_card_says_so_and_that_it_is_tried_again(emu, make):
    back = threading.Event()

    def sleep(seconds):
        if emu.journal.where(status=503):
            assert back.wait(WAIT_S)
        emu.clock.advance(seconds)
        time.sleep(0.002)

    settings = NetSettings(attempts=1, now=emu.clock.now, sleep=sleep)
    launcher = make("flighthub", account=connect(emu, "flighthub", settings=settings))
    emu.faults.add(faults.server_error(503), service="flighthub", path="*/models/*", method="GET")
    card = launch(launcher)
    until(lambda: "It is tried again without your doing" in card.text)
    assert "503" in card.text
    back.set()
    until(lambda: "tried again" not in card.text)
    finish(launcher, card)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_breaks_says_so_and_the_next_click_watches_again(make, monkeypatch):
    launcher = make("openscan")
    refresh = JobCard.refresh
    broken = threading.Event()

    def breaks(card):
        if threading.current_thread().name == "cupixgeo-watch-jobs" and not broken.is_set():
            broken.set()
            raise RuntimeError("no such thing")
        refresh(card)

    monkeypatch.setattr(JobCard, "refresh", breaks)
    launcher.launch.click()
    until(lambda: "no such thing" in launcher.message)
    assert "Please report it" in launcher.message
    (card,) = launcher.jobs.cards.values()
    until(lambda: card.job.state.is_final)
    launcher.jobs.refresh()
    assert launcher.jobs.wait(WAIT_S)
    assert "cx-chip-done" in card._head.value


def test_another_launcher_finds_the_job_and_goes_on_with_it(emu, make):
    first = make("flighthub")
    emu.faults.add(faults.no_answer(), service="storage", method="PUT", path="*", times=500)
    card = launch(first)
    until(lambda: first.message, WAIT_S)
    emu.faults.clear()
    sent = len(emu.journal.where(origin="storage", method="PUT", status=200))
    second = make("flighthub", look=False)
    assert list(second.jobs.cards) == [card.job.id]
    found = second.jobs.cards[card.job.id]
    assert "Nobody is working on it now" in found.text
    found._resume.click()
    finish(second, found)
    assert len(emu.journal.where(origin="storage", method="PUT", status=200)) - sent <= 5


def test_a_job_of_this_process_is_watched_by_another_launcher(emu, make):
    tasks = emu.service("flighthub").rules
    first = make("flighthub")
    tasks.run_s, usual = 1e9, tasks.run_s
    try:
        card = launch(first)
        with Ledger() as ledger:
            until(lambda: ledger.row(card.job.id).phase >= Phase.STARTED, WAIT_S)
        second = make("flighthub", look=False)
        found = second.jobs.cards[card.job.id]
        assert found.job.is_active
        assert found._resume.layout.display == "none"
        found._cancel.click()
        finish(second, found, "cancelled")
        finish(first, card, "cancelled")
    finally:
        tasks.run_s = usual


def test_a_failed_job_says_why_and_offers_no_results(emu, make):
    emu.service("openscan").settings.outcome = "processing failed"
    try:
        launcher = make("openscan")
        card = launch(launcher)
        finish(launcher, card, "failed")
        assert "e-mail" in card.text
        assert card._collect.layout.display == "none"
        assert card.job.name in launcher.message
    finally:
        emu.service("openscan").settings.outcome = "processing done"


def test_a_folder_that_cannot_be_written_is_said_and_can_be_changed(emu, make, tmp_path):
    launcher = make("openscan")
    card = launch(launcher)
    finish(launcher, card)
    (tmp_path / "file").touch()
    card._folder.value = str(tmp_path / "file" / "results")
    card._collect.click()
    assert card.errand.wait(WAIT_S)
    assert str(tmp_path / "file") in launcher.message
    assert launcher.result.scene is None


def test_jobs_of_another_address_are_not_offered(emu, make):
    card = launch(make("openscan"))
    card.job.wait(WAIT_S)
    with Emulator(seed=7) as other, connect(other, "openscan") as account:
        launcher = Launcher(account)
        assert launcher.jobs.cards == {}
        launcher.close()


def test_the_history_is_shown_on_request(make):
    launcher = make("openscan")
    card = launch(launcher)
    finish(launcher, card)
    card._history.click()
    assert "started" in card._events.value
    card._history.click()
    assert card._events.layout.display == "none"


# -- what every widget does ------------------------------------------------------------------------


def test_the_kernel_is_free_while_photos_are_sent(emu, make):
    launcher = make("flighthub")
    emu.faults.add(faults.slow_body(0.01), service="storage", method="PUT", times=100)
    card = launch(launcher)
    clicks = []
    button = ipywidgets.Button()
    button.on_click(lambda clicked: clicks.append(threading.current_thread().name))
    button.click()
    assert clicks == [threading.current_thread().name]
    finish(launcher, card)


def test_where_nobody_runs_it_there_are_words_and_a_picture(make):
    launcher = make("teleport")
    bundle = launcher._repr_mimebundle_()
    assert "teleport" in bundle["text/plain"]
    assert "5 photos" in bundle["text/plain"]
    assert bundle["image/png"]
    assert "Pier 4" in bundle["text/html"]
