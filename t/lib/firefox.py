"""firefox.py - Firefox without a window, driven by WebDriver BiDi over its WebSocket; what browser.py has, as far as tests want it."""
import base64, json, os, shutil, signal, subprocess, time

from ws import Closed, WebSocket

PREFS = {
    # H.264 in WebRTC comes from a plugin that is downloaded; these let the decoder that plays files do it.
    "media.webrtc.hw.h264.enabled": True, "media.navigator.mediadatadecoder_h264_enabled": True,
    "gfx.blacklist.webrtc.hw.acceleration": 1, "gfx.blacklist.webrtc.hw.acceleration.h264": 1,
    "gfx.blacklist.webrtc.hw.acceleration.decode": 1,
    "media.autoplay.default": 0, "media.gmp-manager.updateEnabled": False, "media.gmp-manager.url": "data:text/plain,",
    # It asks nobody but the test's server.
    "app.update.disabledForTesting": True, "app.normandy.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,", "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False, "toolkit.telemetry.server": "data:,", "extensions.update.enabled": False,
}


class Firefox:
    def __init__(self, directory, port, **prefs):
        self.profile = os.path.join(directory, "firefox")
        os.mkdir(self.profile)
        with open(f"{self.profile}/user.js", "w") as f:
            for key, value in {**PREFS, **prefs}.items():
                f.write(f"user_pref({json.dumps(key)}, {json.dumps(value)});\n")
        self.log = open(os.path.join(directory, "firefox.log"), "wb")
        self.proc = subprocess.Popen(["firefox-esr", "--headless", "--no-remote", "--profile", self.profile,
            "--remote-debugging-port", str(port), "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=dict(os.environ, HOME=directory), start_new_session=True)
        self.id, self.console = 0, []
        try:
            self.ws = self.connect(port)
            self.call("session.new", {"capabilities": {}})
            self.context = self.call("browsingContext.getTree", {})["contexts"][0]["context"]
        except BaseException:
            self.close()
            raise

    def connect(self, port, limit=60):
        end = time.monotonic() + limit
        while True:
            try:
                return WebSocket(port, "/session", timeout=60)
            except (ConnectionError, OSError, Closed):
                if time.monotonic() > end or self.proc.poll() is not None:
                    raise TimeoutError("firefox does not answer")
                time.sleep(0.2)

    def call(self, method, params):
        self.id += 1
        self.ws.text({"id": self.id, "method": method, "params": params})
        while True:
            m = self.ws.json()
            if m.get("id") == self.id:
                if m["type"] != "success":
                    raise RuntimeError(f"{method}: {m.get('message')}")
                return m["result"]

    def before(self, js):
        self.call("script.addPreloadScript", {"functionDeclaration": f"() => {{ {js} }}"})

    def goto(self, url):
        self.call("browsingContext.navigate", {"context": self.context, "url": url, "wait": "none"})

    def eval(self, js):
        r = self.call("script.evaluate", {"expression": f"(async () => JSON.stringify(await ({js})))()", "awaitPromise": True,
            "target": {"context": self.context}})
        if r["type"] != "success":
            raise RuntimeError(f"{js[:80]}: {r['exceptionDetails'].get('text')}")
        return json.loads(r["result"].get("value", "null"))

    def wait(self, what, js, limit=30):
        end, value = time.monotonic() + limit, None
        while time.monotonic() < end:
            try:
                value = self.eval(js)
            except RuntimeError as e:       # between two pages
                value = str(e)
            else:
                if value:
                    return value
            time.sleep(0.1)
        raise TimeoutError(f"{what}: {js} stayed {value!r}")

    def screenshot(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("browsingContext.captureScreenshot", {"context": self.context})["data"]))

    def close(self):
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait()
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)
