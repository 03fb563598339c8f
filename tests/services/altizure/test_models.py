"""Importing a model: one zip, volumes, parts of a large one, an address."""

from __future__ import annotations

import zipfile

import pytest

from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.services.altizure import models


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "pier.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pier.obj", b"v 0 0 0\n" * 4000)
    return path


def test_a_zip_becomes_a_project_with_a_model(account, model):
    seen = []
    pid = account.import_model(model, name="Pier", model_type="CAD", progress=seen.append)
    assert account.wait_for_import(pid) == "Ready"
    project = account.project(pid)
    assert (project["is_imported"], project["imported_state"]) == (True, "Ready")
    assert account.imported_models(pid)["name"].tolist() == ["pier.zip"]
    assert seen[-1].done == seen[-1].total == model.stat().st_size


def test_a_large_zip_travels_in_parts_and_is_joined(account, model, at, monkeypatch):
    monkeypatch.setattr(models, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(models, "PART_BYTES", 3000)
    parts = models.parts_of(model)
    digits = len(str(len(parts) - 1))
    assert [p.name for p in parts] == [
        f"pier.zip.part.{n:0{digits}d}" for n in range(1, len(parts) + 1)
    ]
    assert b"".join(b"".join(p.body.chunks()) for p in parts) == model.read_bytes()
    assert account.wait_for_import(account.import_model(model, name="Pier")) == "Ready"


@pytest.mark.parametrize(("count", "digits"), [(2, 1), (10, 1), (11, 2), (100, 2), (101, 3)])
def test_numbers_of_parts_have_as_many_digits_as_the_public_client_gives(
    tmp_path, monkeypatch, count, digits
):
    monkeypatch.setattr(models, "WHOLE_BYTES", 1)
    monkeypatch.setattr(models, "PART_BYTES", 10)
    path = tmp_path / "a.zip"
    path.write_bytes(bytes(10 * count))
    assert models.parts_of(path)[0].name == f"a.zip.part.{1:0{digits}d}"


def test_volumes_travel_one_by_one(account, model, tmp_path, emu):
    body = model.read_bytes()
    half = len(body) // 2
    (tmp_path / "big.zip.001").write_bytes(body[:half])
    (tmp_path / "big.zip.002").write_bytes(body[half:])
    pid = account.import_model(tmp_path / "big.zip.001", name="Pier")
    assert account.wait_for_import(pid) == "Ready"
    assert len(emu.journal.where(operation="uploadModelS3")) == 2


def test_an_address_is_fetched_by_the_service(account, at):
    pid = account.import_model("http://192.0.2.1/pier.zip", name="Pier")
    assert account.wait_for_import(pid) == "Failed"  # the emulator reaches this computer only


def test_a_part_that_fails_is_sent_again(account, model, emu):
    emu.faults.add(faults.server_error(), service="storage", method="PUT", times=2)
    assert account.wait_for_import(account.import_model(model, name="Pier")) == "Ready"
    emu.faults.add(faults.server_error(), service="storage", method="PUT", times=None)
    with pytest.raises(errors.ServerError):
        account.import_model(model, name="Pier")


def test_a_limit_that_is_exceeded_is_the_end_of_the_wait_and_another_try_is_allowed(
    account, model, at
):
    at.store.accounts[0].membership.asset_storage = 1e-7
    pid = account.import_model(model, name="Pier")
    assert account.wait_for_import(pid) == "LimitExceeded"
    at.store.accounts[0].membership.asset_storage = 1.0
    assert account.import_model(model, name="Pier", project=pid) == pid
    assert account.wait_for_import(pid) == "Ready"


def test_a_wait_ends_after_its_time(account, model, at):
    at.rules.step_s = 10_000.0
    pid = account.import_model(model, name="Pier")
    assert account.wait_for_import(pid, timeout_s=12.0) == "Converting"


@pytest.mark.parametrize("name", ["pier.obj", "a b.zip", "brücke.zip"])
def test_names_the_service_refuses_are_refused_before_anything_is_sent(
    account, tmp_path, emu, name
):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(errors.ArgumentError):
        account.import_model(tmp_path / name, name="Pier")
    with pytest.raises(errors.ArgumentError, match="is no file"):
        account.import_model(tmp_path / "missing.zip", name="Pier")
    assert not len(emu.journal)


def test_a_project_for_photos_takes_no_model(account, model):
    pid = account.create_project("Pier")
    for source in (model, "http://192.0.2.1/pier.zip"):
        with pytest.raises(errors.BadRequestError, match="takes no model"):
            account.import_model(source, name="Pier", project=pid)
