"""What is there from the start: two users and their projects.

Knows records. The first user has a membership, coins, coupons, the finished project of the real
photos and enough others for two pages; the second has nothing but two projects.
"""

from __future__ import annotations

from pathlib import Path

from cupixgeo.emulator.altizure.access import word
from cupixgeo.emulator.altizure.records import (
    Account,
    Coupon,
    Image,
    Membership,
    Project,
    Task,
    object_id,
)
from cupixgeo.emulator.altizure.store import Store
from cupixgeo.emulator.altizure.tasks import gigapixels_of
from cupixgeo.emulator.clock import iso_time
from cupixgeo.emulator.stage import fake_token
from cupixgeo.emulator.world import data_folder

_DAY_S = 86_400.0
_NAMES = (
    "Quarry north", "Quarry south", "Church tower", "Harbour wall", "Bridge 7", "Landfill",
    "Stadium", "Dam crest", "Old mill", "Roundabout", "School yard", "Vineyard",
)  # fmt: skip


def make_accounts(seed: int, now: float) -> list[Account]:
    """Return the users; `now` is the present, [s] since 1970-01-01 UTC."""
    made = []
    for number, name in enumerate(("North", "South")):
        made.append(
            Account(
                id=object_id(seed, 0xA0 + number, now - 400 * _DAY_S),
                name=name,
                email=f"surveyor@{name.lower()}.example",
                password=fake_token(seed, "password", name.lower(), length=12),
                phone=f"85290000{number:03d}",
                token=word(seed, "altizure", name.lower()),
                joined=iso_time(now - 400 * _DAY_S),
            )
        )
    north = made[0]
    north.balance = 25.0
    north.free_gp_quota = 3.0
    north.rooms = frozenset({"/sales"})
    start, end = iso_time(now - 30 * _DAY_S), iso_time(now + 335 * _DAY_S)
    north.membership = Membership("Active", "Emulated", 12, start, end, member_gp_quota=3.0)
    past = iso_time(now - 10 * _DAY_S)
    for serial, (value, used, until) in enumerate(
        ((1.0, False, end), (0.01, False, end), (2.0, True, end), (3.0, False, past))
    ):
        id = object_id(seed, 0xC0 + serial, now - 30 * _DAY_S)
        north.coupons.append(Coupon(id, value, start, until, used=used))
    return made


def fill(store: Store) -> None:
    """Add the projects that are there from the start, the oldest first."""
    north, south = store.accounts
    now = store.now
    for number, name in enumerate(_NAMES):
        _add(store, name, north, now - (40 - number) * _DAY_S)
    tower = _add(store, "Church model", north, now - 20 * _DAY_S)
    tower.is_imported, tower.imported_model_type, tower.imported_state = True, "CAD", "Ready"
    _add(store, "Harbour, private", south, now - 15 * _DAY_S).visibility = "private"
    _add(store, "Harbour", south, now - 14 * _DAY_S)
    _add_brighton(store, north, now - 10 * _DAY_S)


def _add(store: Store, name: str, owner: Account, at: float) -> Project:
    id = store.new_id(at)
    store.projects[id] = Project(id, name, owner, at)
    return store.projects[id]


def _add_brighton(store: Store, owner: Account, at: float) -> None:
    """Add the project of the real photos, done."""
    project = _add(store, "Brighton Beach", owner, at)
    project.type, project.visibility = "pro", "unlisted"
    for path in sorted((data_folder() / "images").glob("*.JPG")):
        image = _photo(store, path, at)
        project.images[image.id] = image
    task = Task(store.new_id(at), "Native", at, outcome="done", state=store.rules.word("done"))
    task.started, task.ended = at + 60, at + 3600
    task.step = task.total_steps = len(store.rules.steps)
    task.images = frozenset(image.checksum or "" for image in project.images.values())
    task.gigapixel = gigapixels_of(project)
    project.tasks.append(task)
    project.last_done_gp = task.gigapixel
    store.finish(project, at + 3600)


def _photo(store: Store, path: Path, at: float) -> Image:
    import hashlib

    from PIL import Image as Picture

    digest = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    image = Image(store.new_id(at), path.name, path.name, at, "S3", state="Ready", path=path)
    image.checksum = digest
    with Picture.open(path) as picture:
        image.width, image.height = picture.size
    return image
