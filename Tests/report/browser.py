"""Debian's Chromium without a window, driven by its DevTools protocol over a pair of pipes: no port is opened, and no package is needed
but the browser. What a page says of itself (errors, messages of the console, requests) is kept, so that a test can ask for none.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

# Watchdogs, not measures.
PATIENCE = 120


class BrowserError(Exception):
    pass


class Browser:
    def __init__(self):
        program = shutil.which("chromium")
        if not program:
            raise BrowserError("there is no chromium; run 'scripts/setup.sh browser'")
        self.profile = tempfile.TemporaryDirectory(prefix="mapengine-browser-")
        to_browser, self.out = os.pipe()
        self.incoming, from_browser = os.pipe()

        def descriptors():
            # The protocol's own numbers; the pipes' are moved away from them first.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        words = [program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}", "--no-first-run", "--disable-gpu", "--no-sandbox",
                 "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "about:blank"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=descriptors,
                                        close_fds=False, start_new_session=True, env=os.environ | {"HOME": self.profile.name})
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
        except (BrowserError, OSError):
            self.process.kill()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.incoming)
        self.profile._rmtree(self.profile.name, ignore_errors=True)

    def receive(self, until):
        """The next message; None when none came in time."""
        while b"\0" not in self.buffer:
            if not select.select([self.incoming], [], [], max(0, until - time.monotonic()))[0]:
                return None
            block = os.read(self.incoming, 1 << 20)
            if not block:
                raise BrowserError("the browser has ended")
            self.buffer += block
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self.out, data):]
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(until)
            if answer is None:
                raise BrowserError(f"{method}: no answer in {PATIENCE} s")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def page(self, width=1280, height=900, dark=False):
        return Page(self, width, height, dark)


def with_spaces(value):
    """The same with each space that joins a number and its unit as a plain one."""
    if isinstance(value, str):
        return value.replace("\u00a0", " ")
    if isinstance(value, list):
        return [with_spaces(one) for one in value]
    return {key: with_spaces(one) for key, one in value.items()} if isinstance(value, dict) else value


class Page:
    def __init__(self, browser, width, height, dark):
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.follow(browser, target, browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self.size(width, height)
        self.media(dark)

    def follow(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, dark):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, path, ready="document.documentElement.dataset.report"):
        """Opens a file, and waits until the page says that it is done; what it says."""
        self.browser.events.clear()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        return self.wait(f"document.readyState === 'complete' && location.href !== 'about:blank' && {ready}")

    def open_with_frame(self, path):
        """Opens a file that has one frame, closed to it and so in a process of its own; the frame."""
        self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        self.open(path, ready="true")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for event in self.browser.events:
                given = event.get("params", {})
                if event.get("method") == "Target.attachedToTarget" and given["targetInfo"]["type"] == "iframe" and event.get("sessionId") == self.session:
                    frame = Page.__new__(Page)
                    frame.follow(self.browser, given["targetInfo"]["targetId"], given["sessionId"])
                    return frame
            self.evaluate("0")
            time.sleep(0.02)
        raise BrowserError(f"{path} has no frame")

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return with_spaces(answer["result"].get("value"))

    def wait(self, expression):
        """Waits until an expression is true; its value."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.02)
        raise BrowserError(f"{expression}: not true in {PATIENCE} s; the page shows: {self.evaluate('document.body.innerText')[:400]}")

    def text(self):
        return self.evaluate("document.body.innerText")

    def complaints(self):
        """Errors and messages of the console, and requests that went to anything but the file itself."""
        self.evaluate("0")
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, given = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(given["exceptionDetails"].get("exception", {}).get("description", given["exceptionDetails"]["text"]))
            elif method == "Runtime.consoleAPICalled":
                found.append(f"console: {[one.get('value') or one.get('description') for one in given['args']]}")
            elif method == "Log.entryAdded":
                found.append(f"{given['entry']['level']}: {given['entry']['text']}")
            elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file://", "about:")):
                found.append(f"a request: {given['request']['url'][:200]}")
        return found

    def screenshot(self, path, whole=True, clip=None):
        more = {"captureBeyondViewport": whole}
        if whole and not clip:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"]}
        if clip:
            more["clip"] = clip | {"scale": 1}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"]))

    def pdf(self, path=None):
        made = base64.b64decode(self.call("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)["data"])
        if path:
            with open(path, "wb") as file:
                file.write(made)
        return made
