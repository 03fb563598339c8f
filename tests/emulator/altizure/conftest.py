"""A plain GraphQL client that knows nothing but the wire."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from cupixgeo.emulator.world import data_folder

PHOTOS = sorted((data_folder() / "images").glob("*.JPG"))
UPLOAD = (
    "mutation($pid: ID!, $bucket: %s!, $name: String!, $type: IMAGE_TYPE, $sha: String) {"
    " %s(pid: $pid, bucket: $bucket, filename: $name, type: $type, checksum: $sha)"
    " { url image { id state name filename } } }"
)


class Alti:
    """Calls the emulated API as one user."""

    def __init__(self, emulator, account=0, **headers):
        self.emulator = emulator
        self.at = emulator.service("altizure")
        self.base_url = emulator.endpoint("altizure").base_url
        sent = {"key": self.at.app_key, "altitoken": self.at.user_token(account), **headers}
        # no https here; loading the machine's certificates would take most of the tests' time
        self._client = httpx.Client(headers={n: v for n, v in sent.items() if v}, verify=False)
        self._store = httpx.Client(verify=False)

    def close(self):
        self._client.close()
        self._store.close()

    def post(self, path="/graphql", **options):
        return self._client.post(self.base_url + path, **options)

    def get(self, path, **options):
        return self._client.get(self.base_url + path, **options)

    def answer(self, query, **variables):
        return self.post(json={"query": query, "variables": variables})

    def data(self, query, **variables):
        """Ask, and give the value of the only root field."""
        body = self.answer(query, **variables).json()
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    def errors(self, query, **variables):
        return [e["message"] for e in self.answer(query, **variables).json()["errors"]]

    def put(self, url, body, **headers):
        return self._store.put(url, content=body, headers=headers)

    def fetch(self, url):
        return self._store.get(url)

    def create(self, name="Pier", **arguments):
        head = "$name: String!, $type: PROJECT_TYPE, $visibility: PROJECT_VISIBILITY"
        head += ", $imported: Boolean, $modelType: IMPORTED_MODEL_TYPE"
        inner = "name: $name, type: $type, visibility: $visibility"
        inner += ", imported: $imported, modelType: $modelType"
        query = f"mutation({head}) {{ createProject({inner}) {{ id }} }}"
        made = self.data(query, name=name, **arguments)
        return made and made["id"]

    def register(self, pid, name, *, sha=None, cloud="S3", bucket="Paris", type="JPEG"):
        query = UPLOAD % (f"Bucket{cloud}", f"uploadImage{cloud}")
        return self.data(query, pid=pid, bucket=bucket, name=name, type=type, sha=sha)

    def mark(self, which, id):
        return self.data(f"mutation($id: ID!) {{ {which}(id: $id) {{ id state }} }}", id=id)

    def image(self, pid, id):
        query = (
            "query($pid: ID!, $id: ID!) { project(id: $pid) { image(id: $id)"
            " { id state name filename checksum error url } } }"
        )
        return self.data(query, pid=pid, id=id)["image"]

    def upload(self, pid, paths=PHOTOS[:3]):
        """Upload photos and let time go by until they are looked at."""
        ids = []
        for path in paths:
            body = path.read_bytes() if isinstance(path, Path) else path
            name = path.name if isinstance(path, Path) else "P.jpg"
            made = self.register(pid, name, sha=sha1(body))
            self.mark("startImageUpload", made["image"]["id"])
            assert self.put(made["url"], body).status_code == 200
            ids.append(made["image"]["id"])
        self.emulator.clock.advance(10)
        return ids

    def start(self, pid, **options):
        """Ask for a start; gives (code, task)."""
        inner = "taskType: $taskType, coupons: $coupons" if options else ""
        head = "$id: ID!, $taskType: TASK_TYPE, $coupons: [ID!]" if options else "$id: ID!"
        query = (
            f"mutation({head}) {{ startReconstructionWithError(id: $id"
            f"{f', options: {{{inner}}}' if options else ''})"
            " { error { code message } task { id state taskType queueing } } }"
        )
        result = self.data(query, id=pid, **options)
        error, task = result["error"], result["task"]
        assert (error is None) != (task is None)
        return (error and error["code"]), task

    def project(self, pid):
        query = (
            "query($id: ID!) { project(id: $id) { id name visibility projectType taskState numImage"
            " gigaPixel lastDoneGP error errorCode importedState tasks { state step totalSteps"
            " startDate endDate queueing } downloads { totalCount edges { node"
            " { state name size mtime link } } } importedModels { id state name } } }"
        )
        return self.data(query, id=pid)

    def self(self, fields="email balance freeGPQuota"):
        return self.data(f"{{ my {{ self {{ {fields} }} }} }}")["self"]


def sha1(body):
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


@pytest.fixture
def make(emu):
    made = []

    def make(account=0, **headers):
        made.append(Alti(emu, account, **headers))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def alti(make):
    return make()


@pytest.fixture
def other(make):
    """A user without membership, coins and quota."""
    return make(account=1)


@pytest.fixture
def at(emu):
    return emu.service("altizure")


@pytest.fixture
def clock(emu):
    return emu.clock
