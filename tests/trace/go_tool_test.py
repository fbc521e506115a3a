"""Go's own `go tool trace` over gyre's traces: it reads those of every workload under every scheduler on both engines,
and every page of its server answers for a program that has something of everything. The JSON for Perfetto is looked at
too.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("TEST_SRCDIR", "")) / "gyre/lab/lab"
STORY = pathlib.Path(os.environ.get("TEST_SRCDIR", "")) / "gyre/tests/trace/story"

# Small ones: a trace is looked at, not a time. Workloads that are not named here run as they come, but not for long.
PARAMETERS = {
    "echo": ["requests=300", "connections=4"],
    "hashtree": ["workers=3"],
    "pingpong": ["rounds=300"],
    "pipeline": ["items=500", "stages=4"],
    "service": ["requests=200"],
    "sieve": ["primes=60"],
    "skynet": ["leaves=500"],
}
LIMIT = 120  # seconds, for any program

failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED: " + what)


def run(words, **more_environment):
    environment = dict(os.environ, **more_environment)
    return subprocess.run([str(word) for word in words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=LIMIT)


def listed(heading):
    """The names under a heading of `lab list`."""
    names, inside = [], False
    for line in run([LAB, "list"]).stdout.splitlines():
        if not line.startswith(" "):
            inside = line.startswith(heading)
        elif inside and re.match(r"  \S", line):
            names.append(line.strip())
    return names


def go_reads(trace, what):
    done = run(["go", "tool", "trace", "-d", trace])
    # The version of the tool decides how it is asked for the parsed events.
    if done.returncode != 0 and "invalid" in done.stderr:
        done = run(["go", "tool", "trace", "-d=parsed", trace])
    check(done.returncode == 0, "go tool trace -d, %s: %s" % (what, done.stderr[-500:]))
    return done.stdout


def every_workload(folder):
    schedulers, workloads = listed("Schedulers"), listed("Workloads")
    check(len(schedulers) >= 10 and len(workloads) >= 6, "lab list names schedulers and workloads")
    files = folder / "files"
    files.mkdir()
    for i in range(5):
        (files / str(i)).write_text("x" * 1000 * i)
    count = 0
    for engine in ("threads", "simulation"):
        for scheduler in schedulers:
            for workload in workloads:
                if workload not in PARAMETERS:
                    print("left out: the workload %s is not known to this test" % workload)
                    continue
                parameters = PARAMETERS[workload] + (["folder=%s" % files] if workload == "hashtree" else [])
                trace = folder / "workload.trace"
                what = "%s under %s on %s" % (workload, scheduler, engine)
                done = run([LAB, "run", workload] + parameters +
                           ["--procs=3", "--scheduler=" + scheduler, "--engine=" + engine, "--trace=%s" % trace])
                # Sockets are not for the simulator.
                if workload == "echo" and engine == "simulation":
                    check(done.returncode != 0, "%s is refused" % what)
                    continue
                check(done.returncode == 0, "%s: %s" % (what, done.stderr[-300:]))
                check("GoStart" in go_reads(trace, what), "%s: something ran" % what)
                trace.unlink()
                count += 1
    print("go tool trace has read %d traces" % count)


class Server:
    """go tool trace's web server over a trace."""

    def __init__(self, trace):
        # It would like to open a browser.
        environment = dict(os.environ, BROWSER="true")
        self.process = subprocess.Popen(["go", "tool", "trace", "-http=127.0.0.1:0", str(trace)], env=environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.address = None
        for line in self.process.stderr:
            found = re.search(r"http://[\d.:]+", line)
            if found:
                self.address = found.group(0)
                break

    def get(self, path):
        try:
            with urllib.request.urlopen(self.address + path, timeout=LIMIT) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            return 0, str(error)

    def close(self):
        # `go` runs the tool as a child of its own.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def every_page(folder):
    trace = folder / "story.trace"
    done = run([STORY, "--procs=2", "--trace=%s" % trace])
    check(done.returncode == 0, "the story: " + done.stderr)
    go_reads(trace, "the story")
    for kind, expected in (("sched", "worker|main|Serve"), ("sync", "Serve|lambda"), ("syscall", "Serve|operator")):
        profile = folder / ("%s.pprof" % kind)
        with open(profile, "wb") as out:
            made = subprocess.run(["go", "tool", "trace", "-pprof=" + kind, str(trace)], stdout=out, timeout=LIMIT)
        check(made.returncode == 0, "go tool trace -pprof=%s" % kind)
        top = run(["go", "tool", "pprof", "-top", "-lines", profile])
        check(top.returncode == 0 and re.search(expected, top.stdout), "pprof %s names functions:\n%s%s" %
              (kind, top.stdout[:800], top.stderr[-300:]))
        check("tests/trace/story.cc:" in top.stdout, "pprof %s has lines:\n%s" % (kind, top.stdout[:800]))

    server = Server(trace)
    try:
        check(server.address is not None, "go tool trace serves")
        if server.address is None:
            return

        def page(path, *texts):
            status, body = server.get(path)
            check(status == 200, "%s answers %d: %s" % (path, status, body[:300]))
            for text in texts:
                check(re.search(text, body), "%s shows %r:\n%s" % (path, text, body[:600]))
            return body

        page("/")
        groups = page("/goroutines", "worker", "watcher", "main")
        for group in re.findall(r"/goroutine\?id=(\d+)", groups):
            page("/goroutine?id=" + group, "Scheduler wait")
        for profile in ("io", "block", "syscall", "sched"):
            page("/%s?raw=1" % profile)
        page("/usertasks", "request", r"40")
        page("/usertask?type=request", "number", "parse")
        page("/userregions", "parse", "store", "disk")
        regions = re.findall(r"/userregion\?([^\s\"'>]+)", server.get("/userregions")[1])
        check(regions, "the regions' page has links")
        for region in regions:
            page("/userregion?" + region.replace("&amp;", "&"))
        page("/trace")
        page("/mmu")
        for query in ("", "?goid=1", "?taskid=1", "?focustask=1"):
            status, body = server.get("/jsontrace" + query)
            check(status == 200, "/jsontrace%s answers" % query)
            try:
                events = json.loads(body)["traceEvents"]
                check(len(events) > 10, "/jsontrace%s has events" % query)
            except (ValueError, KeyError) as error:
                check(False, "/jsontrace%s is JSON: %s: %s" % (query, error, body[:200]))
    finally:
        server.close()


def perfetto(folder):
    """What Perfetto's importer takes for granted of the format."""
    path = folder / "story.json"
    done = run([STORY, "--procs=2", "--trace=%s" % path])
    check(done.returncode == 0, "the story, for Perfetto: " + done.stderr)
    events = json.loads(path.read_text())["traceEvents"]
    slices, arrows, pairs, tracks = collections.defaultdict(list), {}, collections.Counter(), set()
    for event in events:
        phase = event["ph"]
        check(phase in "MXsfCbei", "a phase is one of the format's: %s" % event)
        if phase == "M":
            tracks.add((event["pid"], event.get("tid"), event["args"]["name"]))
            continue
        check(isinstance(event["ts"], (int, float)) and event["ts"] >= 0, "an event has a time: %s" % event)
        if phase == "X":
            check(event["dur"] >= 0, "a slice is not shorter than nothing: %s" % event)
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
        elif phase == "s":
            check(event["id"] not in arrows, "an arrow begins once")
            arrows[event["id"]] = event["ts"]
        elif phase == "f":
            check(event["id"] in arrows and event["ts"] >= arrows[event["id"]], "an arrow ends after its beginning")
        elif phase in "be":
            pairs[event["cat"], event["id"], event["name"]] += 1 if phase == "b" else -1
    for track, spans in slices.items():
        spans.sort()
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            check(begin >= end - 0.0015, "slices of one track follow each other: %s" % (track,))
    check(all(count == 0 for count in pairs.values()), "tasks and regions begin and end")
    check({(1, 0, "P0"), (1, 1, "P1")} <= tracks, "there is a track for each processor")
    goroutines = [name for pid, tid, name in tracks if pid == 2 and tid is not None]
    check(len(goroutines) >= 6 and any("worker" in name for name in goroutines), "and one for each goroutine")
    check(len(arrows) > 50, "wake-ups have arrows")


def main():
    if shutil.which("go") is None:
        print("skipped: no go (package golang-go)")
        return 0
    os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        every_page(folder)
        perfetto(folder)
        every_workload(folder)
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
