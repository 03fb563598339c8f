"""The kernel's side of a scene's talk: nodes asked for are read, packed and sent by two threads.

What takes time is done on threads of its own, so that the kernel stays free for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cupixgeo.errors import CupixGeoError
from cupixgeo.widgets.points import STEPS, Frame, PointSource, pack
from cupixgeo.widgets.points_paint import RGB, Paint, brightest, encode
from cupixgeo.widgets.scene_widget import SceneWidget

THREADS = 2

OUR_MISTAKE = "This is a mistake in cupixgeo, not yours: please report it."

Picked = Callable[[str, Mapping[str, float]], None]


class SceneServer:
    """Answers the messages of a scene's front end.

    Parameters
    ----------
    widget : SceneWidget
        Whose messages.
    picked : callable
        Called with a cloud's name and what it stores of the point that was picked; with an empty
        name to take the picks away.
    failed : callable
        Called with a message that the user should read.
    """

    def __init__(
        self, widget: SceneWidget, *, picked: Picked, failed: Callable[[str], None]
    ) -> None:
        self._widget = widget
        self._picked = picked
        self._failed = failed
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cx-scene")
        self.sources: dict[str, PointSource] = {}
        self.frame: Frame | None = None
        self.paint: Paint | None = None
        self._shift: dict[str, int] = {}
        widget.on_msg(self._take)

    def close(self) -> None:
        """Answer no more, and let go of the clouds."""
        self._widget.on_msg(self._take, remove=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for source in self.sources.values():
            source.close()

    def _take(self, _: Any, message: Mapping[str, Any], buffers: object) -> None:
        answer = {"want": self._node, "table": self._table, "pick": self._pick}
        kind = message.get("kind")
        if kind == "clear":
            self._picked("", {})
        elif kind in answer and message.get("cloud") in self.sources:
            work = self._threads.submit(self._safely, answer[kind], message)
            work.add_done_callback(_log_mistakes)

    def _safely(
        self, answer: Callable[[Mapping[str, Any]], None], message: Mapping[str, Any]
    ) -> None:
        """Answer, or say why not: nobody sees what is raised on a thread."""
        lost = message["kind"] == "want"
        try:
            answer(message)
            lost = False
        except CupixGeoError as error:
            self._failed(str(error))
        except BaseException as error:
            self._failed(f"{type(error).__name__}: {error}\n{OUR_MISTAKE}")
            raise
        finally:
            if lost:
                told = {"kind": "lost", "cloud": message["cloud"], "node": message["node"]}
                self._widget.send(told)

    def _node(self, message: Mapping[str, Any]) -> None:
        """Send coordinates, values or both of the points of a node."""
        source, frame, paint = self.sources[message["cloud"]], self.frame, self.paint
        assert frame is not None
        assert paint is not None
        node = int(message["node"])
        wanted = paint.channel if message["channel"] == paint.channel else ""
        needs = [name for name in paint.needs if wanted and name in source.variables]
        known = len(needs) == len(paint.needs)
        columns = source.columns(node, [*("xyz" if message["bits"] else ""), *needs])
        answer: dict[str, Any] = {"kind": "node", "cloud": message["cloud"], "node": node}
        buffers = []
        if message["bits"]:
            box = source.node_box(node)
            low, high = frame.to_scene(box)
            step = (high - low) / STEPS
            answer |= {"bits": True, "low": low.tolist(), "step": step.tolist()}
            buffers.append(pack(columns, box))
        if wanted:
            answer["channel"] = wanted
            if known:
                shift = self._shift_of(source) if paint.kind == "rgb" else 0
                buffers.append(encode(paint, columns, shift=shift))
        self._widget.send(answer, buffers)

    def _shift_of(self, source: PointSource) -> int:
        if source.name not in self._shift:
            self._shift[source.name] = 8 if brightest(source.sample(RGB)) > 255 else 0
        return self._shift[source.name]

    def _table(self, message: Mapping[str, Any]) -> None:
        table = self.sources[message["cloud"]].table()
        assert table is not None
        self._widget.send({"kind": "table", "cloud": message["cloud"]}, [table])

    def _pick(self, message: Mapping[str, Any]) -> None:
        source = self.sources[message["cloud"]]
        self._picked(source.name, source.exact(int(message["node"]), int(message["index"])))


def _log_mistakes(work: Future[None]) -> None:
    """Hand what went wrong to the log of `concurrent.futures`, which writes it down."""
    if not work.cancelled():
        work.result()
