import json

import pytest

from cupixgeo import errors
from cupixgeo.emulator import faults


def answer(emu, content, *, status=200, path="*"):
    emu.faults.add(faults.json_reply(content, status=status), service="nodeodm", path=path)


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        ("Invalid authentication token: x", errors.AuthenticationError, "NODEODM_TOKEN"),
        ("a not found", errors.NotFoundError, "two days"),
        ("Invalid uuid (not found)", errors.NotFoundError, "keeps uploads for two days"),
        ("Invalid asset", errors.NotFoundError, "all.zip and nothing else"),
        ("Asset not ready", errors.NotReadyError, "Wait until"),
        ("Task cannot be restarted", errors.NotReadyError, "Cancel it first"),
        ("Invalid set-uuid: a", errors.BadRequestError, "at the node already"),
        ("Something new", errors.BadRequestError, "Something new"),
    ],
)
def test_errors_that_come_with_status_200_are_errors(emu, account, said, kind, remedy):
    answer(emu, {"error": said})
    with pytest.raises(errors.ServiceError, match=remedy) as caught:
        account.info()
    assert type(caught.value) is kind
    assert (caught.value.service, caught.value.status) == ("nodeodm", 200)
    assert caught.value.verb == "GET /info"
    assert emu.url in str(caught.value)


def test_a_command_that_was_not_done_without_a_reason_is_an_error(emu, account):
    answer(emu, {"success": False})
    with pytest.raises(errors.BadRequestError, match="was not done"):
        account.cancel("a")


def test_refused_options_are_a_sentence(emu, account):
    entries = [{"name": "crop", "error": "out of range"}, {"name": "dsm", "error": "no"}]
    answer(emu, {"error": json.dumps(entries)})
    with pytest.raises(errors.BadRequestError, match=r": crop: out of range; dsm: no\. "):
        account.info()


@pytest.mark.parametrize(
    ("status", "kind"), [(401, errors.AuthenticationError), (403, errors.PermissionDeniedError)]
)
def test_errors_with_their_own_status_keep_what_they_say(emu, account, status, kind):
    answer(emu, {"error": "not in your plan"}, status=status)
    with pytest.raises(kind, match="not in your plan"):
        account.info()


@pytest.mark.parametrize("content", [None, [], {}, "x", 7, {"version": 2}])
def test_a_node_that_says_nothing_known_of_itself_is_none(emu, account, content):
    answer(emu, content)
    with pytest.raises(errors.ResponseError, match="address of a NodeODM node"):
        account.info()


@pytest.mark.parametrize("content", [None, {}, "x", 7])
@pytest.mark.parametrize("call", ["options", "tasks", "output"])
def test_what_should_be_a_list_and_is_none_is_not_understood(emu, account, content, call):
    answer(emu, content)
    with pytest.raises(errors.ResponseError, match="no list"):
        account.output("a") if call == "output" else getattr(account, call)()


@pytest.mark.parametrize(
    "content", [None, [], {}, {"status": None}, {"status": {}}, {"status": {"code": True}}]
)
def test_a_task_without_a_status_code_is_not_understood(emu, account, content):
    answer(emu, content)
    with pytest.raises(errors.ResponseError, match="no status code"):
        account.task("a")


def test_a_task_of_which_little_is_told_is_still_a_task(emu, account):
    odd = {"dateCreated": 1e30, "processingTime": None, "progress": 1e9, "options": [1, {}]}
    answer(emu, {"status": {"code": 70}, "imagesCount": "many", **odd})
    task = account.task("a")
    assert (task.uuid, task.name, task.code, task.state) == ("a", "", 70, "unknown")
    assert (task.word, task.images, task.progress, task.processing_s) == ("70", 0, 100.0, None)


def test_a_bare_status_code_is_understood_as_the_oldest_document_has_it(emu, account):
    answer(emu, {"status": 40})
    assert account.task("a").state == "done"


def test_rows_that_are_no_tasks_or_options_are_passed_over(emu, account):
    answer(emu, [None, {}, {"uuid": ""}], path="/task/list")
    assert account.tasks().empty
    answer(emu, [None, {}, {"name": "new", "type": "whatever", "value": "x"}], path="/options")
    (row,) = account.options().to_dict("records")
    assert (row["parameter"], row["default"], row["range"]) == ("new", "x", "")
