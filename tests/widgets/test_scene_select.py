"""What the front end chooses to draw: run in a browser alone, straight from the bundle."""

import json

import numpy as np
import pytest

from cupixgeo.widgets.scene_widget import FRONTEND

TOWN = [
    (level, x, y, 0, 1_000) for level in range(6) for y in range(2**level) for x in range(2**level)
]
"""Nodes of a flat octree: 1,365 of 1,000 points each."""

SIZE, SPACING = 512.0, 4.0


@pytest.fixture(scope="module")
def page_of_parts(browser):
    """An empty page with the parts of the bundle that need no notebook."""
    page = browser.new_page()
    bundle = (FRONTEND / "dist" / "scene.js").read_text("utf-8")
    page.evaluate(
        """async text => {
            const url = URL.createObjectURL(new Blob([text], {type: "text/javascript"}));
            window.parts = (await import(url)).parts;
        }""",
        bundle,
    )
    yield page
    page.close()


@pytest.fixture(scope="module")
def choose(page_of_parts):
    """Choose nodes: ``choose(eye, planes=[], pixels=700, finest=2, budget=10**9)``."""

    def choose(eye, *, planes=(), pixels=700.0, finest=2.0, budget=10**9, table=TOWN):
        view = {"eye": list(eye), "planes": list(planes), "pixels": pixels, "finest": finest}
        numbers = np.array(table, np.int32).ravel().tolist()
        return page_of_parts.evaluate(
            f"""([numbers, view, budget]) => {{
                const size = [{SIZE}, {SIZE}, {SIZE}];
                const tree = parts.octree(Int32Array.from(numbers), [0, 0, 0], size, {SPACING});
                const chosen = parts.select(tree.tops, view, budget);
                return [chosen.chosen.map(n => [n.level, ...n.low, n.spacing]), chosen.points];
            }}""",
            [numbers, view, budget],
        )

    return choose


def away(node, eye):
    level, *low, _ = node
    edge = SIZE / 2**level
    low = np.array(low)
    return max(1e-3, np.linalg.norm(np.maximum(np.maximum(low - eye, eye - low - edge), 0)))


def test_nodes_are_refined_until_their_points_are_close_on_the_screen(choose):
    eye = np.array([60.0, 60.0, 40.0])
    chosen, points = choose(eye)
    assert points == 1_000 * len(chosen)
    drawn = {(level, round(x), round(y)) for level, x, y, *_ in chosen}
    for node in chosen:
        level, x, y, *_ = node
        if level:  # its parent was not fine enough
            edge = SIZE / 2 ** (level - 1)
            parent = [level - 1, x // edge * edge, y // edge * edge, 0, SPACING / 2 ** (level - 1)]
            assert (level - 1, round(parent[1]), round(parent[2])) in drawn
            assert parent[4] / away(parent, eye) * 700 > 2
    for level, x, y, _, spacing in chosen:
        fine = spacing / away([level, x, y, 0, spacing], eye) * 700 <= 2
        below = SIZE / 2 ** (level + 1)
        has_children = (level + 1, round(x // below * below), round(y // below * below)) in drawn
        assert fine or has_children or level == 5


def test_from_afar_the_coarsest_node_is_enough(choose):
    chosen, _ = choose((256, 256, 5_000))
    assert [node[0] for node in chosen] == [0]


def test_the_budget_goes_to_what_is_nearest(choose):
    eye = np.array([100.0, 100.0, 10.0])
    chosen, points = choose(eye, budget=50_000)
    everything, _ = choose(eye)
    assert 45_000 < points <= 50_000
    assert chosen == everything[: len(chosen)]
    finest = [away(node, eye) for node in chosen if node[0] == 5]
    assert finest
    assert max(finest) < 60


def test_blocks_of_a_cloud_in_memory_come_in_turn_up_to_the_budget(page_of_parts):
    chosen = page_of_parts.evaluate(
        """() => {
            const blocks = [...Array(153).keys()].map(turn => (
                {turn, count: 65_359, low: [0, 0, 0], size: [9, 9, 9], children: []}));
            const view = {eye: [0, 0, 0], planes: [], pixels: 700, finest: 2};
            return [10_000_000, 700_000].map(budget =>
                parts.select(blocks, view, budget).chosen.map(block => block.turn));
        }"""
    )
    assert chosen == [list(range(153)), list(range(10))]


def test_what_is_out_of_sight_is_left_out(choose):
    west = choose((256, 256, 50), planes=[[-1, 0, 0, 200]])[0]  # x <= 200
    assert west
    assert all(low_x <= 200 for _, low_x, *_ in west)
    assert choose((256, 256, 50), planes=[[0, 0, 1, -600]])[0] == []  # above everything


def test_nodes_below_a_missing_one_are_not_lost(choose):
    holes = [row for row in TOWN if row[0] != 2]
    chosen, _ = choose((256, 256, 20), table=holes)
    assert {0, 1, 3, 4} <= {node[0] for node in chosen}


def test_the_same_view_chooses_the_same_nodes(choose):
    assert json.dumps(choose((10, 20, 30))) == json.dumps(choose((10, 20, 30)))
