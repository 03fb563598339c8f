"""Every error and warning the toolkit raises on purpose, in one tree.

::

    CupixGeoError
    ├── ArgumentError (ValueError)          an argument names nothing this toolkit knows
    ├── GeodesyError
    │   ├── CrsError (ValueError)           a CRS is unknown, missing or of no use here
    │   ├── FrameError (ValueError)         two frames do not meet
    │   ├── TransformError (ValueError)     a matrix is not a placement
    │   ├── DescriptorError (ValueError)    an output descriptor is not understood
    │   └── OperationError (ValueError)     no coordinate operation that can be trusted
    │       └── MissingGridError            a grid PROJ needs is not installed
    ├── CloudError (ValueError)
    │   ├── FormatError                     not a format this toolkit reads or writes
    │   ├── CorruptFileError                the file contradicts itself or its size
    │   ├── SourceChangedError              a file changed while it was read
    │   └── EmptyCloudError                 an operation needs at least one point
    ├── PhotoError (ValueError)             a photo cannot be read, or is no photo
    ├── MergeError (ValueError)             a merge cannot be planned from these inputs
    │   └── GridOverflowError               coordinates do not fit the output's scale and offset
    ├── OutputError (OSError)               the output cannot be written
    │   └── DiskFullError                   no room is left for it
    ├── CancelledError                      stopped on request; nothing is left behind
    ├── CredentialError                     no usable credential was found
    ├── ServiceError                        a service answered with an error
    │   ├── BadRequestError                 400, 422: the request is wrong
    │   ├── AuthenticationError             401: the token is not accepted
    │   ├── PermissionDeniedError           403: the token may not do this
    │   ├── NotFoundError                   404: there is no such object
    │   ├── RateLimitError                  429: too many requests
    │   ├── ServerError                     5xx: the service failed
    │   ├── ResponseError                   an answer that is not understood
    │   ├── NotReadyError                   the object exists, its data does not yet
    │   └── ConnectionFailedError           no answer at all
    ├── TransferError                       a download or upload is not whole
    ├── ArchiveError (ValueError)           an archive is broken, or not safe to unpack
    ├── JobError                            a reconstruction job cannot go on
    │   ├── LimitError (ValueError)         the service's limits do not allow the job
    │   ├── JobBusyError                    another process is working on the job
    │   ├── JobFailedError                  the service could not make it
    │   ├── UnclearJobError                 it cannot be told whether a request had an effect
    │   └── StartOverError                  what was uploaded is of no use any more
    └── MissingExtraError (ImportError)     an optional dependency is not installed

    CupixGeoWarning (UserWarning)
    └── PlacementWarning                    a placement was accepted, with a doubt

A message says what happened, to which object, and what to do about it.
"""

from __future__ import annotations

from typing import Any


class CupixGeoError(Exception):
    """Root of every error this toolkit raises on purpose."""


class ArgumentError(CupixGeoError, ValueError):
    """An argument names nothing this toolkit knows: a service, a region, an address, an id."""


class GeodesyError(CupixGeoError):
    """A question of where something is could not be answered."""


class CrsError(GeodesyError, ValueError):
    """A CRS is unknown, missing or of no use here."""


class FrameError(GeodesyError, ValueError):
    """Two frames that should meet do not."""


class TransformError(GeodesyError, ValueError):
    """A matrix is not a placement (non-affine, mirrored, sheared, non-finite)."""


class DescriptorError(GeodesyError, ValueError):
    """An output descriptor has a shape the vendor does not define."""


class OperationError(GeodesyError, ValueError):
    """PROJ has no coordinate operation that can be trusted for this pair."""


class MissingGridError(OperationError):
    """The best coordinate operation needs a grid that is not installed."""


class CloudError(CupixGeoError, ValueError):
    """A point cloud cannot be used."""


class FormatError(CloudError):
    """The file is not of a format this toolkit reads or writes."""


class CorruptFileError(CloudError):
    """The file contradicts itself or its own size."""


class SourceChangedError(CloudError):
    """A file changed, vanished or was replaced while it was read."""


class EmptyCloudError(CloudError):
    """The operation needs at least one point."""


class PhotoError(CupixGeoError, ValueError):
    """A photo cannot be read, is cut off, or is no photo."""


class MergeError(CupixGeoError, ValueError):
    """A merge cannot be planned from these inputs."""


class GridOverflowError(MergeError):
    """Coordinates do not fit into 32-bit integers at the output's scale and offset."""


class OutputError(CupixGeoError, OSError):
    """The output cannot be written where it was asked for."""


class DiskFullError(OutputError):
    """The output's file system has no room left."""


class CancelledError(CupixGeoError):
    """The work was stopped on request; nothing half-written is left behind."""


class CredentialError(CupixGeoError):
    """No usable credential was found."""


class ServiceError(CupixGeoError):
    """A service answered with an error.

    Parameters
    ----------
    message : str
        What happened, to which object, and what to do.
    service, verb : str
        The service's name and the call, for example ``"cupix"`` and ``"GET /pointclouds"``.
    status : int or None
        HTTP status, None when no answer came.
    code : str or None
        The service's own error code.
    request_id : str or None
        What the service's support will ask for.
    retry_after : float or None
        [s] the service asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        verb: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.verb = verb
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_service_error, (type(self), str(self), self.__dict__.copy())


def _rebuild_service_error(
    kind: type[ServiceError], message: str, fields: dict[str, Any]
) -> ServiceError:
    return kind(message, **fields)


class BadRequestError(ServiceError):
    """The service refuses the request as it stands (400, 422)."""


class AuthenticationError(ServiceError):
    """The token is missing, wrong or expired (401)."""


class PermissionDeniedError(ServiceError):
    """The token is good but may not do this (403)."""


class NotFoundError(ServiceError):
    """The service has no such object (404)."""


class RateLimitError(ServiceError):
    """The service wants fewer requests (429)."""


class ServerError(ServiceError):
    """The service failed (5xx)."""


class ResponseError(ServiceError):
    """The answer is not what the service documents: HTML, cut JSON, a wrong shape."""


class NotReadyError(ServiceError):
    """The object exists, but its data is not there (yet)."""


class ConnectionFailedError(ServiceError):
    """No answer came: refused, timed out or cut off."""


class TransferError(CupixGeoError):
    """A download or upload is not whole and was not kept under its final name."""


class ArchiveError(CupixGeoError, ValueError):
    """An archive is broken, or holds something that is not safe to unpack."""


class JobError(CupixGeoError):
    """A reconstruction job cannot go on; what was done so far is in the ledger."""


class LimitError(JobError, ValueError):
    """The service's limits do not allow the job as planned; nothing was sent."""


class JobBusyError(JobError):
    """Another process is working on the job."""


class JobFailedError(JobError):
    """The service could not make what was asked for."""


class UnclearJobError(JobError):
    """A request got no answer and the service cannot be asked whether it had an effect."""


class StartOverError(JobError):
    """What was uploaded so far is of no use to the service any more; it has to be sent again."""


class MissingExtraError(CupixGeoError, ImportError):
    """An optional dependency is not installed; the message names the install line."""


class CupixGeoWarning(UserWarning):
    """Root of every warning this toolkit gives on purpose."""


class PlacementWarning(CupixGeoWarning):
    """A placement was accepted although something about it is in doubt."""
