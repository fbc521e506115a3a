"""Makes docs/trace.png: runs the story, in the simulator, with --trace=FILE.json, and has Chromium, without a window, draw that with render/page.html.

    bazel run //tests/trace:render -- PICTURE.png [FROM_US TO_US]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def main(arguments):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: no Chromium (package chromium)")
        return 0
    if len(arguments) not in (1, 3):
        print("usage: render PICTURE.png [FROM_US TO_US]", file=sys.stderr)
        return 2
    folder = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    picture = folder / arguments[0]
    window = [float(word) for word in arguments[1:]] or [0, 1000]
    with tempfile.TemporaryDirectory() as name:
        trace = pathlib.Path(name) / "story.json"
        subprocess.run([HERE / "story", "--engine=simulation", "--procs=2", "--seed=1", "--trace=%s" % trace],
                       check=True)
        events = json.loads(trace.read_text())["traceEvents"]
        page = (HERE / "render/page.html").read_text()
        page = page.replace("/*EVENTS*/[]", json.dumps(events).replace("</", "<\\/"))
        page = page.replace("/*WINDOW*/[0, 1000]", json.dumps(window))
        html = pathlib.Path(name) / "page.html"
        html.write_text(page)
        done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                               "--user-data-dir=%s/profile" % name, "--window-size=1500,370",
                               "--screenshot=%s" % picture, html.as_uri()],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode != 0 or not picture.exists() or picture.stat().st_size < 5000:
        print("Chromium drew nothing:\n" + done.stdout, file=sys.stderr)
        return 1
    print("%s: %d bytes, from %d events" % (picture, picture.stat().st_size, len(events)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
