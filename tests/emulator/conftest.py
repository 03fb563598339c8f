"""A running emulator and a plain HTTP client that knows nothing but the wire."""

import httpx
import pytest

from cupixgeo.emulator import Emulator


class Api:
    """Calls the emulated Cupix API with a token in the header; never follows a redirect."""

    def __init__(self, emulator, account=0):
        self.emulator = emulator
        self.base_url, self.token = emulator.endpoint("cupix", account=account)
        headers = {"X-CUPIX-AUTH": self.token}
        # no https here; loading the machine's certificates would take most of the tests' time
        self._client = httpx.Client(base_url=self.base_url, headers=headers, verify=False)
        self._store = httpx.Client(verify=False)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._client.close()
        self._store.close()

    def get(self, path, **params):
        return self._client.get(path, params=params)

    def request(self, method, path, **options):
        return self._client.request(method, path, **options)

    def result(self, path, **params):
        response = self.get(path, **params)
        assert response.status_code == 200, response
        return response.json()["result"]

    def attributes(self, path, **params):
        return self.result(path, **params)["data"]["attributes"]

    def rows(self, path, **params):
        params.setdefault("per_page", 1000)
        return [item["attributes"] for item in self.result(path, **params)["data"]]

    def link(self, path):
        response = self.get(path)
        assert response.status_code == 302, response
        return response.headers["Location"]

    def fetch(self, link, **headers):
        """Get a storage link the right way: without the service's token."""
        return self._store.get(link, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture
def emu():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def ids(emu):
    return emu.world.cupix.ids


@pytest.fixture
def api(emu):
    with Api(emu) as api:
        yield api


@pytest.fixture
def other(emu):
    """A user of the second team."""
    with Api(emu, account=1) as api:
        yield api
