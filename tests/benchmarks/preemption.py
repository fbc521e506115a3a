"""What preemption gives and takes, by strategy and quantum, beside Go: bazel run //tests/benchmarks:preemption.

Four tables. In each round everything runs once, in turn; a cell is the median of the rounds.
1. Lateness of 1,000 sleeps of 1 ms beside four tasks in for(;;), on two processors.
2. Slowdowns of an open-loop service at several loads.
3. The time that eight computing tasks take, and how much of it is preemption: against the same with --preemption=none.
4. 200 blocking calls of 100 ms beside a task that computes.
"""

import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import compare

STRATEGIES = ["klt:quantum=100us,force=on", "klt:quantum=200us", "klt:quantum=1ms", "klt", "signal:quantum=50us,force=on",
              "signal:quantum=100us,force=on", "signal:quantum=1ms", "signal"]
GO = "Go"


def run(program, arguments):
    """The JSON line of one run, or None with the program's words on stderr."""
    try:
        done = subprocess.run([str(program)] + arguments, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        print("%s %s: took more than 300 s" % (program.name, shlex.join(arguments)), file=sys.stderr)
        return None
    if done.returncode != 0:
        print("%s %s: %s" % (program.name, shlex.join(arguments), done.stderr.strip()), file=sys.stderr)
        return None
    result = json.loads(done.stdout.strip().splitlines()[-1])
    return dict(result["extra"], value=result["value"])


def median(results, figure):
    values = [result[figure] for result in results if result is not None and figure in result]
    return statistics.median(values) if values else None


def cell(value):
    if value is None:
        return "-"
    return "%.0f" % value if value >= 100 else "%.3g" % value


def table(heading, rows):
    widths = [max(len(row[i]) for row in [heading] + rows) for i in range(len(heading))]
    line = lambda row: "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
    return "\n".join([line(heading), "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + [line(row) for row in rows])


class Runs:
    """Everything that is to be run, keyed by (table, what, under)."""

    def __init__(self, gyre, go):
        self.programs = {GO: go}
        self.gyre = gyre
        self.wanted = []
        self.results = {}

    def add(self, key, under, arguments):
        if under == GO and self.programs[GO] is None:
            return
        self.wanted.append(((key, under), under, arguments))

    def round(self):
        for key, under, arguments in self.wanted:
            if under == GO:
                result = run(self.programs[GO], arguments)
            else:
                result = run(self.gyre, arguments + ["--preemption=" + under])
            self.results.setdefault(key, []).append(result)

    def figure(self, key, under, figure):
        return median(self.results.get((key, under), []), figure)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--scale", type=float, default=0.2, help="of the peers' full amount of work, 10 s of service for one")
    parser.add_argument("--quick", action="store_true", help="one load, two strategies: to see that it works")
    parser.add_argument("--out", help="a file for the tables")
    parser.add_argument("--peers_dir", help="where build.sh has built the peers already")
    options = parser.parse_args(arguments)
    if options.repeat < 1 or options.scale <= 0:
        parser.error("--repeat and --scale must be positive")
    strategies = ["klt:quantum=1ms", "signal:quantum=1ms"] if options.quick else STRATEGIES
    loads = [0.6] if options.quick else [0.2, 0.4, 0.6, 0.8]
    began = time.strftime("%Y-%m-%d %H:%M")
    with tempfile.TemporaryDirectory(prefix="gyre_peers_") as temporary:
        folder = pathlib.Path(options.peers_dir or temporary)
        if not options.peers_dir:
            subprocess.run(["sh", str(compare.HERE / "peers" / "build.sh"), str(folder)], check=True)
        go = folder / "go"
        if not go.exists():
            print("No Go here: its columns are missing.")
            go = None
        runs = Runs(compare.HERE / "rows_release", go)
        scale = "--scale=%g" % options.scale
        everybody = ["none", "cooperative"] + strategies
        for under in strategies + [GO]:
            runs.add("hogs", under, ["--row=hogs", "--threads=2", "--scale=%g" % (options.scale * 10 if not options.quick else 0.2)])
        for dist in ["extreme-bimodal", "high-bimodal"]:
            for load in loads:
                for under in everybody + [GO]:
                    runs.add((dist, load), under,
                             ["--row=service", "--threads=2", scale, "--dist=" + dist, "--load=%g" % load])
        for under in everybody:
            runs.add("compute", under, ["--row=compute", "--threads=2", scale])
            runs.add("blocked", under, ["--row=blocked", "--threads=2", "--scale=1"])
        for number in range(options.repeat):
            print("round %d of %d" % (number + 1, options.repeat), flush=True)
            runs.round()

    sections = []
    rows = [[under] + [cell(runs.figure("hogs", under, figure)) for figure in ["value", "lateness_p99_ms"]]
            for under in strategies + [GO]]
    sections.append("Sleeps of 1 ms beside four hogs: late by, ms\n\n" + table(["strategy", "p50", "p99"], rows))
    for dist in ["extreme-bimodal", "high-bimodal"]:
        rows = []
        for under in everybody + [GO]:
            row = [under]
            for load in loads:
                row += [cell(runs.figure((dist, load), under, "slowdown_" + which)) for which in ["p50", "p99", "p999"]]
            rows.append(row)
        heading = ["strategy"] + ["%g %% %s" % (load * 100, which) for load in loads for which in ["p50", "p99", "p99.9"]]
        sections.append("service, %s: slowdown\n\n" % dist + table(heading, rows))
    alone = runs.figure("compute", "none", "value")
    rows = []
    for under in everybody:
        ms = runs.figure("compute", under, "value")
        share = None if ms is None or not alone else 100 * (ms - alone) / ms
        rows.append([under, cell(ms), cell(runs.figure("compute", under, "preemptions")),
                     "-" if share is None else "%.1f" % share])
    sections.append("Eight tasks that compute\n\n" + table(["strategy", "ms", "preemptions", "of the time, %"], rows))
    rows = [[under] + [cell(runs.figure("blocked", under, figure)) for figure in ["value", "hog_share"]]
            for under in everybody]
    sections.append("200 blocking calls of 100 ms\n\n" + table(["strategy", "ms", "hog's share of a processor"], rows))
    text = "\n\n".join(sections)
    print("\n" + text)
    if options.out:
        heading = ["# Preemption, %s" % began, "", "- Machine: %s" % compare.machine(),
                   "- Version: gyre%s" % compare.commit(),
                   "- Command: `bazel run //tests/benchmarks:preemption -- %s`, medians of %d rounds" %
                   (shlex.join(arguments), options.repeat), ""]
        compare.user_path(options.out).write_text("\n".join(heading) + "\n" + text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
