"""The token travels in the query of every request, and is seen nowhere."""

import logging
import traceback

import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults


def shown(error):
    """Write a traceback as a debugger would, with the variables of every frame."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format())


def assert_hidden(emu, *texts):
    """The token is a variable of this frame only, which is in no traceback of the tests."""
    token = emu.endpoint("nodeodm").token
    assert not [text for text in texts if token in text]


@pytest.mark.parametrize(
    "fault",
    [
        faults.server_error(500),
        faults.no_answer(),
        faults.html_page(),
        faults.html_page(403),
        faults.json_reply({"error": "refused"}),
        faults.truncated_json(),
        faults.json_reply([]),
    ],
)
def test_no_error_shows_it(emu, account, caplog, fault):
    caplog.set_level(logging.DEBUG)
    emu.faults.add(fault, service="nodeodm", times=None)
    for call in (account.info, account.options, account.tasks, lambda: account.cancel("a")):
        try:
            call()
        except errors.ServiceError as error:
            assert_hidden(emu, shown(error))
    assert_hidden(emu, caplog.text, repr(account), account._repr_html_(), repr(account.session))


@pytest.mark.parametrize("step", ["upload", "download", "commit", "init"])
@pytest.mark.parametrize("fault", [faults.server_error(500), faults.html_page()])
def test_no_job_shows_it(emu, account, photos, tmp_path, caplog, state, fault, step):
    caplog.set_level(logging.DEBUG)
    plan = account.plan(photos, name="Pier 4")
    written = [repr(plan), plan._repr_html_(), plan.requests().to_csv()]
    emu.faults.add(fault, service="nodeodm", path=f"*/{step}*", times=None)
    with plan.launch(workers=2) as job:
        try:
            job.wait(30)
            job.results(tmp_path / "out")
        except errors.CupixGeoError as error:
            written.append(shown(error))
        written += [repr(job), job.history().to_csv(), cx.jobs().to_csv(), caplog.text]
    written += [path.read_bytes().decode("latin-1") for path in state.iterdir()]
    assert_hidden(emu, *written)


def test_a_download_goes_to_the_node_itself_and_to_nobody_else(emu, account, photos, tmp_path):
    with account.plan(photos, name="Pier 4").launch() as job:
        job.wait(30)
        job.results(tmp_path / "out")
    assert {entry.origin for entry in emu.journal} == {"api"}
    assert all(entry.query.get("token") == "[redacted]" for entry in emu.journal)


def test_a_token_that_needs_quoting_arrives_as_it_is(emu, node, connect, monkeypatch):
    odd = "a&b=c/+%25#?"
    monkeypatch.setattr(type(node), "token", lambda self, account: odd)
    assert connect(token=odd).info().engine == "odm"
