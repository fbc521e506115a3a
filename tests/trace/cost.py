"""What tracing costs: skynet and ping-pong without it in the build, with it off, and with it on.

    bazel run //tests/trace:cost                    instructions, by callgrind
    bazel run //tests/trace:cost -- --time          times as well, medians of 9 runs, in turn
    bazel run //tests/trace:cost -- --time --runs=21
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PROGRAMS = {
    "left out of the build": HERE / "lab_without_tracing",
    "off": HERE / "lab_release",
    "on, to a file": HERE / "lab_release",
}
# workload, the parameter that says how much, a short and a long run for callgrind, one to be timed, what an operation is
WORKLOADS = [
    ("skynet", "leaves", 1000, 11000, 1000000, "leaf"),
    ("pingpong", "rounds", 5000, 55000, 1000000, "round trip"),
]


def command(variant, workload, parameter, amount, procs, folder):
    words = [str(PROGRAMS[variant]), "run", workload, "%s=%d" % (parameter, amount), "--procs=%d" % procs, "--seed=1",
             "--preemption=none"]
    if variant.startswith("on"):
        words.append("--trace=%s/trace" % folder)
    return words


def run(words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("failed: %s\n%s" % (" ".join(words), done.stdout))
    return done.stdout


def instructions(words, folder):
    """Those of all threads: beside the goroutines' there is the monitor's, which does next to nothing."""
    for old in pathlib.Path(folder).glob("callgrind*"):
        old.unlink()
    run(["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/callgrind" % folder] + words)
    total = 0
    for path in pathlib.Path(folder).glob("callgrind*"):
        found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M)
        total += int(found.group(1)) if found else 0
    return total


def table(heading, unit, rows):
    print("\n" + heading)
    print("  %-24s %14s %10s" % ("tracing", unit, "more"))
    base = rows["left out of the build"]
    for variant, value in rows.items():
        print("  %-24s %14.1f %9.1f%%" % (variant, value, 100 * (value / base - 1)))


def main(arguments):
    parser = argparse.ArgumentParser(prog="cost")
    parser.add_argument("--time", action="store_true", help="times as well: for a quiet machine")
    parser.add_argument("--runs", type=int, default=9, help="how often each is timed (9)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("valgrind") is None:
            print("skipped: instructions: no valgrind (package valgrind)")
        else:
            for workload, parameter, short, long, _, unit in WORKLOADS:
                rows = {}
                for variant in PROGRAMS:
                    counts = [instructions(command(variant, workload, parameter, amount, 1, folder), folder)
                              for amount in (short, long)]
                    rows[variant] = (counts[1] - counts[0]) / (long - short)
                table("%s, instructions a %s, one processor, callgrind" % (workload, unit), "instructions", rows)
        if not options.time:
            return 0
        for workload, parameter, _, _, amount, unit in WORKLOADS:
            times = {variant: [] for variant in PROGRAMS}
            for _ in range(options.runs):
                for variant in PROGRAMS:
                    result = json.loads(run(command(variant, workload, parameter, amount, 2, folder) + ["--json"]))
                    times[variant].append(result["figures"]["per_operation_ns"])
            table("%s, ns a %s, two processors, median of %d runs" % (workload, unit, options.runs), "ns",
                  {variant: statistics.median(values) for variant, values in times.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
