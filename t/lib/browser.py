"""browser.py - Chromium without a window, driven over its debugging pipe (no WebSocket needed)."""
import base64, json, os, select, shutil, subprocess, time


class Browser:
    def __init__(self, directory, *more):
        to_child, self.w = os.pipe()
        self.r, from_child = os.pipe()
        self.profile = os.path.join(directory, "chromium")
        self.log = open(os.path.join(directory, "chromium.log"), "wb")
        argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-component-update", "--disable-background-networking",
            "--autoplay-policy=no-user-gesture-required", "--window-size=1280,800",
            f"--user-data-dir={self.profile}", *more, "--remote-debugging-pipe", "about:blank"]
        # The pipe's ends are 3 and 4 in Chromium.
        script = f'exec 3<&{to_child} 4>&{from_child}; exec "$@"'
        self.proc = subprocess.Popen(["bash", "-c", script, "chromium", *argv], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, pass_fds=(to_child, from_child), start_new_session=True)
        os.close(to_child)
        os.close(from_child)
        self.buf, self.id, self.session, self.console = b"", 0, None, []
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, params={}, limit=60):
        self.id += 1
        msg = {"id": self.id, "method": method, "params": params}
        if self.session:
            msg["sessionId"] = self.session
        os.write(self.w, json.dumps(msg).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            m = self._message(end)
            if m.get("id") == self.id:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            if m.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(json.dumps(m["params"])[:400])

    def _message(self, end):
        while b"\0" not in self.buf:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.r], [], [], left)[0]:
                raise TimeoutError("chromium does not answer")
            data = os.read(self.r, 1 << 20)
            if not data:
                raise ConnectionError("chromium is gone")
            self.buf += data
        one, self.buf = self.buf.split(b"\0", 1)
        return json.loads(one)

    def goto(self, url):
        self.call("Page.navigate", {"url": url})

    def enter_frame(self, limit=30):
        """From now on it is all about the page's first frame of another site, which is a target of its own."""
        end, self.session, found = time.monotonic() + limit, None, []
        while not found and time.monotonic() < end:
            found = [i for i in self.call("Target.getTargets")["targetInfos"] if i["type"] == "iframe"]
            time.sleep(0.1)
        self.session = self.call("Target.attachToTarget", {"targetId": found[0]["targetId"], "flatten": True})["sessionId"]
        self.call("Runtime.enable")

    def before(self, js):
        """Runs in every page that is opened from now on, before its own scripts."""
        self.call("Page.addScriptToEvaluateOnNewDocument", {"source": js})

    def eval(self, js):
        r = self.call("Runtime.evaluate", {"expression": js, "returnByValue": True, "awaitPromise": True})
        return r["result"].get("value")

    def wait(self, what, js, limit=30):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            value = self.eval(js)
            if value:
                return value
            time.sleep(0.1)
        raise TimeoutError(f"{what}: {js} stayed {value!r}; console: {self.console[-5:]}")

    def screenshot(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self):
        try:
            os.killpg(self.proc.pid, 9)
        except ProcessLookupError:
            pass
        self.proc.wait()
        os.close(self.w)
        os.close(self.r)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)
