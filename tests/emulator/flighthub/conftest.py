"""A running emulator and plain clients that know nothing but the wire."""

from __future__ import annotations

import io
import json
import zipfile

import botocore.session
import httpx
import pytest
from botocore.config import Config

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.world import data_folder

GEO = {"cs_type": "GEO_CS", "geo_cs": "EPSG:32615", "geo_cs_wkt": "", "override_vertical_cs": ""}


class Api:
    """Calls the emulated FlightHub; never follows a redirect."""

    def __init__(self, emulator, account=0, *, project=True):
        self.emulator = emulator
        self.service = emulator.service("flighthub")
        self.rules = self.service.rules
        self.base_url, self.token = emulator.endpoint("flighthub", account=account)
        user = self.service.directory.users[account]
        joined = [p for p in self.service.directory.projects if user.user_id in p.users]
        self.project = joined[0].uuid
        headers = {"X-User-Token": self.token, "X-Language": "en"}
        if project:
            headers["X-Project-Uuid"] = self.project
        # no https here; loading the machine's certificates would take most of the tests' time
        self._client = httpx.Client(base_url=self.base_url, headers=headers, verify=False)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._client.close()

    def call(self, method, path, body=None, **options):
        return self._client.request(method, path, json=body, **options)

    def data(self, method, path, body=None, **options):
        answer = self.call(method, path, body, **options)
        content = answer.json()
        assert (answer.status_code, content["code"]) == (200, 0), content
        return content.get("data")

    def code(self, method, path, body=None, **options):
        """Call what is to be refused; give HTTP status and code."""
        answer = self.call(method, path, body, **options)
        content = answer.json()
        assert content["code"] != 0
        assert content["message"]
        return answer.status_code, content["code"]

    # -- a job, step by step ---------------------------------------------------------------------

    def obtain(self):
        return self.data("POST", "/open_model/stores/obtain_token")

    def put(self, grant, name, content):
        """Upload one file with botocore; give its ETag."""
        session = botocore.session.Session()
        client = session.create_client(
            "s3",
            region_name=grant["region"],
            endpoint_url=grant["end_point"],
            aws_access_key_id=grant["access_key_id"],
            aws_secret_access_key=grant["secret_access_key"],
            aws_session_token=grant["session_token"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        try:
            key = grant["store_path"].replace("{fileName}", name)
            answer = client.put_object(Bucket=grant["cloud_bucket_name"], Key=key, Body=content)
        finally:
            client.close()
        return answer["ETag"].strip('"')

    def store(self, grant, files):
        """Put files into the bucket without a signature, as a fast way; give name and ETag."""
        bucket = self.service.uploads.bucket()
        listed = []
        for name, content in files.items():
            held = bucket._held(content)
            bucket.objects[grant["store_path"].replace("{fileName}", name)] = held
            listed.append({"name": name, "etag": held.etag})
        return listed

    def report(self, grant, files, **more):
        body = {
            "resource_uuid": resource_of(grant),
            "callback_param": grant["callback_param"],
            "files": files,
            **more,
        }
        return self.data("POST", "/open_model/stores/upload_callback", body)

    def resource(self, files):
        """Make a resource of files; give its id."""
        grant = self.obtain()
        listed = self.store(grant, files)
        for start in range(0, len(listed), 100):
            self.report(grant, listed[start : start + 100])
        return resource_of(grant)

    def start(self, resource, **parameters):
        return self.data("POST", START, start_body(resource, **parameters))

    def model(self, uuid):
        return self.data("GET", f"/open_model/models/{uuid}")

    def archive(self, uuid):
        """Fetch the archive of a finished model as a ZipFile."""
        link = self.data("GET", f"/model/download-url/{uuid}")["url"]
        with httpx.Client(verify=False, trust_env=False) as client:
            answer = client.get(link)
        assert answer.status_code == 200
        return zipfile.ZipFile(io.BytesIO(answer.content))


START = "/open_model/models/reconstruction/start"


def resource_of(grant):
    return grant["store_path"].split("/")[-2]


def start_body(resource, *, delete=False, **parameters):
    """Write the body of a start; each parameter object becomes a text."""
    return {
        "resource_uuid": resource,
        **{
            f"parameter_{kind}": json.dumps({"parameter": value})
            for kind, value in parameters.items()
        },
        "delete_resource_if_finish": delete,
    }


@pytest.fixture
def emu():
    with Emulator(seed=7) as emulator:
        emulator.service("flighthub").rules.every_nth_point = 40
        yield emulator


@pytest.fixture
def api(emu):
    with Api(emu) as api:
        yield api


@pytest.fixture
def other(emu):
    """A user of another organization."""
    with Api(emu, account=1) as api:
        yield api


@pytest.fixture(scope="package")
def photos():
    """The 18 real photos."""
    folder = data_folder() / "images"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.JPG"))}


@pytest.fixture
def resource(api, photos):
    return api.resource(photos)


def copies(photo, count):
    return {f"DJI_{number:05d}.JPG": photo for number in range(count)}
