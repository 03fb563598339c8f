"""What a job at Altizure would take: limits, size, price, requests. Changes nothing.

Knows what the service tells about an account before anything is made. Must not know jobs that run.

Sources: altizure/dev-docs en/upload.md, en/api-changelog.md; altizure/user-docs about-payment.md
(1 Alticoin a gigapixel; members: ``coinPerGP``), mega-project.md (meta files, number of images).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cupixgeo.errors import ArgumentError, LimitError, NotReadyError, OutputError
from cupixgeo.services.altizure.metafiles import check_meta_file
from cupixgeo.services.altizure.parameters import META_FILES, Parameters
from cupixgeo.services.altizure.regions import ENDPOINT
from cupixgeo.services.altizure.states import FINAL_IMAGE
from cupixgeo.services.job_values import Attachment, Cost, Intent, LimitCheck, PlannedRequest

if TYPE_CHECKING:
    from cupixgeo.services.altizure.account import AltizureAccount

COIN_PER_GP = 1.0
"""[coin/gigapixel] price without a membership."""

_ASKED = "asked the service"
_OPERATIONS = {
    "s3": "uploadImageS3", "minio": "uploadImageMinio", "oss": "uploadImageOSS",
    "url": "uploadImageURL",
}  # fmt: skip


def attachments(parameters: Parameters) -> Iterable[Attachment]:
    """Give the meta files, checked line by line.

    Raises
    ------
    ArgumentError
        If one would be refused; the message names the line.
    """
    found = list(parameters.attachments())
    for attachment in found:
        try:
            check_meta_file(attachment.path, attachment.role)
        except OSError as error:
            raise OutputError(f"{attachment.path} cannot be read: {error.strerror}.") from error
    return found


def limits(
    account: AltizureAccount, intent: Intent, parameters: Parameters
) -> Sequence[LimitCheck]:
    """Compare a job with what the service says.

    Raises
    ------
    NotReadyError
        If the service takes no changes now.
    AuthenticationError
        If it knows neither key nor token.
    LimitError, ArgumentError
        If the account may not make such a project, or there is no such task type.
    """
    mode = account.system_mode()
    user = account.user()
    if mode != "Normal":
        raise NotReadyError(
            f"altizure takes no changes now: it is in the mode {mode!r}. Plan the job later.",
            service=account.service,
            verb="SystemMode",
        )
    allowed = (user.get("membership") or {}).get("visibility") or ["public"]
    if parameters.project_type == "free" and parameters.visibility not in allowed:
        raise LimitError(
            f"a free project of this account is {' or '.join(allowed)}, not "
            f"{parameters.visibility}. Choose that, or project_type='pro'."
        )
    known = account.enum_values("TASK_TYPE")
    if parameters.task_type not in known:
        raise ArgumentError(
            f"task_type={parameters.task_type!r} is not {' or '.join(map(repr, known))}."
        )
    photos = [file for file in intent.files if file.role == "photo"]
    least = float(account.api.conventions.min_images)
    checks = [LimitCheck("photos", len(photos), least=least, unit="photo", source="documentation")]
    if parameters.project_type == "free":
        size, _ = gigapixels(account, intent)
        quota = _number(user.get("freeGPQuota"))
        checks.append(LimitCheck("free project", size, most=quota, unit="GP", source=_ASKED))
    return checks


def cost(account: AltizureAccount, intent: Intent, parameters: Parameters) -> Cost | None:
    """Say what a job costs in Alticoins, and about how much money that is."""
    if parameters.project_type == "free":
        return None
    user = account.user()
    rate = (user.get("membership") or {}).get("coinPerGP")
    rate = COIN_PER_GP if rate is None else _number(rate)
    size, unknown = gigapixels(account, intent)
    coins = size * rate
    money = account.coins_to_money(coins, account.currency)
    note = (
        f"{size:.6g} gigapixels at {rate:g} coin each, about {money:.2f} {account.currency}; "
        "coins are taken at the start and given back if it fails, or is stopped within 15 minutes"
    )
    if unknown:
        note += f"; {unknown} photos of unknown size are counted as the smallest there are"
    if parameters.coupons:
        note += f"; {len(parameters.coupons)} coupons cover a part that the service does not tell"
    available = None if parameters.coupons else _number(user.get("balance"))
    return Cost(coins, "coin", available=available, note=note)


def gigapixels(account: AltizureAccount, intent: Intent) -> tuple[float, int]:
    """Ask for the size of all photos [gigapixel]; also give how many have no known size."""
    sizes = Counter((file.width, file.height) for file in intent.files if file.role == "photo")
    total = sum(
        account.gigapixels(width, height, count) for (width, height), count in sizes.items()
    )
    return total, sum(count for (width, height), count in sizes.items() if not width * height)


def requests(intent: Intent, parameters: Parameters) -> Sequence[PlannedRequest]:
    """List the operations of a launch, in order."""
    photos = sum(file.role == "photo" for file in intent.files)
    metas = len(intent.files) - photos
    planned = [
        _operation(
            "createProject",
            {
                "name": intent.tagged_name,
                "type": parameters.project_type,
                "visibility": parameters.visibility,
            },
            purpose="make the project; costs nothing",
        ),
        *_uploads(parameters, photos),
    ]
    if metas:
        planned += _meta_uploads(parameters, metas)
    wait = f"{' or '.join(sorted(FINAL_IMAGE))}, each photo"
    options: dict[str, Any] = {"taskType": parameters.task_type}
    if parameters.coupons:
        options["coupons"] = list(parameters.coupons)
    start = {"id": "{project}", "options": options}
    if parameters.pre_start:
        planned.append(_operation("preStartReconstruction", start, purpose="start when ready"))
    else:
        planned += [
            _operation("project.allImages", {"pid": "{project}"}, purpose=f"wait until {wait}"),
            _operation(
                "startReconstructionWithError", start, purpose="start; this takes the coins"
            ),
        ]
    planned += [
        _operation("project", {"id": "{project}"}, purpose="ask until taskState is final"),
        _operation("project.downloads", {"id": "{project}"}, purpose="list the results"),
    ]
    return planned


def _uploads(parameters: Parameters, photos: int) -> list[PlannedRequest]:
    image = {"pid": "{project}", "filename": "{name}", "checksum": "{sha1}"}
    has = _operation(
        "hasImage", {"pid": "{project}", "checksum": "{sha1}"}, photos, "look what is there already"
    )
    name = _OPERATIONS.get(parameters.upload, _OPERATIONS["s3"])
    if parameters.upload == "url":
        image["url"] = f"{parameters.photo_url.rstrip('/')}/{{name}}"
        return [has, _operation(name, image, photos, "let the service fetch each photo")]
    place = {**image, "bucket": parameters.bucket or "{nearest}", "type": "{JPEG|PNG|TIFF}"}
    sent = [
        has,
        _operation(name, place, photos, "register each photo"),
        _operation("startImageUpload", {"id": "{image}"}, photos, "mark its start"),
        PlannedRequest("PUT", "{bucket}/{project}/{image}", None, photos, "the photo itself"),
    ]
    if parameters.upload == "oss":
        sent.append(_operation("doneImageUpload", {"id": "{image}"}, photos, "mark its end"))
    return sent


def _meta_uploads(parameters: Parameters, metas: int) -> list[PlannedRequest]:
    file: dict[str, Any] = {"pid": "{project}", "filename": "{name}"}
    if parameters.upload == "url":
        file["url"] = f"{parameters.photo_url.rstrip('/')}/{{name}}"
        return [_operation("uploadMetaURL", file, metas, "let the service fetch each meta file")]
    name = "uploadMetaFileMinio" if parameters.upload == "minio" else "uploadMetaFileS3"
    kinds = ", ".join(role for role in META_FILES if getattr(parameters, role))
    return [
        _operation(name, {**file, "bucket": "{nearest}"}, metas, f"register: {kinds}"),
        PlannedRequest("PUT", "{bucket}/{project}/{file}", None, metas, "the file itself"),
    ]


def _operation(
    name: str, variables: dict[str, Any], repeats: int = 1, purpose: str = ""
) -> PlannedRequest:
    body = {"operation": name, "variables": variables}
    return PlannedRequest("POST", ENDPOINT, body, repeats, purpose)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
