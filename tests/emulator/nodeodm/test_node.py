import httpx
import pytest

TOKEN_ERROR = {"error": "Invalid authentication token: token does not match."}


def test_the_node_says_what_it_is(node):
    assert node.get("/info") == {
        "version": "2.2.4",
        "taskQueueCount": 0,
        "totalMemory": 16 * 2**30,
        "availableMemory": 12 * 2**30,
        "cpuCores": 4,
        "maxImages": None,
        "maxParallelTasks": 1,
        "engineVersion": "3.5.6",
        "engine": "odm",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/info"),
        ("GET", "/options"),
        ("GET", "/task/list"),
        ("GET", "/task/a/info"),
        ("POST", "/task/new"),
        ("POST", "/task/new/init"),
        ("POST", "/task/cancel"),
    ],
)
@pytest.mark.parametrize("token", [None, "", "another"])
def test_a_wrong_token_is_refused_with_status_200(emu, method, path, token):
    params = {} if token is None else {"token": token}
    answer = httpx.request(method, emu.endpoint("nodeodm").base_url + path, params=params)
    assert (answer.status_code, answer.json()) == (200, TOKEN_ERROR)


def test_a_node_started_without_token_asks_for_none(emu, node):
    node.at.settings.requires_token = False
    assert httpx.get(f"{node.base_url}/info").json()["engine"] == "odm"


def test_asking_about_logging_in_needs_no_token_and_there_is_no_login(node):
    answer = httpx.get(f"{node.base_url}/auth/info").json()
    assert answer == {
        "message": "Authentication not available on this node",
        "loginUrl": None,
        "registerUrl": None,
    }
    for path in ("login", "register"):
        assert httpx.post(f"{node.base_url}/auth/{path}").json() == {"error": "Not available"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/task", "/task/a/download/", "/auth/nobody"])
def test_a_path_it_does_not_know_is_a_web_page(node, path):
    answer = node.http.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_clients_that_know_a_host_and_a_port_only_find_it(emu, node):
    for path in ("/info", "/options", "/task/list"):
        answer = httpx.get(f"{emu.url}{path}", params={"token": node.token})
        assert answer.json() == node.get(path)
    assert httpx.get(f"{emu.url}/informal").status_code == 404


def test_its_one_token_is_redacted_in_the_journal(emu, node):
    node.get("/info")
    (entry,) = emu.journal.where(service="nodeodm")
    assert entry.query == {"token": "[redacted]"}
    assert entry.carried_token
    with pytest.raises(ValueError, match="account 0 only"):
        emu.endpoint("nodeodm", account=1)


def test_faults_can_be_ordered_for_it(emu, node):
    from cupixgeo.emulator import faults

    emu.faults.add(faults.server_error(503), service="nodeodm", path="/task/*/info")
    assert node.http.get("/task/a/info").status_code == 503
    assert node.get("/task/a/info") == {"error": "a not found"}
