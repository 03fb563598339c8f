"""The product of a finished project: a quadtree of tiles that is the real scan."""

import io
import re
import zipfile

import numpy as np
import pytest

from cupixgeo.emulator.altizure.results import DEEPEST, model_zip


@pytest.fixture(scope="module")
def archive():
    from cupixgeo.emulator.world import world_of

    with zipfile.ZipFile(io.BytesIO(model_zip(world_of(7).brighton))) as opened:
        yield opened


def tiles(archive, lod):
    pattern = re.compile(rf"tile_{lod}_(\d+)_(\d+)\.obj")
    matches = (pattern.fullmatch(name) for name in archive.namelist())
    return {(int(m[1]), int(m[2])): m[0] for m in matches if m}


def vertices(archive, name):
    lines = archive.read(name).decode().splitlines()
    return np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=float)


def test_tiles_are_numbered_in_units_of_the_deepest_level(archive):
    for lod in range(DEEPEST + 1):
        step = 2 ** (DEEPEST - lod)
        found = tiles(archive, lod)
        assert 0 < len(found) <= 4**lod
        assert all(x % step == y % step == 0 and max(x, y) < 2**DEEPEST for x, y in found)
    assert tiles(archive, 0).keys() == {(0, 0)}


def test_every_tile_has_its_material_and_texture(archive):
    names = set(archive.namelist())
    for name in names:
        if name.endswith(".obj"):
            stem = name.removesuffix(".obj")
            assert f"{stem}.mtl" in names
            assert archive.read(f"{stem}.jpg").startswith(b"\xff\xd8")
            assert archive.read(f"{stem}.mtl").decode().endswith(f"map_Kd {stem}.jpg\n")


def test_all_tiles_of_a_level_together_are_the_whole_model(archive, emu):
    x, y, z = map(float, re.search(r"from (\S+) (\S+) (\S+) in", label(archive)).groups())
    scan = emu.world.brighton.original_xyz - (x, y, z)
    for lod in range(DEEPEST + 1):
        mesh = np.vstack([vertices(archive, name) for name in tiles(archive, lod).values()])
        assert np.abs(mesh.min(axis=0) - scan.min(axis=0))[:2].max() < 4
        assert np.abs(mesh.max(axis=0) - scan.max(axis=0))[:2].max() < 4
        assert np.median(mesh[:, 2]) == pytest.approx(np.median(scan[:, 2]), abs=0.5)


def test_faces_name_vertices_that_are_there(archive):
    name = tiles(archive, DEEPEST)[1, 1]
    text = archive.read(name).decode()
    faces = " ".join(re.findall(r"^f (.+)$", text, re.MULTILINE))
    corners = [int(number) for number in re.findall(r"(\d+)/", faces)]
    assert corners
    assert max(corners) <= len(vertices(archive, name))
    assert min(corners) >= 1


def label(archive):
    return archive.read("RECORDED.txt").decode()


def test_it_is_labelled_as_recorded(archive):
    assert label(archive).startswith("Recorded, not reconstructed")
    assert "data/brighton_beach/SOURCE.md" in label(archive)


def download(alti, pid):
    edges = alti.project(pid)["downloads"]["edges"]
    return edges[0]["node"] if edges else None


def test_a_pro_project_is_packed_and_then_offered_by_a_link(alti, clock):
    pid = alti.create(type="pro")
    alti.upload(pid)
    alti.start(pid)
    clock.advance(25)
    pending = download(alti, pid)
    assert (pending["name"], pending["state"], pending["link"]) == ("model.zip", "Pending", "")
    clock.advance(2)
    ready = download(alti, pid)
    body = alti.fetch(ready["link"]).content
    assert (ready["state"], ready["size"]) == ("Ready", len(body))
    assert zipfile.is_zipfile(io.BytesIO(body))


def test_a_free_project_and_a_stranger_are_offered_nothing(alti, other, clock):
    pid = alti.create(type="free")
    alti.upload(pid)
    assert alti.start(pid)[0] is None
    clock.advance(60)
    assert alti.project(pid)["taskState"] == "Done"
    assert download(alti, pid) is None
    demo = next(p for p in alti.at.store.projects.values() if p.name == "Brighton Beach")
    assert download(alti, demo.id) is not None
    assert download(other, demo.id) is None
