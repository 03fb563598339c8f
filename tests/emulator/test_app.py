import ast
import socket
import threading
from pathlib import Path

import httpx
import pytest

import cupixgeo.emulator
from cupixgeo.emulator import Clock, Emulator
from cupixgeo.emulator.app import SERVICES

PACKAGE = Path(cupixgeo.emulator.__file__).parent


def test_the_emulator_imports_nothing_of_the_rest_of_the_package():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                island = name == "cupixgeo.emulator" or name.startswith("cupixgeo.emulator.")
                assert island or not name.startswith("cupixgeo"), f"{path.name} imports {name}"


def test_the_endpoint_is_the_full_api_root_on_loopback(emu):
    base_url, token = emu.endpoint("cupix")
    assert base_url == f"http://127.0.0.1:{httpx.URL(emu.url).port}/api/v1"
    assert token.startswith("emu-cupix-north-")


def test_api_and_storage_are_two_origins(emu):
    api, storage = httpx.URL(emu.url), httpx.URL(emu.storage_url)
    assert api.host == storage.host == "127.0.0.1"
    assert api.port != storage.port


def test_it_listens_on_loopback_only(emu):
    port = httpx.URL(emu.url).port
    with socket.socket() as probe:
        probe.settimeout(1)
        # 127.0.0.2 is this machine too, but not the address the emulator is bound to
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others():
    tokens = []
    for seed in (7, 7, 8):
        with Emulator(seed) as emulator:
            tokens.append([emulator.endpoint("cupix", account=a).token for a in (0, 1)])
    assert tokens[0] == tokens[1]
    assert len({*tokens[0], *tokens[2]}) == 4


def test_an_unknown_service_or_account_is_named(emu):
    with pytest.raises(ValueError, match="'cupiks'; there are cupix"):
        emu.endpoint("cupiks")
    with pytest.raises(ValueError, match="accounts 0 to 1, not 2"):
        emu.endpoint("cupix", account=2)


def test_a_stopped_emulator_says_how_to_start_it():
    with pytest.raises(ValueError, match="not running; use `with Emulator"):
        Emulator().endpoint("cupix")


def test_it_cannot_be_started_twice(emu):
    with pytest.raises(ValueError, match="already running"):
        emu.start()


def test_it_can_be_started_again_after_stop():
    emulator = Emulator().start()
    emulator.stop()
    with emulator:
        assert httpx.get(f"{emulator.url}/api/v1/me").status_code == 401


def test_a_chosen_port_is_used_and_a_taken_one_is_refused_by_name():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"cannot listen on port {port}"):
            Emulator(port=port).start()
    with Emulator(port=port) as emulator:
        assert emulator.url == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": "7"}, {"port": 70000}])
def test_nonsense_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"whole number|port is a number"):
        Emulator(**arguments)


def test_options_are_checked_by_name_and_value(emu):
    with pytest.raises(ValueError, match="no option 'matrix_ordre'; there are"):
        Emulator(matrix_ordre="row")
    with pytest.raises(ValueError, match="'row' or 'column'"):
        emu.options.matrix_order = "diagonal"
    with pytest.raises(ValueError, match="more than 0 s"):
        Emulator(link_lifetime_s=0)


def test_stop_does_not_wait_for_an_idle_keep_alive_connection():
    emulator = Emulator().start()
    with httpx.Client() as client:
        assert client.get(f"{emulator.url}/api/v1/me").status_code == 401
        assert threads_of_connections()
        emulator.stop()
        assert not threads_of_connections()


def test_stop_does_not_wait_for_a_slow_body():
    emulator = Emulator().start()
    rule = emulator.faults.add(cupixgeo.emulator.faults.slow_body(3600), path="/sessions")
    token = emulator.endpoint("cupix").token
    headers = {"X-CUPIX-AUTH": token}
    with (
        httpx.Client() as client,
        client.stream("GET", f"{emulator.url}/api/v1/sessions", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert rule.fired == 1
        emulator.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()
    assert not threads_of_connections()


def test_a_path_outside_every_service_is_404(emu):
    assert httpx.get(f"{emu.url}/").status_code == 404
    assert httpx.get(f"{emu.url}/api/v10/me").status_code == 404
    assert [entry.service for entry in emu.journal] == ["", ""]


def test_no_two_services_share_a_root():
    roots = [row.root for row in SERVICES.values()]
    assert len(set(roots)) == len(roots)


def test_the_clock_can_be_shared():
    clock = Clock()
    with Emulator(clock=clock) as emulator:
        clock.advance(60)
        date = httpx.get(f"{emulator.url}/").headers["Date"]
    assert date == "Mon, 13 May 2024 08:01:00 GMT"


def threads_of_connections():
    return [t for t in threading.enumerate() if t.name == "emulator:connection"]
