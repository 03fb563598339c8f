"""A bucket on the storage origin, as S3 and Alibaba OSS speak: signatures, parts, temporary keys.

A service makes a `Bucket`, mounts its `answer` on the storage and issues temporary keys from
`Bucket.keys`. Signatures are checked by code that shares nothing with the client libraries.

Sources: Amazon S3 API Reference ("Authenticating Requests (AWS Signature Version 4)", PutObject,
CreateMultipartUpload, UploadPart, CompleteMultipartUpload, error responses); Alibaba Cloud OSS API
reference (signatures V1 and V4, multipart upload, error responses).
"""

from __future__ import annotations

from cupixgeo.emulator.objectstore.bucket import Bucket
from cupixgeo.emulator.objectstore.keys import KeyRing, StoreRefusalError, TemporaryKey

__all__ = ["Bucket", "KeyRing", "StoreRefusalError", "TemporaryKey"]
