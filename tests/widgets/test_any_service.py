"""A service that is registered later gets its form, its jobs and its results, like all others."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo.net.settings import NetSettings
from cupixgeo.services import registry
from cupixgeo.services.driver import JobDriver
from cupixgeo.widgets.launcher import Launcher
from tests.services.fakes.driver import FakeAccount
from tests.services.fakes.service import TOKEN, Service
from tests.services.photos import make_photos
from tests.widgets.accounts import until

REAL = Path("data/brighton_beach/reference/model.laz").absolute()


@pytest.fixture
def service():
    service = Service()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.write(REAL, "points/cloud.laz")
    service.products["all.zip"] = packed.getvalue()
    yield service
    service.close()


@pytest.fixture
def account(service, tmp_path, monkeypatch):
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.SERVICES, "fake", "tests.services.fakes.driver:FakeAccount")
    settings = NetSettings(backoff_s=0.01, backoff_cap_s=0.02, read_timeout_s=5.0)
    with cx.connect(
        "fake", TOKEN, base_url=service.api, storage=service.storage, settings=settings
    ) as account:
        yield account


def test_its_dataclass_is_its_form(account):
    launcher = Launcher(account)
    fields = launcher.wishes.form.fields
    assert [name for _, name in fields] == ["detail", "spacing", "bundle", "part_bytes", "others"]
    assert fields["", "detail"].input.options == (("high (default)", "high"), ("low", "low"))
    assert fields["", "spacing"].input.description == "spacing [m]"
    assert fields["", "spacing"].help == "Distance of points. 0.01 to 10"
    fields["", "spacing"].raw = "99"
    assert fields["", "spacing"].fault == "spacing=99 is not from 0.01 to 10 m."
    fields["", "spacing"].raw = "0.5"
    fields["", "others"].raw = '{"most": 10}'
    assert launcher.order.keywords == {
        "name": launcher.wishes.name.value,
        "spacing": 0.5,
        "most": 10,
    }
    launcher.close()


def test_it_is_launched_and_its_result_shown(account, service, tmp_path):
    launcher = Launcher(account, photos=make_photos(tmp_path / "photos", 4), name="Fake pier")
    launcher.wishes.form.fields["", "part_bytes"].raw = "2000"
    launcher.photos.look.click()
    until(lambda: not launcher.launch.disabled)
    launcher.launch.click()
    until(lambda: launcher.jobs.cards)
    (card,) = launcher.jobs.cards.values()
    until(lambda: card.job.state.is_final)
    assert service.starts == 1
    assert launcher.jobs.wait(20)
    card.refresh()
    card._collect.click()
    assert card.errand.wait(30)
    assert "points in EPSG:32615" in launcher.result.words.value
    launcher.close()


def test_where_it_cannot_be_told_if_it_was_started_the_user_decides(account, service, tmp_path):
    account.unclear = True
    service.lose_reply("POST", "/start")
    launcher = Launcher(account, photos=make_photos(tmp_path / "photos", 4), name="Fake pier")
    launcher.photos.look.click()
    until(lambda: not launcher.launch.disabled)
    launcher.launch.click()
    until(lambda: launcher.message)
    (card,) = launcher.jobs.cards.values()
    until(lambda: card._again.layout.display is None)
    assert "own pages" in launcher.message
    card._again.click()
    until(lambda: card.job.state.is_final)
    assert card.job.state == "done"
    launcher.close()


def test_one_that_says_nothing_about_its_arguments_still_gets_a_form(account, monkeypatch):
    class Silent(FakeAccount):
        def driver(self):
            made = super().driver()
            made.offer = lambda products=(): JobDriver.offer(made, products)
            return made

    monkeypatch.setattr(account, "__class__", Silent)
    launcher = Launcher(account)
    assert [name for _, name in launcher.wishes.form.fields] == ["others"]
    assert launcher.wishes.crs.layout.display is None
    launcher.wishes.form.fields["", "others"].raw = '{"spacing": 99}'
    assert "0.01 to 10" in launcher.wishes.form.fields["", "others"].fault
    launcher.close()


def test_a_card_whose_work_has_just_ended_is_looked_at_once_more(account, service, tmp_path):
    """The state is final a moment before the work in the background has ended."""
    launcher = Launcher(account, photos=make_photos(tmp_path / "photos", 4), name="Fake pier")
    launcher.photos.look.click()
    until(lambda: not launcher.launch.disabled)
    launcher.launch.click()
    until(lambda: launcher.jobs.cards)
    (card,) = launcher.jobs.cards.values()
    assert launcher.jobs.wait(20)
    card._was_active = True
    assert card.is_live
    card.refresh()
    assert not card.is_watched
    launcher.close()
