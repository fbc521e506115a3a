"""Runs the rows of gyre and of the peers in turn, several times, and prints one table.

  bazel run //tests/benchmarks:compare -- [--rows=yield,fib] [--repeat=N] [--scale=F] [--out=FILE.md]

Every round runs each row on every program, so that a machine which slows down slows all of them; a ratio is the median
of the rounds' ratios. One program runs at a time. Peers that cannot be built here are named, and left out.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import table_lines

HERE = pathlib.Path(__file__).parent
PEERS = ["go", "boost_fiber", "tokio", "tbb"]
TITLES = {"go": "Go", "boost_fiber": "Boost.Fiber", "tokio": "Tokio", "tbb": "TBB"}

# The share of an open loop's requests that may be sent late before the queue only grows.
LATE = 0.2


def fail(sentence):
    print("compare: " + sentence, file=sys.stderr)
    sys.exit(2)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="compare", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", default="", help="the rows to run, with commas between (default: all)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (5)")
    parser.add_argument("--scale", type=float, default=1, help="share of the work (1)")
    parser.add_argument("--out", default="", help="a Markdown file for the table, with machine, date and command")
    parser.add_argument("--json", default="", help="a file for every single result, one line of JSON each")
    parser.add_argument("--peers", default=",".join(PEERS), help="the peers to run, with commas between; 'none'")
    parser.add_argument("--peers_dir", default="", help="where the peers are, or will be, built (default: a new folder)")
    parser.add_argument("--gyre", default="", help="the program of gyre's rows (default: the one built with this)")
    parser.add_argument("--gyre_flags", default="", help="flags for gyre in every row, such as '--stack=fixed'")
    parser.add_argument("--timeout", type=float, default=180, help="seconds that a run may take (180)")
    options = parser.parse_args(arguments)
    if options.repeat < 1 or options.scale <= 0 or options.timeout <= 0:
        fail("--repeat, --scale and --timeout must be positive")
    known = sorted({line.run.row for line in table_lines.LINES})
    options.rows = [row for row in options.rows.split(",") if row]
    for row in options.rows:
        if row not in known:
            fail('no row "%s"; the rows are %s' % (row, ", ".join(known)))
    options.peers = [peer for peer in options.peers.split(",") if peer not in ("", "none")]
    for peer in options.peers:
        if peer not in PEERS:
            fail('no peer "%s"; the peers are %s' % (peer, ", ".join(PEERS)))
    return options


def user_path(text):
    """Under `bazel run` the working directory is Bazel's; a file goes where the user is."""
    return pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / text


class Program:
    """A program with rows. `rows` is what it lists."""

    def __init__(self, name, path):
        self.name = name
        self.path = str(path)
        self.version = ""
        listed = subprocess.run([self.path, "--list"], stdout=subprocess.PIPE, text=True, check=True)
        self.rows = set(listed.stdout.split())

    def command(self, run, scale, gyre_flags):
        own = list(run.flags) + gyre_flags if self.name == "gyre" else []
        asked = [self.path, "--row=" + run.row, "--threads=%d" % run.threads, "--scale=%g" % scale]
        return asked + list(run.arguments) + own

    def has(self, run):
        # A variant is gyre's: the peers run such a row once, under its first variant.
        return run.row in self.rows


def build_peers(options, folder):
    """Builds what can be built. Returns the programs, and a line for each peer."""
    wanted = options.peers
    if not wanted:
        return [], []
    if all(os.access(folder / peer, os.X_OK) for peer in wanted):
        said = ["%s was built before" % peer for peer in wanted]
    else:
        print("building the peers ...", file=sys.stderr)
        built = subprocess.run(["sh", str(HERE / "peers" / "build.sh"), str(folder)], stdout=subprocess.PIPE, text=True)
        said = [line for line in built.stdout.splitlines() if line.split()[1].rstrip(":") in wanted]
    return [Program(peer, folder / peer) for peer in wanted if os.access(folder / peer, os.X_OK)], said


def available_gb():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1e6
    return math.inf


def affordable(program, run, scale, notes):
    """The scale at which the run fits into the memory that is free, with a fifth to spare."""
    needed = table_lines.NEEDS_GB.get((program.name, run.row), 0) * 1.2
    while needed * scale > available_gb() and scale > 1e-3:
        scale /= 2
        notes.add("%s %s ran at %g of the work for want of memory; its times are extrapolated" %
                  (program.name, run.row, scale))
    return scale


def run_once(program, run, options, notes):
    """The figures of one run, or None."""
    scale = affordable(program, run, options.scale, notes)
    command = program.command(run, scale, options.gyre_flags)
    environment = {key: value for key, value in os.environ.items() if key != "GYRE"}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=options.timeout, env=environment)
    except subprocess.TimeoutExpired:
        notes.add("%s %s (%d threads) was killed after %g s" % (program.name, run.row, run.threads, options.timeout))
        return None
    try:
        if done.returncode != 0:
            raise ValueError("exit code %d: %s" % (done.returncode, (done.stderr.strip().splitlines() or [""])[0]))
        result = json.loads(done.stdout)
    except ValueError as error:
        notes.add("%s %s (%d threads) failed: %s" % (program.name, run.row, run.threads, error))
        return None
    program.version = result["version"]
    figures = dict(result["extra"], value=result["value"])
    if figures.get("sent_late", 0) > LATE * figures.get("requests", 1):
        notes.add("%s %s: requests were sent late, so the row says nothing: it needs the machine for itself" %
                  (program.name, run.row))
    if scale != options.scale:
        key, full = table_lines.AMOUNT[run.row]
        share = figures[key] / (full * options.scale)
        for row, figure in table_lines.PROPORTIONAL:
            if row == run.row:
                figures[figure] /= share
    return figures


def run_all(programs, runs, options, notes):
    """{(program, run): [figures or None, a round each]}. What failed once is not tried again."""
    jobs = []
    for run in runs:
        for program in programs:
            if program.has(run) and (program.name == "gyre" or run == first_of(run, runs)):
                jobs.append((program, run))
    results = {(program.name, run): [] for program, run in jobs}
    order = random.Random(1)
    total, number = len(jobs) * options.repeat, 0
    raw = open(user_path(options.json), "w") if options.json else None
    for turn in range(options.repeat):
        for run in runs:
            batch = [job for job in jobs if job[1] == run]
            order.shuffle(batch)
            for program, _ in batch:
                number += 1
                samples = results[program.name, run]
                if samples and all(sample is None for sample in samples):
                    samples.append(None)
                    continue
                if sys.stderr.isatty():
                    print("\r\033[K[%d/%d] %s, %d threads: %s" % (number, total, run.row, run.threads, program.name),
                          end="", file=sys.stderr, flush=True)
                figures = run_once(program, run, options, notes)
                samples.append(figures)
                if raw and figures:
                    raw.write(json.dumps({"program": program.name, "row": run.row, "variant": run.variant,
                                          "arguments": run.arguments, "threads": run.threads, "round": turn,
                                          "figures": figures}) + "\n")
                    raw.flush()
        if not sys.stderr.isatty():
            print("round %d of %d done" % (turn + 1, options.repeat), file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return results


def first_of(run, runs):
    """The variant under which the peers run this row."""
    same = (run.row, run.threads, run.arguments)
    return next(other for other in runs if (other.row, other.threads, other.arguments) == same)


def number_text(value):
    if value >= 1000:
        return "{:,.0f}".format(value)
    return "%.3g" % value if value < 100 else "%.0f" % value


class TableRow:
    """A line with what was measured for it."""

    def __init__(self, line, results, runs, full_scale):
        self.line = line
        self.full_scale = full_scale
        self.samples = {}
        for name, run in results:
            if run == (line.run if name == "gyre" else first_of(line.run, runs)):
                self.samples[name] = [figures and figures.get(line.figure) for figures in results[name, run]]

    def values(self, name):
        return [value for value in self.samples.get(name, []) if value is not None]

    def median(self, name):
        return statistics.median(self.values(name)) if self.values(name) else None

    def ratio_to(self, name):
        """How many times better gyre is than `name`: the median over the rounds."""
        ratios = [(mine / other if self.line.kind == "rate" else other / mine)
                  for mine, other in zip(self.samples.get("gyre", []), self.samples.get(name, []))
                  if mine and other]
        return statistics.median(ratios) if ratios else None

    def at_aim(self):
        mine = self.median("gyre")
        if mine is None or self.line.aim is None or not self.full_scale:
            return None
        return mine >= self.line.aim if self.line.kind == "rate" else mine <= self.line.aim

    def cells(self, peers):
        mine = self.values("gyre")
        gyre = "failed"
        if mine:
            gyre = number_text(statistics.median(mine))
            if len(mine) > 1:
                gyre += " (%s..%s)" % (number_text(min(mine)), number_text(max(mine)))
        others = []
        for peer in peers:
            value = self.median(peer)
            others.append(number_text(value) if value is not None else "failed" if peer in self.samples else "-")
        ratio = self.ratio_to("go")
        aim = "-" if self.line.aim is None else number_text(self.line.aim)
        return ([self.line.label, str(self.line.run.threads), self.line.unit, gyre] + others +
                ["-" if ratio is None else "%.2g" % ratio if ratio < 10 else "%.0f" % ratio, aim,
                 {True: "yes", False: "no", None: "-"}[self.at_aim()]])


def render(rows, peers):
    """The table, its columns aligned."""
    cells = [["row", "threads", "unit", "gyre (spread)"] + [TITLES[peer] for peer in peers] +
             ["x Go", "aim", "met"]]
    cells += [row.cells(peers) for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    left = {0, 2}

    def text(line):
        padded = [cell.ljust(width) if i in left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(line, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ("-" if i in left else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([text(cells[0]), rule] + [text(line) for line in cells[1:]])


def summary(rows):
    sentences = []
    for kind, what in (("time", "time"), ("latency", "latency")):
        ratios = [row.ratio_to("go") for row in rows if row.line.kind == kind and row.ratio_to("go")]
        if ratios:
            mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
            sentences.append("%s lines: %.2f times as good as Go (geometric mean of %d)." %
                             (what.capitalize(), mean, len(ratios)))
    behind = ["%s, %d" % (row.line.label, row.line.run.threads) for row in rows if (row.ratio_to("go") or 1) < 1]
    sentences.append("Behind Go: %s." % ("; ".join(behind) if behind else "none"))
    aimed = [row.at_aim() for row in rows if row.at_aim() is not None]
    if aimed:
        sentences.append("At the aim: %d of %d." % (sum(aimed), len(aimed)))
    return sentences


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal:"))
    return "%s, %d CPUs, %.0f GB, Linux %s; load when it began %.1f" % (
        model, len(os.sched_getaffinity(0)), memory / 1e6, platform.release(), os.getloadavg()[0])


def commit():
    """The commit that is checked out, and whether the files differ from it. Asked for before the first run."""
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not workspace:
        return ""

    def git(*words):
        return subprocess.run(["git", "-C", workspace] + list(words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout.strip()

    head = git("rev-parse", "--short", "HEAD")
    return head and " at %s%s" % (head, " with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def main(arguments):
    options = parse_arguments(arguments)
    options.gyre_flags = shlex.split(options.gyre_flags)
    began, on, source = time.strftime("%Y-%m-%d %H:%M"), machine(), commit()
    with tempfile.TemporaryDirectory(prefix="gyre_peers_") as temporary:
        folder = user_path(options.peers_dir) if options.peers_dir else pathlib.Path(temporary)
        gyre = Program("gyre", user_path(options.gyre) if options.gyre else HERE / "rows_release")
        peers, said = build_peers(options, folder)
        for line in said:
            print(line, flush=True)
        lines = [line for line in table_lines.LINES if not options.rows or line.run.row in options.rows]
        lacking = sorted({line.run.row for line in lines} - gyre.rows)
        lines = [line for line in lines if line.run.row in gyre.rows]
        runs = list(dict.fromkeys(line.run for line in lines))
        notes = set()
        results = run_all([gyre] + peers, runs, options, notes)
    rows = [TableRow(line, results, runs, options.scale == 1) for line in lines]
    versions = ["gyre %s%s" % (gyre.version, source)]
    versions += ["%s %s" % (TITLES[peer.name], peer.version) for peer in peers if peer.version]
    report = [
        render(rows, [peer.name for peer in peers]), "",
        "Medians of %d rounds%s; `x Go`: how many times as good as Go, the median of the rounds' ratios." %
        (options.repeat, "" if options.scale == 1 else " at %g of the work" % options.scale)
    ] + summary(rows)
    report += ["Gyre has no row yet: %s." % ", ".join(lacking)] if lacking else []
    report += ["Note: %s." % note for note in sorted(notes)]
    print("\n" + "\n".join(report))
    if options.out:
        heading = ["# Comparison of %s" % began, "",
                   "- Machine: %s" % on,
                   "- Versions: %s" % ", ".join(versions),
                   "- Command: `bazel run //tests/benchmarks:compare -- %s`" % " ".join(map(shlex.quote, arguments)),
                   "- Peers: %s" % ("; ".join(said) or "none"), ""]
        user_path(options.out).write_text("\n".join(heading + report) + "\n")
    # A row of ours that failed is a failure; a peer's is a note.
    return 1 if any(not row.values("gyre") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
