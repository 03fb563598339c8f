"""Projects, coins and what the service says about itself."""

import pytest

from cupixgeo.emulator.altizure.rules import gigapixels

LIST = (
    "query($first: Int, $after: String, $search: String) { my { allProjects(first: $first,"
    ' after: $after, before: "", search: $search) { totalCount pageInfo { hasNextPage endCursor }'
    " edges { node { id name isImported } } } } }"
)


def test_a_project_costs_nothing_and_names_need_not_be_unique(alti):
    before = alti.self()["balance"]
    first, second = alti.create("Pier"), alti.create("Pier")
    assert first != second
    assert len(first) == 24
    assert int(first, 16)
    assert alti.self()["balance"] == before


def test_lists_are_newest_first_and_imported_projects_only_in_one_of_them(alti):
    new = alti.create("Newest")
    rows = alti.data(LIST, first=12, search="")["allProjects"]
    assert rows["edges"][0]["node"]["id"] == new
    assert rows["pageInfo"]["hasNextPage"]
    rest = alti.data(LIST, first=12, after=rows["pageInfo"]["endCursor"], search="")["allProjects"]
    names = [e["node"]["name"] for e in rows["edges"] + rest["edges"]]
    assert len(names) == rows["totalCount"] == len(set(names))
    assert any(e["node"]["isImported"] for e in rows["edges"] + rest["edges"])
    native = alti.data("{ my { projects { edges { node { isImported } } } } }")["projects"]
    assert not any(e["node"]["isImported"] for e in native["edges"])


def test_search_is_on_the_display_name(alti):
    rows = alti.data(LIST, search="quarry")["allProjects"]["edges"]
    assert [e["node"]["name"] for e in rows] == ["Quarry south", "Quarry north"]


def test_an_id_is_found_by_its_beginning(alti):
    new = alti.create("Newest", type="pro", visibility="private")
    query = (
        "query($id: String, $limit: Int, $mine: Boolean)"
        " { search { projectID(id: $id, limit: $limit, myProject: $mine) { id } } }"
    )
    assert alti.data(query, id=new[:10], limit=1, mine=True)["projectID"] == [{"id": new}]
    assert alti.data(query, id="ffff", limit=1, mine=True)["projectID"] == []


def test_a_private_project_is_null_to_others_and_an_unlisted_one_is_not_listed(alti, other):
    private = alti.create(visibility="private", type="pro")
    unlisted = alti.create(visibility="unlisted", type="pro")
    assert other.project(private) is None
    assert other.project(unlisted)["id"] == unlisted
    public = other.data("{ allProjects { edges { node { id } } } }")["edges"]
    assert unlisted not in [e["node"]["id"] for e in public]
    assert other.project("0" * 24) is None


def test_free_projects_are_public_unless_a_membership_allows_more(alti, other):
    assert alti.create(type="free", visibility="private") is not None
    assert other.create(type="free", visibility="private") is None
    assert other.create(type="free") is not None


def test_an_imported_project_needs_its_type_and_the_type_an_imported_project(alti):
    assert alti.create(imported=True) is None
    assert alti.create(modelType="CAD") is None
    pid = alti.create(imported=True, modelType="CAD")
    assert alti.project(pid)["importedState"] == "Pending"
    assert alti.project(alti.create())["importedState"] == "Native"


def test_only_the_owner_removes_or_gives_away(alti, other, at):
    pid = alti.create()
    remove = "mutation($id: ID!) { removeProject(id: $id) { id } }"
    give = (
        "mutation($id: ID!, $to: String) { transferProject(id: $id, options: {email: $to})"
        " { error { message } result } }"
    )
    assert other.data(remove, id=pid) is None
    assert other.data(give, id=pid, to="x")["result"] == "Fail"
    south = at.store.accounts[1].email
    assert alti.data(give, id=pid, to=south) == {"error": None, "result": "Success"}
    assert alti.data(remove, id=pid) is None
    assert other.data(remove, id=pid) == {"id": pid}
    assert other.project(pid) is None


def test_a_project_can_be_reported(alti, other, at):
    pid = alti.create()
    query = "mutation($id: ID!, $d: String!) { reportProject(id: $id, description: $d) { id } }"
    assert other.data(query, id=pid, d="spam") == {"id": pid}
    assert at.store.projects[pid].reports == ["spam"]


def test_coins_are_transferred_as_far_as_there_are_any(alti, other, at):
    query = (
        "mutation($a: Float!, $to: String) { transferCoins(amount: $a, options: {email: $to})"
        " { error { message } result } }"
    )
    south = at.store.accounts[1].email
    assert alti.data(query, a=5.0, to=south)["result"] == "Success"
    assert (alti.self()["balance"], other.self()["balance"]) == (20.0, 5.0)
    for wrong in ({"a": 21.0, "to": south}, {"a": -1.0, "to": south}, {"a": 1.0, "to": "x"}):
        answer = alti.data(query, **wrong)
        assert answer["result"] == "Fail"
        assert answer["error"]["message"]


def test_the_balance_is_the_users_own_business(alti, other, at):
    query = "query($id: ID!) { project(id: $id) { owner { name email balance } } }"
    pid = alti.create()
    assert other.data(query, id=pid)["owner"] == {"name": "North", "email": None, "balance": None}
    assert alti.data(query, id=pid)["owner"]["balance"] == 25.0


def test_coupons_are_filtered_by_use_within_their_time(alti):
    query = (
        "query($f: FILTER_COUPON_TIME_STATE) { my { coupons(filter: $f)"
        " { totalCount edges { node { id } } } } }"
    )
    assert alti.data(query, f="ActiveUsed")["coupons"]["totalCount"] == 1
    assert alti.data(query, f="ActiveUnused")["coupons"]["totalCount"] == 2
    assert alti.data(query)["coupons"]["totalCount"] == 4


def test_sizes_follow_the_public_formula(alti):
    query = (
        "query($w: Int, $h: Int, $n: Int) { utility"
        " { sizeToGigaPixel(width: $w, height: $h, numImg: $n) } }"
    )
    assert alti.data(query, w=4000, h=3000, n=100)["sizeToGigaPixel"] == pytest.approx(1.2)
    assert alti.data(query, w=640, h=480, n=1)["sizeToGigaPixel"] == 2073600 / 1e9
    assert gigapixels(4000, 3000, 100) == 1.2


def test_coins_and_money_are_exchanged_at_one_price(alti):
    query = (
        "{ bank { a: coinsToMoney(coins: 3, currency: USD)"
        " b: moneyToCoins(money: 12, currency: USD) } }"
    )
    assert alti.data(query) == {"a": pytest.approx(35.4), "b": pytest.approx(1.02, abs=0.005)}


def test_the_service_describes_itself(alti, emu):
    query = (
        "{ support { systemMode endpoints { api web } supportedCloud(kind: image)"
        " a: supportedCloud(kind: meta) } }"
    )
    support = alti.data(query)
    assert support["endpoints"]["api"] == f"{emu.url}/altizure"
    assert support["supportedCloud"] == ["S3", "OSS", "MINIO"]
    assert support["a"] == ["S3", "MINIO"]
    geo = alti.data("{ getGeoIPInfo { nearestBuckets { bucket display cloud } } }")
    assert geo["nearestBuckets"][2] == {
        "bucket": "HongKong", "display": "Hong Kong", "cloud": "S3",
    }  # fmt: skip


def test_the_network_is_tested_within_this_computer_only(alti, emu):
    query = "query($url: String!) { support { networkTest(url: $url) } }"
    assert alti.data(query, url=f"{emu.url}/altizure/graphql")["networkTest"] == "Success"
    assert "404" in alti.data(query, url=f"{emu.url}/nothing")["networkTest"]
    assert "this computer only" in alti.data(query, url="http://192.0.2.1/")["networkTest"]


def test_error_codes_are_explained_in_three_languages(alti):
    query = (
        "query($c: PROJECT_ERROR_CODE, $l: LOCALE_TYPE)"
        " { support { errorCodeInfo(code: $c, lang: $l) { code description solution } } }"
    )
    code = "EmulatedNoPosition"
    info = alti.data(query, c=code, l="en")["errorCodeInfo"]
    assert info["code"] == code
    assert info["description"]
    assert alti.data(query, c=code, l="zh_tw")["errorCodeInfo"]["solution"].startswith("[zh_tw]")
    assert alti.data(query)["errorCodeInfo"] is None


def test_nothing_is_made_while_the_service_is_read_only(alti, at):
    at.rules.system_mode = "ReadOnly"
    assert alti.create() is None
    assert alti.data("{ support { systemMode } }") == {"systemMode": "ReadOnly"}
