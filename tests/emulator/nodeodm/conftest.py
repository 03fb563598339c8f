"""The emulated node, and a plain HTTP client that knows nothing but the wire."""

import json
from pathlib import Path

import httpx
import pytest

from cupixgeo.emulator import Emulator

PHOTOS = sorted((Path(__file__).parents[3] / "data/brighton_beach/images").glob("*.JPG"))


class Node:
    """Calls the node with its token."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.base_url, self.token = emulator.endpoint("nodeodm")
        self.at = emulator.service("nodeodm")
        self.http = httpx.Client(base_url=self.base_url, params={"token": self.token}, verify=False)

    def get(self, path, **params):
        return self.http.get(path, params=params).json()

    def post(self, path, **options):
        return self.http.post(path, **options).json()

    def init(self, *, uuid=None, **fields):
        headers = {"set-uuid": uuid} if uuid else {}
        parts = {name: (None, value) for name, value in fields.items()}
        return self.post("/task/new/init", files=parts or {"name": (None, "")}, headers=headers)

    def upload(self, uuid, *paths, field="images"):
        files = [(field, (path.name, path.read_bytes(), "image/jpeg")) for path in paths]
        return self.post(f"/task/new/upload/{uuid}", files=files)

    def commit(self, uuid):
        return self.post(f"/task/new/commit/{uuid}")

    def task(self, photos=PHOTOS[:3], **fields):
        """Make a task and return its id."""
        fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
        uuid = self.init(**fields)["uuid"]
        assert self.upload(uuid, *photos) == {"success": True}
        assert self.commit(uuid) == {"uuid": uuid}
        return uuid

    def info(self, uuid, **params):
        return self.get(f"/task/{uuid}/info", **params)

    def code(self, uuid):
        return self.info(uuid)["status"]["code"]

    def command(self, verb, uuid, **form):
        return self.post(f"/task/{verb}", data={"uuid": uuid, **form})


@pytest.fixture
def emu():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def node(emu):
    node = Node(emu)
    yield node
    node.http.close()
