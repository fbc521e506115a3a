"""Instructions per operation, counted by callgrind, against the numbers in instructions.txt.

A regression guard without a clock. To accept new numbers: bazel run //tests/benchmarks:instructions_test -- --update
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
KNOWN = "instructions.txt"
TOLERANCE = 0.10
SLACK = 1  # an operation of a few instructions may gain one


def count():
    """{operation: instructions}, from the difference of two lengths, in the program's order."""
    with tempfile.TemporaryDirectory() as folder:
        # A dump for each thread: what the monitor does depends on time, and is left out.
        done = subprocess.run(["valgrind", "--tool=callgrind", "--separate-threads=yes",
                               "--callgrind-out-file=%s/out" % folder, str(HERE / "instructions_driver_release")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit("the driver failed under callgrind:\n" + done.stdout)
        threads = {}
        for path in pathlib.Path(folder).glob("out.*-*"):
            text = path.read_text()
            label = re.search(r"^desc: Trigger: Client Request: (\w+) (\d+)$", text, re.M)
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
            if label and total:
                number, thread = map(int, path.name[len("out."):].split("-"))
                threads.setdefault(thread, []).append(
                    (number, label.group(1), int(label.group(2)), int(total.group(1))))
    if not threads:
        sys.exit("callgrind dumped nothing:\n" + done.stdout)
    # The machine that runs the goroutines works for each dump; other threads now and then.
    machine = max(threads.values(), key=lambda dumps: (len(dumps), sum(dump[-1] for dump in dumps)))
    counts, before = {}, {}
    for _, name, length, total in sorted(machine):
        if name in before:
            counts[name] = (total - before[name][1]) / (length - before[name][0])
        before[name] = (length, total)
    return counts


def known():
    lines = [line.split("#")[0].split() for line in (HERE / KNOWN).read_text().splitlines()]
    return {line[0]: float(line[1]) for line in lines if line}


def update(counts):
    path = pathlib.Path(os.environ["BUILD_WORKSPACE_DIRECTORY"]) / "tests" / "benchmarks" / KNOWN
    heading = [line for line in path.read_text().splitlines() if line.startswith("#")] if path.exists() else []
    path.write_text("\n".join(heading + ["%-24s %6.1f" % item for item in counts.items()]) + "\n")


def main(arguments):
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind (package valgrind)")
        return 0
    counts = count()
    if arguments == ["--update"]:
        update(counts)
    expected = known()
    failures = []
    print("%-24s %10s %10s" % ("operation", "now", "known"))
    for name in dict.fromkeys(list(counts) + list(expected)):
        now, before = counts.get(name), expected.get(name)
        remark = ""
        if now is None or before is None:
            remark = "is in %s only" % ("the program" if before is None else KNOWN)
            failures.append("%s %s" % (name, remark))
        elif now > before * (1 + TOLERANCE) + SLACK:
            remark = "grew by %.0f %%" % (100 * (now / before - 1))
            failures.append("%s %s" % (name, remark))
        elif now < before * (1 - TOLERANCE) - SLACK:
            remark = "shrank: --update keeps it so"
        print("%-24s %10s %10s  %s" % (name, "-" if now is None else "%.1f" % now,
                                       "-" if before is None else "%.1f" % before, remark))
    if arguments == ["--update"]:
        return 0
    for failure in failures:
        print("FAILED: " + failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
