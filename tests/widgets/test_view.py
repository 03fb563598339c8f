"""What every widget shares: messages, code, refusals, and what is left of it without a kernel."""

import base64
import io
import re
import sys
from types import SimpleNamespace

import ipywidgets
import nbformat
import numpy as np
import PIL.Image
import pytest
from nbconvert import HTMLExporter

from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.pipeline.picture import encode
from cupixgeo.widgets.view import View, choose, name_of, refuse_unknown


class Label(View):
    def __init__(self, text="", *, colour="red", **unknown):
        refuse_unknown(unknown, Label.__init__, "Label")
        self.text = text
        super().__init__([ipywidgets.HTML(text)], name="label")

    def code(self):
        return f"Label({self.text!r})"

    def summary(self):
        return f"A label: {self.text}"

    def figure(self):
        if self.text == "no picture":
            raise CloudError("there are no points.")
        return encode(np.full((20, 30, 4), 200, np.uint8), "png")


def test_an_unknown_keyword_is_refused_with_the_nearest():
    with pytest.raises(ArgumentError, match=r"Label has no keyword 'color'.*'colour'"):
        Label(color="blue")
    with pytest.raises(ArgumentError, match=r"It has: text, colour"):
        Label(zzz=1)


def test_a_choice_is_refused_with_the_nearest():
    assert choose("height", ["height", "rgb"], "colour by") == "height"
    with pytest.raises(ArgumentError, match="Did you mean 'height'"):
        choose("heigt", ["height", "rgb"], "colour by")


def test_an_error_of_ours_becomes_a_message_and_ends_there():
    label = Label()
    with label.guard():
        raise CloudError("a <b>cloud</b> is empty")
    assert label.message == "a <b>cloud</b> is empty"
    assert "&lt;b&gt;" in label._message.value
    assert 'role="alert"' in label._message.value
    label.hush()
    assert label.message == label._message.value == ""


def test_any_other_error_is_said_and_goes_on():
    label = Label()

    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        label.guarded(fail)()
    assert "mistake in cupixgeo" in label.message


def test_the_code_button_shows_code_that_follows_changes():
    label = Label("one")
    assert label._code.layout.display == "none"
    label._code_button.value = True
    assert label._code.layout.display is None
    assert "Label(&#x27;one&#x27;)" in label._code.value
    label.text = "two"
    label.changed()
    assert "two" in label._code.value


def test_what_is_left_without_a_kernel_is_a_picture_and_a_text():
    bundle = Label("hello")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "A label: hello"
    picture = PIL.Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == (30, 20)
    assert "<img" in bundle["text/html"]
    assert "A label: hello" in bundle["text/html"]


def test_a_page_exported_from_a_notebook_shows_the_picture_on_the_pages_own_ground(monkeypatch):
    canvas = np.zeros((200, 300, 4), np.uint8)  # transparent but for a disc, as of a scene
    across, down = np.meshgrid(np.arange(300), np.arange(200))
    noise = np.random.default_rng(0).integers(0, 255, canvas.shape, np.uint8) | (0, 0, 0, 255)
    disc = np.hypot(across - 150, down - 100) < 90
    canvas[disc] = noise[disc]
    monkeypatch.setattr(Label, "figure", lambda self: encode(canvas, "png"))
    output = nbformat.v4.new_output("display_data", Label("hello")._repr_mimebundle_())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    page, _ = HTMLExporter().from_notebook_node(notebook)
    figure = page.partition("<figure")[2]
    assert "A label: hello" in figure
    kind, data = re.findall(r"data:image/(webp|png);base64,([^'\"]+)", figure)[0]
    assert kind == "webp", "smaller, of a noisy picture"
    shown = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    assert (shown[0, 0, 3], shown[100, 150, 3]) == (0, 255)


def test_a_picture_that_fails_is_a_message_and_not_the_end():
    label = Label("no picture")
    bundle = label._repr_mimebundle_()
    assert "image/png" not in bundle
    assert label.message == "there are no points."


def test_a_widget_that_was_closed_says_so_where_it_is_shown():
    label = Label("hello")
    assert repr(label) == "<cupixgeo Label>"
    label.close()
    assert repr(label) == "This Label was closed. Run the code that made it once more."


def test_names_are_those_the_user_gave(monkeypatch):
    thing = object()
    shell = SimpleNamespace(user_ns={"_": thing, "scan": thing})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert name_of(thing, "cloud") == "scan"
    assert name_of(object(), "cloud") == "cloud"
