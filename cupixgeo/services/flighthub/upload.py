"""The files of a job on their way: sent whole or in parts, put together, reported.

Knows the storage's parts and the service's callback. Must not know models.

Source: flighthub2-cli 0.1.2 (callbacks of at most 100 files, one after the other, with the same
resource). Inferred: the same file may be reported again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence

from cupixgeo.errors import NotFoundError
from cupixgeo.net.body import Body
from cupixgeo.net.objectstore import MOST_PARTS, ObjectStore
from cupixgeo.services.driver import JobRecord, Part, Receipt, SourceFile, UploadItem
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.flighthub.storage import Folder
from cupixgeo.services.flighthub.wire import Api


class FileUpload:
    """Bring the files of one job into its folder.

    Parameters
    ----------
    api : Api
        The service.
    folder : Folder
        Where they go.
    assume : FlightHubSettings
        Sizes of parts and callbacks.
    """

    def __init__(self, api: Api, folder: Folder, *, assume: FlightHubSettings) -> None:
        self._api = api
        self._folder = folder
        self._assume = assume
        self._beginning = threading.Lock()

    def item(self, file: SourceFile) -> UploadItem:
        """Make the item of a file; a large one in parts."""
        if file.size <= self._assume.whole_bytes:
            return UploadItem.of_file(file)
        part_bytes = max(self._assume.part_bytes, -(-file.size // MOST_PARTS))
        return UploadItem.of_file(file, part_bytes=part_bytes)

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send a file, or a part of one."""
        assert item.file is not None  # every item here is a file
        file = job.intent.files[item.file]
        key = self._folder.key(job, item.name)
        if part.size == item.size:
            md5 = file.digests.get("md5", "")
            return Receipt(self._folder.do(job, lambda store: store.put(key, body, md5=md5)))
        stretch = Body.from_file(file.path, offset=part.offset, size=part.size, name=item.name)
        md5 = stretch.digest("md5")
        upload_id = self._upload_id(job, item, key)
        etag = self._folder.do(
            job, lambda store: store.put_part(key, upload_id, part.number, body, md5=md5)
        )
        return Receipt(etag)

    def complete(self, job: JobRecord) -> None:
        """Put parts together, then report all files, batch by batch.

        May be called again: what is known to have been done is not done twice.
        """
        self._finish_parts(job)
        reported = int(job.remote.get("reported", 0))
        known = self._reported_names(job) if job.remote.get("reporting") else set()
        for number, batch in enumerate(self._batches(job)):
            if number < reported:
                continue
            if not {name for name, _ in batch} <= known:
                job.check()
                job.save(reporting=True)
                self._api.upload_callback(
                    job.remote["resource_uuid"],
                    self._folder.callback_param(job).reveal(),
                    batch,
                    name=job.intent.tagged_name,
                )
            job.save(reported=number + 1, reporting=False)

    def _upload_id(self, job: JobRecord, item: UploadItem, key: str) -> str:
        """Give the id of an upload in parts; begun by whoever comes first."""
        name = f"upload {item.key}"
        with self._beginning:
            known = job.remote.get(name)
            if known is None:
                known = self._folder.do(job, lambda store: store.begin(key))
                job.save(**{name: known})
            return str(known)

    def _finish_parts(self, job: JobRecord) -> None:
        etags: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for sent in job.sent():
            if f"upload {sent.key}" in job.remote:
                names[sent.key] = sent.name
                etags.setdefault(sent.key, []).append(sent.receipt.etag)
        for item_key, parts in etags.items():
            if f"whole {item_key}" in job.remote:
                continue
            etag = self._finish(job, item_key, self._folder.key(job, names[item_key]), parts)
            job.save(**{f"whole {item_key}": etag})

    def _finish(self, job: JobRecord, item_key: str, key: str, etags: list[str]) -> str:
        upload_id = str(job.remote[f"upload {item_key}"])

        def finish(store: ObjectStore) -> str:
            return store.finish(key, upload_id, etags)

        try:
            return self._folder.do(job, finish)
        except NotFoundError:  # finished before, and the reply was lost
            return joined_etag(etags)

    def _batches(self, job: JobRecord) -> Iterator[list[tuple[str, str]]]:
        """Yield name and ETag of all files, as many at a time as a callback takes."""
        remote: Mapping[str, str] = job.remote
        batch: list[tuple[str, str]] = []
        for sent in job.sent():
            if sent.part.number > 1:
                continue
            batch.append((sent.name, remote.get(f"whole {sent.key}", sent.receipt.etag)))
            if len(batch) == self._assume.callback_files:
                yield batch
                batch = []
        if batch:
            yield batch

    def _reported_names(self, job: JobRecord) -> set[str]:
        """Ask which files the resource has; none where it does not say."""
        try:
            row = self._api.resource(job.remote["resource_uuid"])
        except NotFoundError:
            return set()
        return set(row.get("file_names") or ())


def joined_etag(etags: Sequence[str]) -> str:
    """Give the ETag of an object made of parts: the MD5 of their MD5s, and their number.

    References
    ----------
    Amazon S3, "Checking object integrity": "MD5 digest of MD5 digests"; OSS does the same.
    """
    total = hashlib.md5(usedforsecurity=False)
    for etag in etags:
        total.update(bytes.fromhex(etag))
    is_upper = etags[0].isupper()
    digest = total.hexdigest()
    return f"{digest.upper() if is_upper else digest}-{len(etags)}"
