"""Tables of an account against what the emulator really has."""

from __future__ import annotations

import pytest

from cupixgeo import errors
from cupixgeo.services.altizure.conventions import Conventions


@pytest.fixture
def demo(at):
    """The finished project of the real photos."""
    return next(p for p in at.store.projects.values() if p.name == "Brighton Beach")


def test_me_shows_balance_and_price_with_units(account):
    table = account.me()
    assert table["balance"][0] == 25.0
    assert table["coin_per_gp"][0] == 1.0
    assert table.attrs["columns"]["balance"]["unit"] == "coin"
    assert table["plan_until"].dt.tz is not None
    assert "private" in table["visibility"][0]


@pytest.mark.parametrize("size", [1, 5, 12, 50])
def test_projects_come_whole_whatever_the_page_size(connect, at, size):
    table = connect(conventions={"client_page": size}).projects()
    own = [p for p in at.store.projects.values() if p.owner is at.store.accounts[0]]
    assert len(table) == len(own) == 14
    assert table["id"].is_unique
    assert table["date"].is_monotonic_decreasing


def test_projects_are_searched_and_narrowed(account):
    assert account.projects(search="quarry")["name"].tolist() == ["Quarry south", "Quarry north"]
    assert account.projects(search="nothing like it").empty
    assert len(account.projects(native_only=True)) == 13
    assert account.projects().query("is_imported")["imported_state"].tolist() == ["Ready"]
    with pytest.raises(errors.ArgumentError):
        account.projects(native_only=True, search="x")


def test_an_empty_list_has_its_columns(account):
    table = account.projects(search="nothing like it")
    assert list(table.columns) == list(account.projects().columns)
    assert str(table["gigapixels"].dtype) == "float64"


def test_one_project_and_one_found_by_the_beginning_of_its_id(account, demo):
    project = account.project(demo.id)
    assert (project["task_state"], project["images"]) == ("Done", 18)
    assert project["gigapixels"] == pytest.approx(18 * 2073600 / 1e9)
    assert account.find_projects(demo.id[:8], limit=1)["id"].tolist() == [demo.id]


def test_public_projects_stop_where_they_are_told(account):
    assert len(account.public_projects(most=3)) == 3
    assert account.public_projects(search="Harbour")["name"].tolist() == ["Harbour", "Harbour wall"]


def test_images_tasks_downloads_of_a_finished_project(account, demo):
    images = account.images(demo.id)
    assert len(images) == 18
    assert set(images["state"]) == {"Ready"}
    assert images["checksum"].str.len().eq(40).all()
    assert images["error"].isna().all()
    (task,) = account.tasks(demo.id).to_dict("records")
    assert (task["state"], task["task_type"]) == ("Done", "Native")
    downloads = account.downloads(demo.id)
    assert downloads["name"].tolist() == ["model.zip"]
    assert downloads["is_ready"].all()
    assert "link" not in downloads
    assert account.viewer_url(demo.id).endswith(f"/project-model?pid={demo.id}")


def test_coupons_by_state_and_in_either_shape(connect, account, emu):
    from cupixgeo.emulator import faults

    assert len(account.coupons()) == 4
    assert len(account.coupons(time_state="ActiveUnused")) == 2
    listed = connect(conventions=Conventions(coupons="list"))
    reply = {"data": {"my": {"coupons": [{"id": "c1"}, {"id": "c2"}]}}}
    emu.faults.add(faults.json_reply(reply), service="altizure")
    assert listed.coupons()["id"].tolist() == ["c1", "c2"]


def test_error_codes_are_the_services_own_and_never_invented(account, emu):
    from cupixgeo.emulator import faults

    table = account.error_codes()
    assert table["code"].str.startswith("Emulated").all()
    assert table["solution"].str.len().gt(0).all()
    values = [{"name": "ONLY_ONE"}]
    reply = faults.json_reply({"data": {"__type": {"enumValues": values}}})
    emu.faults.add(reply, service="altizure", path="/graphql/__type")
    emu.faults.add(
        faults.json_reply({"data": {"support": {"errorCodeInfo": None}}}),
        service="altizure",
        path="/graphql/support",
    )
    assert account.error_codes().to_dict("records") == [
        {"code": "ONLY_ONE", "description": "", "solution": ""}
    ]


def test_enums_are_asked_for(account):
    assert account.enum_values("TASK_TYPE") == ["Native", "Dense"]
    with pytest.raises(errors.NotFoundError, match="no enum 'Nothing'"):
        account.enum_values("Nothing")


def test_buckets_clouds_and_modes(account, at):
    buckets = account.buckets()
    assert buckets.query("kind == 'image' and cloud == 'OSS'")["bucket"].tolist() == ["Shenzhen"]
    assert set(buckets["kind"]) == {"image", "meta", "model"}
    assert account.supported_clouds("meta") == ["S3", "MINIO"]
    assert account.system_mode() == "Normal"
    at.rules.system_mode = "ReadOnly"
    assert account.system_mode() == "ReadOnly"
    assert account.api_version() == "2.7.4"
    assert account.endpoints()["api"] == account.base_url


def test_size_and_money(account):
    assert account.gigapixels(4000, 3000, 100) == pytest.approx(1.2)
    assert account.coins_to_money(3) == pytest.approx(35.4)
    assert account.money_to_coins(35.4) == pytest.approx(3)
    with pytest.raises(errors.BadRequestError, match="CoinsToMoney"):
        account.coins_to_money(3, "DOUBLOON")


def test_the_network_test_says_what_the_service_can_reach(account, emu):
    assert account.network_test(f"{emu.url}/altizure/graphql")
    assert not account.network_test("http://192.0.2.1/")


def test_rooms_that_let_the_account_in(account):
    assert account.rooms() == {"super": False, "sales": True}


def test_projects_and_coins_change_hands(account, connect, at, emu):
    south = at.store.accounts[1]
    other = connect(token=emu.endpoint("altizure", account=1).token)
    pid = account.create_project("Gift", project_type="pro", visibility="private")
    account.transfer_project(pid, south.email, message="for you")
    account.transfer_coins(5, south.email)
    assert other.me()["balance"][0] == 5.0
    other.report_project(pid, "only a test")
    with pytest.raises(errors.BadRequestError, match="has no project"):
        account.remove_project(pid)
    other.remove_project(pid)
    with pytest.raises(errors.NotFoundError):
        other.project(pid)
    with pytest.raises(errors.BadRequestError, match="not enough coins"):
        account.transfer_coins(1000, south.email)


def test_a_project_that_is_not_made_is_an_error(connect, emu):
    poor = connect(token=emu.endpoint("altizure", account=1).token)
    with pytest.raises(errors.BadRequestError, match="public unless a membership"):
        poor.create_project("x", visibility="private")
