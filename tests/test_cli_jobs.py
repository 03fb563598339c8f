"""The command line's verbs for jobs, on a service that exists only in tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cupixgeo import errors
from cupixgeo.cli_jobs import add_to
from cupixgeo.services import registry
from tests.services.fakes.service import TOKEN, Service
from tests.services.photos import make_photos

ROOT = Path(__file__).parents[1]
REAL = ROOT / "data" / "brighton_beach" / "reference" / "model.laz"


@pytest.fixture
def service(tmp_path, monkeypatch):
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FAKE_TOKEN", TOKEN)
    monkeypatch.setitem(registry.SERVICES, "fake", "tests.services.fakes.driver:FakeAccount")
    service = Service()
    service.products["cloud.laz"] = REAL.read_bytes()
    yield service
    service.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("cli") / "photos", 4)


@pytest.fixture
def run():
    app = typer.Typer()
    add_to(app)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def launch(run, service, photos):
    def launch(*more):
        where = ["--base-url", service.api, "--option", f'storage="{service.storage}"']
        return run("launch", "fake", photos, *where, "--set", "part_bytes=3000", *more)

    return launch


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(launch, service):
    result = launch("--dry-run", "--name", "Pier 4")
    assert result.exit_code == 0
    for text in ("Pier 4", "0.4 coin", "POST", "projects/{id}/start", "photos"):
        assert text in result.stdout
    assert "Nothing was sent." in result.stderr
    assert service.changes == []


def test_a_launch_prints_the_id_waits_and_fetches_the_results(launch, run, service, tmp_path):
    result = launch("--to", tmp_path / "out", "--product", "mesh")
    job_id = result.stdout.splitlines()[0]
    assert "photos is done." in result.stderr
    assert "cloud.laz" in result.stdout
    assert (tmp_path / "out" / "cloud.laz").read_bytes() == REAL.read_bytes()
    (row,) = json.loads(run("jobs", "--format", "json").stdout)
    assert (row["job_id"], row["state"], row["service"]) == (job_id, "done", "fake")
    assert row["created"].endswith("Z")
    assert job_id in run("jobs", "--format", "csv").stdout
    assert job_id in run("jobs").stdout


def test_results_are_listed_or_fetched(launch, run, tmp_path):
    job_id = launch().stdout.split()[0]
    assert "cloud.laz" in run("results", job_id[:5]).stdout
    assert not list(tmp_path.glob("*.laz"))
    result = run("results", job_id, "--to", tmp_path / "out", "--kind", "pointcloud")
    assert "1 files in" in result.stderr
    assert (tmp_path / "out" / "cloud.laz").exists()


def test_a_job_that_stopped_is_resumed_by_id(launch, run, service):
    service.answer("POST", "/start", 400)
    with pytest.raises(errors.BadRequestError):
        launch()
    (row,) = json.loads(run("jobs", "--format", "json").stdout)
    result = run("resume", row["job_id"])
    assert "is done." in result.stderr
    assert service.starts == 1


def test_cancel_prints_the_state_it_led_to(launch, run, service):
    service.answer("POST", "/start", 400)
    with pytest.raises(errors.BadRequestError):
        launch()
    (row,) = json.loads(run("jobs", "--format", "json").stdout)
    assert run("cancel", row["job_id"]).stdout == "cancelled\n"
    assert service.projects == {}


@pytest.mark.parametrize("given", ["--set=nonsense", "--set=a b=1", "--option==3"])
def test_parameters_are_names_with_values(launch, given):
    result = launch(given)
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr


def test_a_service_that_makes_nothing_is_refused(run, photos, service):
    with pytest.raises(errors.ArgumentError, match="cupix makes no reconstructions"):
        run("launch", "cupix", photos, "--token", "a-token-for-cupix")


def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(service, photos, run):
    service.is_held = True
    code = f"""
import typer
from cupixgeo.cli_jobs import add_to
from cupixgeo.services import registry
registry.SERVICES["fake"] = "tests.services.fakes.driver:FakeAccount"
app = typer.Typer()
add_to(app)
app(["launch", "fake", {str(photos)!r}, "--base-url", {service.api!r},
     "--option", 'storage="{service.storage}"'])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 30
    while not service.starts:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"cupixgeo resume {out.strip()}" in err
    service.is_held = False
    assert "is done." in run("resume", out.strip()).stderr
    assert service.starts == 1
