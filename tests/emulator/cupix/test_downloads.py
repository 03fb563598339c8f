"""Downloads end at the storage origin; public pose files need no signature."""

import io
import zipfile

import httpx
import laspy
import pytest
from PIL import Image


def test_a_download_is_a_redirect_without_a_body(emu, api, ids):
    response = api.get(f"/pointclouds/{ids.sub}/download")
    assert (response.status_code, response.content) == (302, b"")
    assert response.headers["Location"].startswith(f"{emu.storage_url}/cupix/pointclouds/5310/")
    assert api.token not in response.headers["Location"]


def test_every_call_makes_a_new_link(api, ids):
    links = {api.link(f"/pointclouds/{ids.sub}/download") for _ in range(3)}
    assert len(links) == 3


def test_the_token_may_come_in_the_query_of_a_download(emu, ids):
    base_url, token = emu.endpoint("cupix")
    params = {"x-cupix-auth": token}
    assert httpx.get(f"{base_url}/pointclouds/{ids.sub}/download", params=params).status_code == 302


def test_a_client_that_follows_with_its_token_is_served_and_counted(emu, ids):
    base_url, token = emu.endpoint("cupix")
    headers = {"X-CUPIX-AUTH": token}
    response = httpx.get(
        f"{base_url}/pointclouds/{ids.sub}/download", headers=headers, follow_redirects=True
    )
    assert response.status_code == 200
    assert len(emu.journal.where(origin="storage", carried_token=True)) == 1


def test_a_group_cannot_be_downloaded(api, ids):
    response = api.get(f"/pointclouds/{ids.group}/download")
    assert response.status_code == 400
    assert "group" in response.json()["result"]["message"]


def test_an_uploaded_scan_is_the_laz_with_its_name(api, ids):
    response = api.fetch(api.link(f"/pointclouds/{ids.sub}/download"))
    assert 'filename="shore-5310.laz"' in response.headers["Content-Disposition"]
    with laspy.open(io.BytesIO(response.content)) as reader:
        assert reader.header.point_count > 50_000


def test_a_reconstruction_is_opaque_and_its_ply_is_a_resource(api, ids):
    opaque = api.fetch(api.link(f"/pointclouds/{ids.scaled_sub}/download"))
    assert 'filename="shore-5321.cpc"' in opaque.headers["Content-Disposition"]
    assert not opaque.content.startswith((b"ply", b"LASF"))
    ply = api.fetch(api.link(f"/pointclouds/{ids.scaled_sub}/resources/ply/download"))
    assert 'filename="shore-5321.ply"' in ply.headers["Content-Disposition"]
    assert ply.content.startswith(b"ply\nformat binary_little_endian 1.0\n")


def test_a_ply_exists_exactly_where_ply_uploaded_at_is_set(api, ids):
    fields = "id,ply_uploaded_at,mesh_uploaded_at"
    for record in (ids.record, ids.odd_record):
        for row in api.rows("/pointclouds", fields=fields, record_id=record):
            status = api.get(f"/pointclouds/{row['id']}/resources/ply/download").status_code
            assert status == (302 if row["ply_uploaded_at"] else 404)
            assert row["mesh_uploaded_at"] is None
    assert api.get(f"/pointclouds/{ids.sub}/resources/mesh/download").status_code == 404
    assert api.get(f"/clusters/{ids.cluster}/resources/cpc/download").status_code == 404


def test_a_pano_is_the_photo_itself(api, ids):
    response = api.fetch(api.link(f"/panos/{ids.first_pano}/download"))
    assert response.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content)) as image:
        assert image.size == (1600, 900)
    assert api.get(f"/panos/{ids.big_first_pano + 9999}/download").status_code == 302


def test_a_mesh_is_a_zip_with_a_ply(api, ids):
    response = api.fetch(api.link(f"/meshes/{ids.odd.moved_mesh}/download"))
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == ["mesh.ply"]
        assert archive.read("mesh.ply").startswith(b"ply\n")


def test_every_small_scan_of_the_big_record_can_be_had(api, ids):
    rows = api.rows("/pointclouds", fields="id,kind,points_count", record_id=ids.big_record)
    subs = [row for row in rows if row["kind"] == "sub"]
    assert len(subs) == 115
    for row in subs[::23]:
        content = api.fetch(api.link(f"/pointclouds/{row['id']}/download")).content
        with laspy.open(io.BytesIO(content)) as reader:
            assert reader.header.point_count == row["points_count"]


@pytest.mark.parametrize(("record", "panos"), [(602, 15), (640, 10_000), (650, 0)])
def test_the_poses_of_a_record_are_public(emu, api, record, panos):
    url = api.attributes(f"/records/{record}", fields="geo_coordinate_url")["geo_coordinate_url"]
    assert url.startswith(f"{emu.storage_url}/public/")
    emu.clock.advance(10 * 365 * 24 * 3600)
    content = httpx.get(url).json()
    assert len(content["panos"]) == panos
    for pano in content["panos"][:3]:
        listed = api.attributes(f"/panos/{pano['id']}", fields="geo_coordinate,capture")
        assert pano["geo_coordinate"] == listed["geo_coordinate"]
        assert pano["capture"]["id"] == listed["capture"]["id"]
        assert pano["capture"].keys() == {
            "id", "measure_ready_at", "level", "creation_platform", "material", "method",
        }  # fmt: skip
