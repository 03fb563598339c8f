"""What every widget shares: a frame with a place for messages, its code, and a still picture.

Knows how a widget says what went wrong, prints the Python that repeats it, and what it leaves in a
notebook that nobody runs. Must not know maps, scenes, forms or services.

A `View` is one level above `ipywidgets.VBox`, so a widget of this package can stand wherever a
widget can. What a subclass shows is given to it as `body`; what it must answer are `code`,
`summary` and `figure`.
"""

from __future__ import annotations

import base64
import difflib
import inspect
import io
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from html import escape
from importlib.resources import files
from types import TracebackType
from typing import Any, Literal, ParamSpec

import ipywidgets
from traitlets.utils.bunch import Bunch

from cupixgeo.errors import ArgumentError, CupixGeoError

Kind = Literal["problem", "note"]
P = ParamSpec("P")

SMALLEST_PX, LARGEST_PX = 50, 10_000
"""Heights a widget may have [pixel]."""

_STYLE = (files("cupixgeo.widgets") / "frontend" / "view.css").read_text("utf-8")


class View(ipywidgets.VBox):
    """A widget of this package.

    Parameters
    ----------
    body : sequence of ipywidgets.Widget
        What it shows, from top to bottom.
    name : str
        One word for its style classes: ``"map"`` gives ``cx-map``.
    """

    def __init__(self, body: Sequence[ipywidgets.Widget], *, name: str) -> None:
        self._message = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto", min_width="0"))
        self._message_text = ""
        self._message.add_class("cx-message")
        self._code_button = ipywidgets.ToggleButton(
            description="Code",
            tooltip="Show the Python that repeats what was clicked",
            layout=ipywidgets.Layout(width="auto", flex="none"),
        )
        self._code_button.add_class("cx-code-button")
        self._code_button.observe(self._show_code, "value")
        self._code = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        self._code.add_class("cx-code")
        footer = ipywidgets.HBox([self._message, self._code_button])
        footer.add_class("cx-footer")
        style = ipywidgets.HTML(f"<style>{_STYLE}</style>")
        style.layout.display = "none"
        super().__init__([style, *body, footer, self._code])
        self.add_class("cx")
        self.add_class(f"cx-{name}")

    # -- what a subclass answers ----------------------------------------------------------------

    @abstractmethod
    def code(self) -> str:
        """Python that makes this widget again, as it stands now."""
        ...

    def summary(self) -> str:
        """Say in plain text what is shown, for those who cannot see it."""
        return type(self).__name__

    def figure(self) -> bytes | None:
        """Draw what is shown as PNG; None where there is nothing to draw."""
        return None

    # -- messages -------------------------------------------------------------------------------

    @property
    def message(self) -> str:
        """What the widget says below its body; empty where all is well."""
        return self._message_text

    def say(self, text: str, *, kind: Kind = "problem") -> None:
        """Show a message below the body.

        Parameters
        ----------
        text : str
            Plain text. An empty one takes the message away.
        kind : {"problem", "note"}
            Problems are read out at once by screen readers.
        """
        self._message_text = text
        role = "alert" if kind == "problem" else "status"
        words = escape(text).replace("\n", "<br>")
        self._message.value = f'<div class="cx-{kind}" role="{role}">{words}</div>' if text else ""

    def hush(self) -> None:
        """Take the message away."""
        self.say("")

    def guard(self) -> Guard:
        """Turn errors inside a ``with`` block into a message; see `Guard`."""
        return Guard(self)

    def guarded(self, function: Callable[P, Any]) -> Callable[P, None]:
        """Wrap a callback so that its errors become a message; see `Guard`."""

        @wraps(function)
        def quiet(*args: P.args, **kwargs: P.kwargs) -> None:
            with Guard(self):
                function(*args, **kwargs)

        return quiet

    # -- code -----------------------------------------------------------------------------------

    def changed(self) -> None:
        """Bring the code that is shown up to date; subclasses call it after every change."""
        if self._code_button.value:
            self._code.value = f'<pre tabindex="0">{escape(self.code())}</pre>'

    def _show_code(self, change: Bunch) -> None:
        self._code.layout.display = None if change["new"] else "none"
        self.changed()

    def __repr__(self) -> str:
        if self.comm is None and "_code" in self.__dict__:  # closed: this is all a notebook shows
            return f"This {type(self).__name__} was closed. Run the code that made it once more."
        return f"<cupixgeo {type(self).__name__}>"

    # -- a still picture ------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        picture = None
        with self.guard():
            picture = self.figure()
        text = self.summary()
        bundle["text/plain"] = text
        if picture is not None:
            bundle["image/png"] = base64.b64encode(picture).decode("ascii")
        bundle["text/html"] = _still(text, picture)
        return bundle


class Guard:
    """Turn errors inside a ``with`` block into a message of a widget.

    An error of this package is said and ends there. Any other is a mistake of the program: it is
    said too, and goes on to where Jupyter keeps the details.

    Parameters
    ----------
    view : View
        Where to say it.
    """

    def __init__(self, view: View) -> None:
        self._view = view

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, CupixGeoError):
            self._view.say(str(error))
            return True
        if isinstance(error, Exception):
            self._view.say(
                f"{type(error).__name__}: {error}\nThis is a mistake in cupixgeo, not yours. "
                "Please report it; the details are in Jupyter's log."
            )
        return False


def refuse_unknown(unknown: Mapping[str, Any], function: Callable[..., Any], name: str) -> None:
    """Refuse keywords a function does not have, with the nearest it has.

    Parameters
    ----------
    unknown : mapping
        What was caught by ``**unknown``; empty is fine.
    function : callable
        Whose signature says what there is.
    name : str
        What the user called, for the message: ``"Map"``.

    Raises
    ------
    ArgumentError
        There is at least one.
    """
    if not unknown:
        return
    known = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.name != "self"
    ]
    first = next(iter(unknown))
    near = difflib.get_close_matches(first, known, n=1, cutoff=0.5)
    advice = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known)}."
    raise ArgumentError(f"{name} has no keyword {first!r}. {advice}")


def choose(value: str, allowed: Iterable[str], what: str) -> str:
    """Return `value` if it is allowed, or refuse it with the nearest that is.

    Parameters
    ----------
    value : str
        As given by the user.
    allowed : iterable of str
        What there is.
    what : str
        What is chosen, for the message: ``"colour by"``.

    Raises
    ------
    ArgumentError
        It is not allowed.
    """
    names = [str(name) for name in allowed]
    if value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    advice = f"Did you mean {near[0]!r}? " if near else ""
    raise ArgumentError(
        f"{what} {value!r} is not known. {advice}There is: {', '.join(names) or 'nothing'}."
    )


def size_px(value: int) -> int:
    """Return the height of a widget [pixel], or refuse one that shows nothing.

    Raises
    ------
    ArgumentError
        It is not a number between 50 and 10,000.
    """
    if not isinstance(value, int | float) or not SMALLEST_PX <= value <= LARGEST_PX:
        raise ArgumentError(
            f"height_px={value!r} is no height of a widget. Give a number of pixels from "
            f"{SMALLEST_PX} to {LARGEST_PX:,}: height_px=520."
        )
    return int(value)


def name_of(thing: Any, default: str) -> str:
    """Find the name a user gave to an object in the notebook, for `View.code`.

    Parameters
    ----------
    thing : object
        What was handed to a widget.
    default : str
        What to call it where it has no name, or there is no notebook.
    """
    interactive = sys.modules.get("IPython")
    shell = None if interactive is None else interactive.get_ipython()
    if shell is None:
        return default
    names = (n for n, value in shell.user_ns.items() if value is thing and not n.startswith("_"))
    return next(names, default)


def _still(text: str, picture: bytes | None) -> str:
    """Show a picture and a text where no widget can be shown: exported pages, code hosts."""
    words = escape(text).replace("\n", "<br>")
    image = "" if picture is None else f"<img alt='{escape(text)}' src='{_small(picture)}'>"
    return (
        f"<figure style='margin:0'>{image}<figcaption style='font-size:90%'>{words}<br><em>A still "
        "picture: run the notebook for the live widget.</em></figcaption></figure>"
    )


def _small(picture: bytes) -> str:
    import PIL.Image

    file = io.BytesIO()
    image = PIL.Image.open(io.BytesIO(picture))
    clear = image.mode in ("RGBA", "LA") or "transparency" in image.info
    image.convert("RGBA" if clear else "RGB").save(file, "WEBP", quality=75, method=2)
    kind, data = min(("png", picture), ("webp", file.getvalue()), key=lambda pair: len(pair[1]))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
