#!/usr/bin/env python3
"""Counts test cases in what `bazel test --build_event_json_file=FILE` wrote: count_tests.py FILE...

Prints "PASSED FAILED SKIPPED", summed over the files, and on standard error a line for each failure. A GoogleTest case
counts as one, and so does a test program that has no cases: Bazel writes a test.xml with a single one for it. A test
that did not build, did not start, timed out or crashed before it could write its cases counts as one failure.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree


def cases_of(result):
    """Yields (name, outcome) for each case in the test.xml of one run of one shard of one test."""
    for output in result.get("testActionOutput", []):
        if output["name"] != "test.xml":
            continue
        path = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except (OSError, xml.etree.ElementTree.ParseError):
            return  # cut short by what killed the test: its status says the rest
        for case in root.iter("testcase"):
            name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
            if case.find("failure") is not None or case.find("error") is not None:
                yield name, "failed"
            elif case.get("result") == "skipped" or case.find("skipped") is not None:
                yield name, "skipped"
            elif case.get("status") != "notrun":  # a DISABLED_ case
                yield name, "passed"


def count(path, totals):
    configured, finished = set(), set()
    with open(path, encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            identity = event["id"]
            if event.get("configured", {}).get("testSize"):
                configured.add(identity["targetConfigured"]["label"])
            if "testResult" not in event:
                continue
            label, result = identity["testResult"]["label"], event["testResult"]
            finished.add(label)
            outcomes = list(cases_of(result))
            if result["status"] not in ("PASSED", "FLAKY") and not any(o == "failed" for _, o in outcomes):
                outcomes.append(("the program: " + result["status"], "failed"))
            for name, outcome in outcomes:
                totals[outcome] += 1
                if outcome == "failed":
                    print(f"failed: {label} {name}", file=sys.stderr)
    for label in sorted(configured - finished):
        totals["failed"] += 1
        print(f"failed: {label} did not build or did not run", file=sys.stderr)


def main(paths):
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        count(path, totals)
    print(totals["passed"], totals["failed"], totals["skipped"])


if __name__ == "__main__":
    main(sys.argv[1:])
