"""Who may ask: organizations with an edition, their projects, and the users behind the tokens.

Knows no request. Tokens look like the JSON Web Tokens of the real service and are signed by nobody
who matters.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cupixgeo.emulator.stage import fake_token

_CREATED_AT = 1_700_000_000


@dataclass(frozen=True)
class Project:
    """A project of an organization.

    Parameters
    ----------
    uuid, name, introduction, org_uuid : str
        As listed.
    center : tuple of float
        Latitude and longitude [deg] of its work center.
    users : frozenset of str
        Ids of the users who have joined it.
    created_at : int
        [s] since 1970-01-01 UTC.
    """

    uuid: str
    name: str
    introduction: str
    org_uuid: str
    center: tuple[float, float]
    users: frozenset[str]
    created_at: int

    def to_wire(self) -> dict[str, Any]:
        """Write it as the project list does."""
        return {
            "uuid": self.uuid,
            "name": self.name,
            "introduction": self.introduction,
            "org_uuid": self.org_uuid,
            "created_at": self.created_at,
            "updated_at": self.created_at + 86_400,
            "project_work_center_point": {
                "latitude": self.center[0],
                "longitude": self.center[1],
            },
        }


@dataclass(frozen=True)
class User:
    """One token and what belongs to it.

    Parameters
    ----------
    user_id : str
        The claim in its token.
    org_uuid : str
        Organization.
    edition : {"standard", "professional", "enterprise"}
        Edition of the organization.
    token : str
        Its organization key.
    """

    user_id: str
    org_uuid: str
    edition: str
    token: str


class Directory:
    """The emulated users and projects.

    Parameters
    ----------
    seed : int
        Decides ids and tokens.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def users(self) -> tuple[User, ...]:
        """0 works on the demo site; 1 belongs to another organization."""
        return (self._user("north", "standard"), self._user("south", "enterprise"))

    @cached_property
    def projects(self) -> tuple[Project, ...]:
        """All projects: two of the first organization, of which its user joined one; one other."""
        north, south = self.users
        return (
            self._project("Brighton Beach", north, {north.user_id}, 0),
            self._project("Pier 4", north, set(), 1),
            self._project("South yard", south, {south.user_id}, 2),
        )

    def user_of(self, token: str | None) -> User | None:
        """Return whom a token belongs to."""
        return next((user for user in self.users if user.token == token), None)

    def _user(self, name: str, edition: str) -> User:
        user_id = str(int(_digest(self._seed, "user", name)[:14], 16))
        org_uuid = made_uuid(self._seed, "org", name)
        claims = {
            "iss": "cupixgeo-emulator",
            "user_id": user_id,
            "organization_uuid": org_uuid,
            "nonce": fake_token(self._seed, "flighthub", name),
        }
        head = _segment({"alg": "HS512", "typ": "JWT"})
        body = _segment(claims)
        seal = _digest(self._seed, "jwt", head, body)
        return User(user_id, org_uuid, edition, f"{head}.{body}.{seal}")

    def _project(self, name: str, user: User, joined: set[str], number: int) -> Project:
        return Project(
            uuid=made_uuid(self._seed, "project", name),
            name=name,
            introduction=f"{name}, made up by the emulator",
            org_uuid=user.org_uuid,
            center=(46.8427 + number / 100, -91.994),
            users=frozenset(joined),
            created_at=_CREATED_AT + number,
        )


def made_uuid(seed: int, *parts: object) -> str:
    """Return a UUID that is the same for the same seed and parts."""
    return str(uuid.UUID(_digest(seed, *parts)[:32], version=4))


def _digest(seed: int, *parts: object) -> str:
    text = "/".join(map(str, ("flighthub", seed, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()


def _segment(content: dict[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
