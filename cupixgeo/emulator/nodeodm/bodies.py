"""What requests to the node carry: forms, commands, and the odd values in them.

Knows encodings. Knows no task.
"""

from __future__ import annotations

import json
import re
from posixpath import normpath
from urllib.parse import parse_qsl

from cupixgeo.emulator.multipart import FormData, FormError, is_multipart, read_form
from cupixgeo.emulator.wire import Request


def read_form_of(request: Request) -> FormData:
    """Read a multipart body; any other body is passed over, as the node does.

    Raises
    ------
    FormError
        If it is no whole form.
    """
    kind = request.headers.get("content-type", "")
    return read_form(kind, request.body) if is_multipart(kind) else FormData()


def fields_of(request: Request) -> dict[str, str]:
    """Read a form or a JSON body of a command.

    Raises
    ------
    FormError
        If it is announced as JSON and is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = request.body.decode("utf-8", "replace")
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, keep_blank_values=True))
    if kind == "application/json":
        try:
            content = json.loads(text or "{}")
        except ValueError as error:
            raise FormError(f"Unexpected token in JSON ({error})") from error
        values = content.items() if isinstance(content, dict) else ()
        return {key: v if isinstance(v, str) else json.dumps(v) for key, v in values}
    return {}


def creation_time(sent: str | None, now: float) -> float:
    """Read ``dateCreated`` [ms] as seconds; `now` [s] where there is none."""
    match = re.match(r"\s*(\d{1,15})", sent or "")
    return int(match[1]) / 1000 if match else now


def output_paths(sent: str | None) -> tuple[str, ...]:
    """Read a JSON list of paths; none of them leaves the task's folder."""
    try:
        paths = json.loads(sent or "[]")
    except ValueError:
        return ()
    if not isinstance(paths, list):
        return ()
    inner = [re.sub(r"^(\.\./|\.\.$|/)+", "", normpath(str(path))) for path in paths]
    return tuple(path for path in inner if path)


def first_line(text: str) -> int:
    """Read a line number, negative from the end; 0 for anything else."""
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*", text)
    return int(match[1]) if match else 0
