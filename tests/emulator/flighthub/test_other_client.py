"""An independent client drives the emulator end to end: flighthub2-cli, from the package index.

Its author wrote it against a live organization. Nothing of this project is on the client's side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from flighthub2 import FlightHub2Client
from flighthub2.config import Settings
from flighthub2.enums import OpenModelStatus, OpenModelType, ResourceStatus, ZipStatus
from flighthub2.errors import (
    APIConnectionError,
    AuthenticationError,
    BusinessError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

from cupixgeo.emulator import faults
from tests.emulator.flighthub.conftest import GEO


@pytest.fixture
def connect(emu):
    opened = []

    def connect(**settings):
        token = emu.endpoint("flighthub").token
        defaults = {"token": token, "base_url": emu.url, "max_retries": 0, "verify_ssl": False}
        opened.append(FlightHub2Client(settings=Settings(**{**defaults, **settings})))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def client(connect, api):
    return connect(project_uuid=api.project)


def uploaded(client, api, photos):
    """Upload as the client's documentation says: its key, its resource id, quotes off the ETag."""
    token = client.open_model.obtain_token()
    grant = {**token.model_dump(), "end_point": token.end_point}
    files = [
        {"name": name, "etag": api.put({**grant, "store_path": token.object_key(name)}, name, data)}
        for name, data in photos.items()
    ]
    return token, files


def test_a_whole_job_by_the_other_client(emu, api, client, photos):
    assert client.system.status().healthy
    project = client.organization.find_project("brighton beach")
    assert project is not None
    assert project.uuid == api.project
    token, files = uploaded(client, api, photos)
    reported = client.open_model.upload_callback(
        resource_uuid=token.resource_uuid,
        callback_param=token.callback_param,
        files=files,
        resource_name="Pier 4",
    )
    assert (reported.upload_count, reported.file_name_list) == (18, list(photos))
    resource = client.open_model.get_resource(token.resource_uuid)
    assert resource.status == ResourceStatus.IMPORT_SUCCESS
    assert resource.resource_size == sum(map(len, photos.values()))
    started = client.open_model.start_reconstruction(
        resource_uuid=token.resource_uuid,
        parameter_2d={"parameter": {"map_mode": 1, "output_geo_desc": GEO}},
        parameter_3d=json.dumps({"parameter": {"output_pointcloud": True, "generate_las": True}}),
    )
    assert started.model_lidar is started.model_3dgs is None
    assert started.model_2d.status == OpenModelStatus.REQUESTING_RESOURCE
    running = client.open_model.list_running()
    assert [m.model_type for m in running] == [OpenModelType.MODEL_2D, OpenModelType.MODEL_3D]
    client.open_model.stop_reconstruction(started.model_2d.uuid)
    emu.clock.advance(10_000)
    stopped = client.open_model.get_model(started.model_2d.uuid)
    assert stopped.model_status == OpenModelStatus.RECONSTRUCTION_CANCELED
    done = client.open_model.get_model(started.model_3d.uuid)
    assert done.model_status == OpenModelStatus.RECONSTRUCTION_SUCCESS
    assert done.zip_status == ZipStatus.FINISH
    assert done.zip_file_key
    assert client.open_model.list_running() == []
    client.open_model.delete_model(started.model_3d.uuid)
    with pytest.raises(NotFoundError):
        client.open_model.get_model(started.model_3d.uuid)
    client.open_model.delete_resource(token.resource_uuid)
    gone = client.open_model.get_resource(token.resource_uuid)
    assert (gone.status, gone.file_names) == (ResourceStatus.DELETED, [])


def test_the_other_client_finds_the_models_on_the_map(client):
    (row,) = client.map_models.list()
    details = client.map_models.get(row.id)
    assert details.url
    created = client.map_models.create(
        name="Shore",
        task_folder_id=4711,
        reconstruction_type=["model_3d"],
        generate_model_formats=["las"],
        wkt="EPSG:32615",
    )
    assert created.id


def test_refusals_have_the_other_client_s_classes(connect, api, client):
    with pytest.raises(AuthenticationError):
        connect(token="nobody").organization.list_projects()
    with pytest.raises(PermissionDeniedError):
        connect(project_uuid="another").open_model.obtain_token()
    api.rules.auth_status = 200
    with pytest.raises(BusinessError, match="200401"):
        connect(token="nobody").system.status()
    with pytest.raises(BusinessError, match="200610"):
        client.open_model.start_reconstruction(
            resource_uuid=api.resource({"a.jpg": b"1"}), parameter_3d="no json"
        )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.rate_limited(1), RateLimitError),
        (faults.server_error(503), ServerError),
        (faults.no_answer(), APIConnectionError),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_scripted_faults_reach_the_other_client(emu, client, fault, error):
    emu.faults.add(fault, service="flighthub", path="/open_model/*")
    with pytest.raises(error):
        client.open_model.list_running()


def test_its_command_line_works_too(emu, api, tmp_path):
    """In a process of its own: it leaves its connections to the interpreter's end."""
    environment = {
        **os.environ,
        "FLIGHTHUB2_CONFIG": str(tmp_path / "none.toml"),
        "FLIGHTHUB2_TOKEN": api.token,
        "FLIGHTHUB2_BASE_URL": emu.url,
        "FLIGHTHUB2_PROJECT_UUID": api.project,
    }
    for command in (["project", "list"], ["openmodel", "obtain-token"]):
        result = subprocess.run(
            [sys.executable, "-m", "flighthub2", "--output", "json", *command],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)
    assert len(emu.journal.where(service="flighthub", carried_token=True)) == 2
