"""Something long behind a button: closed until somebody opens it, by a click or the keyboard.

Knows one widget and a title. An accordion's header cannot be reached by the Tab key in JupyterLab;
a button can.
"""

from __future__ import annotations

import ipywidgets as w


class Folded(w.VBox):
    """A button with a title, and below it what it opens.

    Parameters
    ----------
    inner : ipywidgets.Widget
        What is shown when it is open.
    tip : str
        What the button does, for those who point at it.
    """

    def __init__(self, inner: w.Widget, *, tip: str) -> None:
        self._title = ""
        self.head = w.ToggleButton(tooltip=tip)
        self.head.add_class("cx-folded-head")
        self._body = w.VBox([inner])
        self._body.add_class("cx-folded-body")
        super().__init__([self.head, self._body])
        self.add_class("cx-folded")
        self.head.observe(lambda change: self._draw(), "value")
        self._draw()

    @property
    def title(self) -> str:
        """What stands on the button."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        self._title = title
        self._draw()

    def _draw(self) -> None:
        self.head.description = f"{'▾' if self.head.value else '▸'} {self._title}"
        self._body.layout.display = None if self.head.value else "none"
