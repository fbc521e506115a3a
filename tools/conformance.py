#!/usr/bin/env python3
"""Makes docs/conformance.md: each row of tests/conformance/rows.txt with the tests that are named after it, and their results.

  tools/conformance.py [--results=FOLDER] [--configuration=TEXT] > docs/conformance.md

In the repository's root. --results is where `bazel test` left its test.xml files (bazel-testlogs); without it no results are
shown. --configuration says what they were obtained with. tests/conformance/rows_test checks rows, tests and page against each
other with the functions below.
"""

import argparse
import datetime
import glob
import os
import re
import sys
import xml.etree.ElementTree

ROW = re.compile(r"^([A-Z]{2}-\d\d|P\d\d) ([SDIXEP]) (.*)$")
TEST = re.compile(r"^(?:GYRE_TEST\w*|TEST|TEST_P|TEST_F)\(\s*(\w+),\s*((?:[A-Z]{2}_\d\d|P\d\d)_\w+)", re.M)
KINDS = {"S": "language", "D": "documented", "I": "implementation", "X": "experimental", "E": "for C++", "P": "program"}
AREAS = {
    "GR": "Goroutines", "SC": "Fairness and progress", "PR": "Preemption", "SY": "Blocking", "UC": "Unbuffered channels",
    "BC": "Buffered channels", "CL": "Close", "NL": "Nil channels", "SE": "Select", "TM": "Timers", "MU": "Mutex",
    "RW": "RWMutex", "WG": "WaitGroup", "CO": "Cond", "ON": "Once", "PM": "Pool and Map", "XS": "Semaphore, ErrGroup",
    "CX": "Context", "PN": "Panics", "DL": "Deadlock", "LK": "Leaks", "OB": "Observation", "ST": "Stacks",
    "VT": "Virtual time", "RS": "Stress", "P": "Whole programs",
}


class Row:
    def __init__(self, line):
        match = ROW.match(line)
        if match is None:
            raise ValueError("not a row: " + line)
        self.id, self.kind, rest = match.groups()
        rest, _, self.open = rest.partition(" | open: ")
        self.text, _, self.instead = rest.partition(" | instead: ")
        self.tests = []  # (file, suite, name)

    def area(self):
        return self.id.partition("-")[0] if "-" in self.id else "P"


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        return [Row(line.rstrip("\n")) for line in file if line.strip() and not line.startswith("#")]


def find_tests(rows, sources):
    """Gives each row its tests. Returns those that are named after no row."""
    by_id = {row.id: row for row in rows}
    strays = []
    for path in sorted(sources):
        with open(path, encoding="utf-8") as file:
            for suite, name in TEST.findall(file.read()):
                found = re.match(r"([A-Z]{2})_(\d\d)_|(P\d\d)_", name)
                row = by_id.get(found.group(3) or found.group(1) + "-" + found.group(2))
                if row is None:
                    strays.append(path + ": " + name)
                else:
                    row.tests.append((path, suite, name))
    return strays


def read_results(folder):
    """(suite, name) -> [passed, failed, skipped], over all shards and parameters."""
    results = {}
    for path in glob.glob(os.path.join(folder, "**", "test.xml"), recursive=True):
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except xml.etree.ElementTree.ParseError:
            continue
        for case in root.iter("testcase"):
            suite = (case.get("classname") or "").rpartition("/")[2]
            name = (case.get("name") or "").partition("/")[0]
            counts = results.setdefault((suite, name), [0, 0, 0])
            if case.find("failure") is not None or case.find("error") is not None:
                counts[1] += 1
            elif case.get("result") == "skipped" or case.find("skipped") is not None:
                counts[2] += 1
            elif case.get("status") != "notrun":
                counts[0] += 1
    return results


def result_of(row, results):
    if not row.tests:
        return "open" if row.open else "differs" if row.instead else "no test"
    if results is None:
        return ""
    total = [0, 0, 0]
    for _, suite, name in row.tests:
        for i, n in enumerate(results.get((suite, name), [0, 0, 0])):
            total[i] += n
    if total[1]:
        return "failed"
    if total[0]:
        return "passed"
    return "skipped" if total[2] else "not run"


def cells(row):
    """What the page says of a row besides its result."""
    text = row.text
    if row.instead:
        text += ". *Instead:* " + row.instead
    if row.open and not row.tests:
        text += ". *Open:* " + row.open
    tests = "<br>".join("[%s](../%s)" % (name, path) for path, _, name in row.tests)
    return "| %s | %s | %s |" % (row.id, text, tests)


def page(rows, results, configuration):
    counts = {}
    for row in rows:
        counts[result_of(row, results)] = counts.get(result_of(row, results), 0) + 1
    lines = [
        "# Conformance",
        "",
        "What a Go programmer relies on, row by row, with the tests that are named after each. Written by",
        "[tools/conformance.py](../tools/conformance.py) from [rows.txt](../tests/conformance/rows.txt), the tests and their",
        "results; [rows_test](../tests/conformance/rows_test.py) fails where a row has no test, or is not on this page. A",
        "GYRE_TEST runs under every configuration of its matrix",
        "([runtime_test.h](../tests/testing/runtime_test.h)): passed means under all of them.",
        "",
        "%d rows: %s." % (len(rows), ", ".join("%d %s" % (n, what) for what, n in sorted(counts.items()) if what)),
        "\"differs\": C++ or gyre does not have it; the row says why and what there is instead.",
    ]
    if configuration:
        lines += ["", configuration]
    area = None
    for row in rows:
        if row.area() != area:
            area = row.area()
            lines += ["", "## " + AREAS[area], "", "| ID | Behaviour | Tests | Result |", "|---|---|---|---|"]
        lines.append(cells(row) + " %s |" % result_of(row, results))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", help="folder with test.xml files")
    parser.add_argument("--configuration", default="", help="what the results were obtained with")
    options = parser.parse_args()
    rows = read_rows("tests/conformance/rows.txt")
    strays = find_tests(rows, glob.glob("tests/*/*_test.cc"))
    if strays:
        sys.exit("named after no row: " + ", ".join(strays))
    results = read_results(options.results) if options.results else None
    sys.stdout.write(page(rows, results, options.configuration))


if __name__ == "__main__":
    main()
