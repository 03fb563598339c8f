"""What drivers share whose service takes all photos as one zip, through links to a storage.

Knows the zip and who sends its parts. Must not know any service.
"""

from __future__ import annotations

import threading

from cupixgeo.net.body import Body
from cupixgeo.net.session import Session
from cupixgeo.net.upload import Uploader
from cupixgeo.services.bundle import DIGESTS, Bundle
from cupixgeo.services.driver import JobDriver, JobRecord, Part, UploadItem


class BundleDriver(JobDriver):
    """One job whose photos are sent as a zip. Subclass it as one would `JobDriver`.

    Parameters
    ----------
    session : Session
        The account's connection.
    """

    digests = DIGESTS

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uploader = Uploader(
            service=self.service,
            settings=session.settings,
            plain_http=not session.is_encrypted,
        )
        self._bundle: Bundle | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections to the storage."""
        self._uploader.close()

    def body(self, job: JobRecord, item: UploadItem, part: Part) -> Body:
        """Give the bytes of a part, of the zip or of the one file that is sent as it is."""
        if item.file is not None:
            return super().body(job, item, part)
        with self._lock:
            if self._bundle is None:
                self._bundle = Bundle(job.intent.files, name=item.name)
        return self._bundle.body(part)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session.base_url}>"
