"""Alibaba OSS, through oss2; see `cupixgeo.net.objectstore`.

Requests are signed with V4, because V1 is not given to new accounts any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cupixgeo.atomic import atomic_output
from cupixgeo.errors import ArgumentError, CupixGeoError
from cupixgeo.net.body import Body
from cupixgeo.net.objectstore import (
    StoreAccess,
    StoreFault,
    content_md5,
    error_of,
    required,
    unusable,
)
from cupixgeo.net.quiet import silence, unlogged
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.whole import whole_stream
from cupixgeo.net.wire import is_loopback, origin_of

T = TypeVar("T")

_CONNECTIONS = 32
_CHUNK_BYTES = 1 << 20


class OssStore:
    """A bucket in Alibaba OSS."""

    def __init__(
        self, access: StoreAccess, *, endpoint: str, service: str, settings: NetSettings
    ) -> None:
        self.service = service
        self.bucket = access.bucket
        region = access.region.removeprefix("oss-")
        if not region:
            raise ArgumentError(f"{service} names no region for its OSS bucket {access.bucket!r}.")
        endpoint = endpoint or f"https://oss-{region}.aliyuncs.com"
        self.origin = origin_of(endpoint)
        self._library: Any = required("oss2")
        self._request_errors: Any = required("requests").RequestException
        for name in ("oss2", "urllib3"):
            silence(required(name))
        problem = ""
        with unlogged():
            session = self._library.Session(pool_size=_CONNECTIONS)
            session.session.trust_env = not is_loopback(self.origin)
            self._session = session.session
            try:
                self._bucket = self._library.Bucket(
                    self._library.StsAuth(
                        access.access_key_id,
                        access.secret_access_key.reveal(),
                        access.session_token.reveal(),
                        auth_version=self._library.AUTH_VERSION_4,
                    ),
                    endpoint,
                    access.bucket,
                    session=session,
                    connect_timeout=(settings.connect_timeout_s, settings.read_timeout_s),
                    enable_crc=False,  # Content-MD5 says the same, at the other end
                    region=region,
                    is_path_style=access.addressing == "path",
                )
            except self._library.exceptions.OssError as error:
                problem = type(error).__name__
        if problem:
            raise unusable(access, service, problem)

    def put(self, key: str, body: Body, *, md5: str = "") -> str:
        """Store a whole object."""

        def send() -> Any:
            with whole_stream(body) as stream:
                return self._bucket.put_object(key, stream, headers=_headers(body, md5))

        return _etag(self._do(f"take {body.name} ({body.size} bytes)", send))

    def begin(self, key: str) -> str:
        """Begin an object in parts."""
        answer = self._do(f"begin {key} in parts", lambda: self._bucket.init_multipart_upload(key))
        return str(answer.upload_id)

    def put_part(self, key: str, upload_id: str, number: int, body: Body, *, md5: str = "") -> str:
        """Store a part."""

        def send() -> Any:
            with whole_stream(body) as stream:
                return self._bucket.upload_part(
                    key, upload_id, number, stream, headers=_headers(body, md5)
                )

        return _etag(self._do(f"take part {number} of {body.name} ({body.size} bytes)", send))

    def finish(self, key: str, upload_id: str, etags: Sequence[str]) -> str:
        """Put the parts together."""
        parts = [self._library.models.PartInfo(n, etag) for n, etag in enumerate(etags, 1)]

        def finish() -> Any:
            answer = self._bucket.complete_multipart_upload(key, upload_id, parts)
            answer.resp.read()  # the library leaves it unread, and the connection with it
            return answer

        return _etag(self._do(f"put {key} together", finish))

    def abort(self, key: str, upload_id: str) -> None:
        """Throw unfinished parts away."""
        self._do(
            f"throw the parts of {key} away",
            lambda: self._bucket.abort_multipart_upload(key, upload_id),
        )

    def get(self, key: str, to: Path) -> Path:
        """Fetch an object into a file."""

        def fetch() -> None:
            answer = self._bucket.get_object(key)
            with atomic_output(to) as partial, partial.open("wb") as target:
                while chunk := answer.read(_CHUNK_BYTES):
                    target.write(chunk)

        self._do(f"give {key}", fetch)
        return to

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __repr__(self) -> str:
        return f"<OssStore {self.origin} {self.bucket}>"

    def _do(self, what: str, action: Callable[[], T]) -> T:
        """Run `action`; let nothing of the library out, be it log line, exception or frame."""
        failure: Exception
        try:
            with unlogged():
                return action()
        except self._library.exceptions.OssError as error:
            answered = error.status > 0
            fault = StoreFault(
                error.status if answered else None,
                code=error.code,
                said=error.message if answered else type(error).__name__,
                request_id=error.request_id,
            )
            failure = error_of(fault, what, service=self.service, origin=self.origin)
        except CupixGeoError as error:
            failure = error.with_traceback(None)
        except self._request_errors as error:
            fault = StoreFault(None, said=type(error).__name__)
            failure = error_of(fault, what, service=self.service, origin=self.origin)
        except BaseException as error:  # Ctrl-C, too: its frames hold the credentials
            error.__traceback__ = error.__context__ = None
            raise
        failure.__context__ = None
        raise failure


def _headers(body: Body, md5: str) -> dict[str, str]:
    return {"Content-MD5": content_md5(body, md5), "Content-Length": str(body.size)}


def _etag(answer: Any) -> str:
    return str(answer.etag).strip('"')
