"""Waiting for the service to look at the files it got: which are usable, which not and why.

Knows states of images and meta files. Must not know how they were sent.

Sources: altizure/dev-docs en/upload.md §5; altizure/alti-cli cloud/image-state-checker.go (reasons
are in ``error``), cloud/meta-file-reg-uploader.go (final states of meta files).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cupixgeo.errors import JobFailedError
from cupixgeo.services.altizure.graphql import Object
from cupixgeo.services.altizure.relay import nodes
from cupixgeo.services.altizure.states import FINAL_IMAGE, USABLE_IMAGE
from cupixgeo.services.driver import JobRecord, Sent, UploadCheck

if TYPE_CHECKING:
    from cupixgeo.services.altizure.account import AltizureAccount

ASKED_SINGLY = 10
"""Files that are asked for one by one; more are read from the list of all images."""

_SHOWN = 3


class Checking:
    """What is known of the files of one project. Lives as long as one run of a job.

    Parameters
    ----------
    account : AltizureAccount
        Whose connection is used.
    project : str
        Id of the project.
    """

    def __init__(self, account: AltizureAccount, project: str) -> None:
        self._api = account.api
        self._project = project
        self._images: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def check(self, job: JobRecord, *, is_patient: bool = True) -> UploadCheck:
        """Ask for what is not final yet.

        Parameters
        ----------
        job : JobRecord
            The job; its receipts hold the ids.
        is_patient : bool
            Whether to wait for images; meta files are always waited for.

        Raises
        ------
        JobFailedError
            If a meta file is refused, or too few images are usable.
        """
        images: dict[str, str] = {}
        metas: list[Sent] = []
        for sent in job.sent():
            file = job.intent.files[int(sent.key)]
            if file.role == "photo":
                images[sent.receipt.ref] = sent.name
            else:
                metas.append(sent)
        waiting = sum(not self._is_meta_ready(job, sent) for sent in metas)
        open_ids = [id for id in images if self._images.get(id) not in FINAL_IMAGE]
        if is_patient and open_ids:
            self._ask(open_ids)
        done = sum(self._images.get(id) in FINAL_IMAGE for id in images)
        total = len(images) + len(metas)
        if waiting or (is_patient and done < len(images)):
            return UploadCheck(is_ready=False, done=done + len(metas) - waiting, total=total)
        rejected = tuple(
            (name, self._reasons.get(id, ""))
            for id, name in images.items()
            if self._images.get(id) == "Invalid"
        )
        if is_patient:
            self._check_enough(job, rejected)
        return UploadCheck(done=total, total=total, rejected=rejected)

    def _ask(self, ids: list[str]) -> None:
        if len(ids) <= ASKED_SINGLY:
            for id in ids:
                variables = {"pid": self._project, "id": id}
                project = self._api.object("image", variables) or {}
                self._note(project.get("image") or _gone(id))
            return
        left = set(ids)
        for image in nodes(self._api, "images", ("project", "allImages"), {"pid": self._project}):
            self._note(image)
            left.discard(str(image.get("id")))
            if not left:
                return
        for id in left:
            self._note(_gone(id))

    def _note(self, image: Object) -> None:
        id = str(image.get("id"))
        self._images[id] = str(image.get("state") or "")
        self._reasons[id] = "; ".join(map(str, image.get("error") or ())) or "no reason is given"

    def _check_enough(self, job: JobRecord, rejected: tuple[tuple[str, str], ...]) -> None:
        usable = sum(state in USABLE_IMAGE for state in self._images.values())
        least = self._api.conventions.min_images
        if usable >= least:
            return
        reasons = ", ".join(f"{name} ({why})" for name, why in rejected[:_SHOWN])
        raise JobFailedError(
            f"altizure can use {usable} of the images of job {job.id} and needs {least}: "
            f"{reasons}. Take other photos and plan a new job."
        )

    def _is_meta_ready(self, job: JobRecord, sent: Sent) -> bool:
        """Say whether a meta file was taken; an empty state means invalid, or there already."""
        variables = {"pid": self._project, "id": sent.receipt.ref}
        found = (self._api.object("meta_file", variables) or {}).get("metaFile") or {}
        state = found.get("state")
        if state == "Ready":
            return True
        if state == "Pending":
            return False
        checksum = job.intent.files[int(sent.key)].digests["sha1"]
        variables = {"pid": self._project, "checksum": checksum}
        if not state and (self._api.object("has_meta_file", variables) or {}).get("hasMetaFile"):
            return True
        why = "; ".join(map(str, found.get("error") or ())) or "no reason is given"
        raise JobFailedError(
            f"altizure refuses {sent.name} of job {job.id}: {why}. Correct the file and plan a new "
            "job."
        )


def _gone(id: str) -> Object:
    return {"id": id, "state": "Invalid", "error": ["the service does not have it any more"]}
