"""S3 and what speaks like it, through botocore; see `cupixgeo.net.objectstore`.

Nothing of the machine's own AWS set-up is looked at: no profile, no file, no other credential.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cupixgeo.atomic import atomic_output
from cupixgeo.errors import CupixGeoError
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


class S3Store:
    """A bucket in S3 or in a store that is compatible with it."""

    def __init__(
        self, access: StoreAccess, *, endpoint: str, service: str, settings: NetSettings
    ) -> None:
        self.service = service
        self.bucket = access.bucket
        self.origin = origin_of(endpoint) if endpoint else f"S3 {access.region}"
        for name in ("botocore", "urllib3"):
            silence(required(name))
        self._errors: Any = required("botocore.exceptions")
        is_local = bool(endpoint) and is_loopback(self.origin)
        problem = ""
        with unlogged():
            try:
                self._client = _client(access, endpoint, settings, is_local=is_local)
            except (self._errors.BotoCoreError, ValueError) as error:
                problem = type(error).__name__
        if problem:
            raise unusable(access, service, problem)

    def put(self, key: str, body: Body, *, md5: str = "") -> str:
        """Store a whole object."""

        def send() -> Any:
            with whole_stream(body) as stream:
                return self._client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=stream,
                    ContentLength=body.size,
                    ContentMD5=content_md5(body, md5),
                )

        return _etag(self._do(f"take {body.name} ({body.size} bytes)", send))

    def begin(self, key: str) -> str:
        """Begin an object in parts."""
        answer = self._do(
            f"begin {key} in parts",
            lambda: self._client.create_multipart_upload(Bucket=self.bucket, Key=key),
        )
        return str(answer["UploadId"])

    def put_part(self, key: str, upload_id: str, number: int, body: Body, *, md5: str = "") -> str:
        """Store a part."""

        def send() -> Any:
            with whole_stream(body) as stream:
                return self._client.upload_part(
                    Bucket=self.bucket,
                    Key=key,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=stream,
                    ContentLength=body.size,
                    ContentMD5=content_md5(body, md5),
                )

        return _etag(self._do(f"take part {number} of {body.name} ({body.size} bytes)", send))

    def finish(self, key: str, upload_id: str, etags: Sequence[str]) -> str:
        """Put the parts together."""
        parts = [{"PartNumber": n, "ETag": f'"{etag}"'} for n, etag in enumerate(etags, 1)]
        return _etag(
            self._do(
                f"put {key} together",
                lambda: self._client.complete_multipart_upload(
                    Bucket=self.bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                ),
            )
        )

    def abort(self, key: str, upload_id: str) -> None:
        """Throw unfinished parts away."""
        self._do(
            f"throw the parts of {key} away",
            lambda: self._client.abort_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id
            ),
        )

    def get(self, key: str, to: Path) -> Path:
        """Fetch an object into a file."""

        def fetch() -> None:
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            with atomic_output(to) as partial, partial.open("wb") as target:
                for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                    target.write(chunk)

        self._do(f"give {key}", fetch)
        return to

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"<S3Store {self.origin} {self.bucket}>"

    def _do(self, what: str, action: Callable[[], T]) -> T:
        """Run `action`; let nothing of the library out, be it log line, exception or frame."""
        failure: Exception
        try:
            with unlogged():
                return action()
        except self._errors.ClientError as error:
            fault = _fault(error.response)
            failure = error_of(fault, what, service=self.service, origin=self.origin)
        except self._errors.BotoCoreError as error:
            inside = error.kwargs.get("error")
            if isinstance(inside, CupixGeoError):  # raised by the stream that was being read
                failure = inside.with_traceback(None)
            else:
                fault = StoreFault(None, said=f"{type(error).__name__}")
                failure = error_of(fault, what, service=self.service, origin=self.origin)
        except CupixGeoError as error:
            failure = error.with_traceback(None)
        except BaseException as error:  # Ctrl-C, too: its frames hold the credentials
            error.__traceback__ = error.__context__ = None
            raise
        failure.__context__ = None
        raise failure


def _client(access: StoreAccess, endpoint: str, settings: NetSettings, *, is_local: bool) -> Any:
    """Make a client that knows these credentials and no others."""
    variables = dict.fromkeys(("profile", "metadata_service_timeout"), (None, None, None, None))
    nothing = (None, None, os.devnull, None)
    session = required("botocore.session").Session(
        session_vars={**variables, "config_file": nothing, "credentials_file": nothing}
    )
    config = required("botocore.config").Config(
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        s3={
            "addressing_style": "path" if is_local else access.addressing,
            "payload_signing_enabled": False,
        },
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **({"proxies": {}} if is_local else {}),
    )
    return session.create_client(
        "s3",
        region_name=access.region or None,
        endpoint_url=endpoint or None,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key.reveal(),
        aws_session_token=access.session_token.reveal(),
        config=config,
    )


def _etag(answer: Any) -> str:
    return str(answer["ETag"]).strip('"')


def _fault(response: Any) -> StoreFault:
    error, facts = response.get("Error", {}), response.get("ResponseMetadata", {})
    return StoreFault(
        int(facts.get("HTTPStatusCode", 0)) or None,
        code=str(error.get("Code", "")),
        said=str(error.get("Message", "")),
        request_id=str(facts.get("RequestId", "")),
    )
