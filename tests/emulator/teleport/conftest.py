"""The emulated Teleport, and a plain HTTP client that knows nothing but the wire."""

import hashlib
import io
import zipfile
from pathlib import Path

import httpx
import pytest

from cupixgeo.emulator import Emulator

PHOTOS = sorted((Path(__file__).parents[3] / "data/brighton_beach/images").glob("*.JPG"))
CHUNK = 1 << 20


class Teleport:
    """Calls the emulated service with a token it has got; sends parts without one."""

    def __init__(self, emulator, account=0):
        self.emulator = emulator
        self.base_url, key = emulator.endpoint("teleport", account=account)
        self.client_id, _, self.client_secret = key.partition(":")
        self.http = httpx.Client(base_url=self.base_url, verify=False)
        self.store = httpx.Client(verify=False)
        self.sign_in()

    def sign_in(self):
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        token = self.http.post("/oauth2/token", data=form).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def close(self):
        self.http.close()
        self.store.close()

    def get(self, path, **params):
        return self.http.get(path, params=params)

    def post(self, path, body):
        return self.http.post(path, json=body)

    def create(self, name="pier.zip", size=3 * CHUNK, form="bulk-images", **more):
        body = {"name": name, "bytesize": size, "input_data_format": form, **more}
        answer = self.post("/api/v1/captures", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def link(self, eid, number, size=1):
        path = f"/api/v1/captures/{eid}/create-upload-url/{number}"
        return self.post(path, {"eid": eid, "bytesize": size}).json()["upload_url"]

    def upload(self, content, *, name="pier.zip", form="bulk-images", **more):
        """Make a capture of these bytes; returns the answer of `uploaded`."""
        made = self.create(name, len(content), form, **more)
        eid, chunk = made["eid"], made["chunk_size"]
        parts = []
        for number in range(1, made["num_parts"] + 1):
            piece = content[(number - 1) * chunk : number * chunk]
            stored = self.store.put(self.link(eid, number, len(content)), content=piece)
            assert stored.status_code == 200, stored.text
            parts.append({"number": number, "etag": stored.headers["ETag"].strip('"')})
        answer = self.post(f"/api/v1/captures/{eid}/uploaded", {"eid": eid, "parts": parts})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def listed(self, eid, **params):
        rows = self.get("/api/v1/captures", limit=1000, **params).json()
        return next(row for row in rows if row["eid"] == eid)

    def finish(self, content, **options):
        """Upload and let the emulator's time pass until it has ended."""
        eid = self.upload(content, **options)["eid"]
        self.emulator.clock.advance(1200)
        return self.listed(eid)


@pytest.fixture(scope="session")
def photos_zip():
    """The real photos, every third, in a folder inside the zip, with a file that is no photo."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("flight/notes.txt", "calm, overcast")
        for path in PHOTOS[::3]:
            archive.write(path, f"flight/{path.name}")
    return target.getvalue()


@pytest.fixture(scope="package")
def running():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def emu(running):
    """The emulator of all tests, with the usual settings, no faults and an empty journal."""
    settings = running.service("teleport").settings
    usual = dict(vars(type(settings)()))
    vars(settings).update(usual, chunk_size=CHUNK)
    running.faults.clear()
    running.journal.clear()
    return running


@pytest.fixture
def settings(emu):
    return emu.service("teleport").settings


@pytest.fixture
def teleport(emu):
    client = Teleport(emu)
    yield client
    client.close()


@pytest.fixture
def stranger(emu):
    """Another organisation, without the plan for modelv3."""
    client = Teleport(emu, account=1)
    yield client
    client.close()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
