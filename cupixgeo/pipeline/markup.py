"""Pieces of HTML that a report is made of. Texts are escaped here, finished markup is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def section(title: str, body: str) -> str:
    """Put a heading over finished markup."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def figure(drawing: str, name: str, text: str, *, wide: bool = False) -> str:
    """Put a caption under a finished drawing."""
    kind = ' class="wide"' if wide else ""
    caption = f"<b>{escape(name)}</b>: {escape(text)}"
    return f"<figure{kind}>{drawing}<figcaption>{caption}</figcaption></figure>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Iterable[int] = (),
    foot: Sequence[str] = (),
) -> str:
    """Put finished cells into a table.

    Parameters
    ----------
    head : sequence of str
        Column titles; empty for none.
    rows : iterable of sequence of str
        ``<td>`` and ``<th>`` elements.
    numeric : iterable of int
        Columns whose titles are right-aligned.
    foot : sequence of str
        Elements of a last row; empty for none.
    """
    right = set(numeric)
    titles = "".join(
        f"<th scope=col{' class=n' if i in right else ''}>{escape(name)}</th>"
        for i, name in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return (
        '<div class="table"><table>'
        + (f"<thead><tr>{titles}</tr></thead>" if head else "")
        + f"<tbody>{body}</tbody>"
        + (f"<tfoot><tr>{''.join(foot)}</tr></tfoot>" if foot else "")
        + "</table></div>"
    )


def number(text: str) -> str:
    """Make a right-aligned cell."""
    return f'<td class="n">{escape(text)}</td>'


def bullets(texts: Iterable[str]) -> str:
    """Make a list."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def more(title: str, texts: Sequence[str]) -> str:
    """Make a block of code that opens on demand; nothing where there are no texts."""
    if not texts:
        return ""
    body = "".join(f"<pre>{escape(text)}</pre>" for text in texts)
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def some(names: Sequence[str], show: int = 8) -> str:
    """Name the first few and count the others."""
    rest = len(names) - show
    return ", ".join(names[:show]) + (f" and {rest} more" if rest > 0 else "")
