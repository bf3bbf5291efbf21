"""Headless Chromium, driven over its DevTools pipe: no package and no network port is needed."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "chromium"
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(CHROMIUM), reason="needs chromium"),
    pytest.mark.xdist_group("browser"),
]
"""Marks of a module whose tests share a browser."""
MARK = "document.documentElement.setAttribute('data-ran', 1)"
"""Script that leaves a trace, if it runs."""
HOSTILE = (
    f"<script>{MARK}</script>",
    f'"><img src=x onerror="{MARK}">',
    f"</script><script>{MARK}</script>",
    f"<!--<script>{MARK}",
    "=cmd()",
    "100% #1 a?b&c=d;e",
)
"""Names of samples that must stay text."""
READS, WRITES = 3, 4
"""File descriptors that Chromium takes for `--remote-debugging-pipe`."""
PATIENCE_S = 60.0


class Browser:
    """One page of a browser.

    Attributes:
        messages: what the page's console and the browser's log said: errors, refusals by the
            page's policy.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number = 0
        self._buffer = b""
        self.messages: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})
        attach = {"targetId": target["targetId"], "flatten": True}
        self._session = self._call("Target.attachToTarget", attach)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol for the page."""
        return self._call(method, parameters, sessionId=self._session)

    def _call(self, method: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters, **more}
        os.write(self._commands, json.dumps(request).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._answers, 1 << 16)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        details = event.get("params", {})
        match event.get("method"):
            case "Log.entryAdded":
                self.messages.append(details["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self.messages.append(str(details["args"]))
            case "Runtime.exceptionThrown":
                self.messages.append(json.dumps(details["exceptionDetails"]))

    def open(self, page: Path, anchor: str = "") -> None:
        """Open a file and wait until it is loaded."""
        self.messages.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=page.absolute().as_uri() + anchor)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def value(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        self.until(lambda: bool(self.value(expression)), expression)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"in vain: {what}; {self.messages}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key."""
        text = key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            down = {"text": text} if kind == "keyDown" and text else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **down)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window, in pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size of the window, and whether it is a phone's."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own; it ends with the block."""
    to_browser, commands = os.pipe()
    answers, from_browser = os.pipe()
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio"]
    command += ["--disable-background-networking", "--autoplay-policy=no-user-gesture-required"]
    command += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    # Whatever numbers the pipes have here, Chromium has them as 3 and 4.
    moves = f'exec {READS}<&{to_browser} {WRITES}>&{from_browser}; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", moves, "bash", *command],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(commands, answers)
    finally:
        os.close(commands)
        os.close(answers)
        process.terminate()
        process.wait(timeout=PATIENCE_S)
