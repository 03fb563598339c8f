"""The emulated OpenScanCloud, and a plain HTTP client that knows nothing but the wire."""

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from cupixgeo.emulator import Emulator

PHOTOS = sorted((Path(__file__).parents[3] / "data/brighton_beach/images").glob("*.JPG"))
BASIC = ("openscan", "free")
DONE_S = 60 + 60 + 1800


class OpenScan:
    """Calls the emulated service as its clients do: GET, everything in the query."""

    def __init__(self, emulator, account=0):
        self.emulator = emulator
        self.base_url, self.token = emulator.endpoint("openscan", account=account)
        self.http = httpx.Client(base_url=self.base_url, auth=BASIC, verify=False)
        self.store = httpx.Client(verify=False)

    def close(self):
        self.http.close()
        self.store.close()

    def get(self, path, **params):
        return self.http.get(path, params={"token": self.token, **params})

    def create(self, content, name="a-OSC.zip", *, parts=1, photos=3):
        params = {"project": name, "photos": photos, "parts": parts, "filesize": len(content)}
        return self.get("/createProject", **params)

    def send(self, link, body, **headers):
        headers = {"Content-Type": "application/octet-stream", **headers}
        return self.store.post(link, content=body, headers=headers)

    def upload(self, content, name="a-OSC.zip", *, parts=1, photos=3):
        made = self.create(content, name, parts=parts, photos=photos)
        assert made.status_code == 200, made.text
        size = -(-len(content) // parts)
        for number, link in enumerate(made.json()["ulink"]):
            body = content[number * size : (number + 1) * size]
            assert self.send(link, body).status_code == 200
        return made.json()

    def start(self, content, name="a-OSC.zip", **options):
        self.upload(content, name, **options)
        return self.get("/startProject", project=name)

    def info(self, name="a-OSC.zip"):
        return self.get("/getProjectInfo", project=name).json()

    def finish(self, content, name="a-OSC.zip", **options):
        """Upload, start, and let the emulator's time pass until it has ended."""
        assert self.start(content, name, **options).status_code == 200
        self.emulator.clock.advance(DONE_S)
        return self.info(name)


def zip_of(names, content=b"\xff\xd8\xff not much of a photo"):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return target.getvalue()


@pytest.fixture(scope="session")
def photos_zip():
    """Three real photos, flat."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in PHOTOS[:3]:
            archive.write(path, path.name)
    return target.getvalue()


@pytest.fixture
def emu():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def settings(emu):
    return emu.service("openscan").settings


@pytest.fixture
def openscan(emu):
    client = OpenScan(emu)
    yield client
    client.close()
