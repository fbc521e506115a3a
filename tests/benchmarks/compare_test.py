"""The comparison's arithmetic and its manners, on programs that pretend."""

import contextlib
import io
import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

import compare


def pretend(folder, name, values, rows=("yield", "echo")):
    """A program whose k-th run of any row says values[k]; "hang" hangs and any other text is an error."""
    path = pathlib.Path(folder) / name
    path.write_text("""#!/bin/sh
[ "$1" = --list ] && { echo "%s"; exit 0; }
echo x >> "%s.runs"
case $(wc -l < "%s.runs") in
%s
esac
""" % ("\n".join(rows), path, path, "\n".join(
        "%d) %s ;;" % (i + 1, "exec sleep 60" if v == "hang" else "echo '%s' >&2; exit 1" % v if isinstance(v, str) else
                       """echo '{"peer":"%s","version":"7","row":"yield","threads":1,"metric":"ns","value":%g,"extra":{}}'"""
                       % (name, v)) for i, v in enumerate(values))))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class CompareTest(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContextManager(tempfile.TemporaryDirectory())
        os.environ["BUILD_WORKING_DIRECTORY"] = self.folder

    def enterContextManager(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def run_compare(self, *arguments):
        """Exit code, standard output, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = compare.main(["--peers_dir=" + self.folder, "--gyre=gyre"] + list(arguments))
            except SystemExit as end:
                code = end.code
        return code, out.getvalue(), err.getvalue()

    def cells(self, output, label):
        line = next(line for line in output.splitlines() if line.startswith("| " + label))
        return [cell.strip() for cell in line.strip("|").split("|")]

    def test_medians_and_the_median_of_ratios(self):
        pretend(self.folder, "gyre", [10, 20, 40])
        pretend(self.folder, "go", [100, 40, 60])
        code, out, _ = self.run_compare("--rows=yield", "--repeat=3", "--peers=go")
        self.assertEqual(code, 0)
        # Ratios 10, 2 and 1.5: the median is 2, and not 60 / 20.
        self.assertEqual(self.cells(out, "yield"),
                         ["yield between two tasks", "1", "ns a switch", "20 (10..40)", "60", "2", "18", "no"])
        self.assertIn("Behind Go: none.", out)
        self.assertIn("At the aim: 0 of 1.", out)

    def test_a_row_behind_go_is_named(self):
        pretend(self.folder, "gyre", [16])
        pretend(self.folder, "go", [8])
        _, out, _ = self.run_compare("--rows=yield", "--repeat=1", "--peers=go")
        self.assertEqual(self.cells(out, "yield")[-3:], ["0.5", "18", "yes"])
        self.assertIn("Behind Go: yield between two tasks, 1.", out)

    def test_where_more_is_better(self):
        pretend(self.folder, "gyre", [300000] * 2)
        pretend(self.folder, "go", [150000] * 2)
        _, out, _ = self.run_compare("--rows=echo", "--repeat=1", "--peers=go")
        self.assertEqual(self.cells(out, "TCP echo")[-3:], ["2", "250,000", "yes"])

    def test_part_of_the_work_meets_no_aim(self):
        pretend(self.folder, "gyre", [1])
        _, out, _ = self.run_compare("--rows=yield", "--repeat=1", "--peers=none", "--scale=0.1")
        self.assertEqual(self.cells(out, "yield")[-1], "-")

    def test_a_peer_that_fails_is_a_note(self):
        pretend(self.folder, "gyre", [1, 1])
        pretend(self.folder, "go", ["wrong sum", "wrong sum"])
        code, out, _ = self.run_compare("--rows=yield", "--repeat=2", "--peers=go")
        self.assertEqual(code, 0)
        self.assertEqual(self.cells(out, "yield")[4:6], ["failed", "-"])
        self.assertIn("Note: go yield (1 threads) failed: exit code 1: wrong sum.", out)

    def test_a_row_of_ours_that_fails_is_a_failure(self):
        pretend(self.folder, "gyre", ["lost a wake-up"])
        code, out, _ = self.run_compare("--rows=yield", "--repeat=1", "--peers=none")
        self.assertEqual(code, 1)
        self.assertIn("lost a wake-up", out)

    def test_a_run_that_hangs_is_killed(self):
        pretend(self.folder, "gyre", [1])
        pretend(self.folder, "go", ["hang"])
        code, out, _ = self.run_compare("--rows=yield", "--repeat=1", "--peers=go", "--timeout=0.5")
        self.assertEqual(code, 0)
        self.assertIn("was killed after 0.5 s", out)

    def test_a_row_that_gyre_lacks_is_named(self):
        pretend(self.folder, "gyre", [1], rows=["yield"])
        _, out, _ = self.run_compare("--rows=yield,echo", "--repeat=1", "--peers=none")
        self.assertIn("Gyre has no row yet: echo.", out)

    def test_a_peer_without_the_row(self):
        pretend(self.folder, "gyre", [1])
        pretend(self.folder, "tbb", [1], rows=["fib"])
        _, out, _ = self.run_compare("--rows=yield", "--repeat=1", "--peers=tbb")
        self.assertEqual(self.cells(out, "yield")[4], "-")

    def test_out_says_where_it_comes_from(self):
        pretend(self.folder, "gyre", [1])
        self.run_compare("--rows=yield", "--repeat=1", "--peers=none", "--out=table.md", "--json=all.json")
        text = (pathlib.Path(self.folder) / "table.md").read_text()
        for part in ("- Machine: ", "- Versions: gyre 7", "--rows=yield --repeat=1", "| yield between two tasks"):
            self.assertIn(part, text)
        self.assertIn('"figures": {"value": 1', (pathlib.Path(self.folder) / "all.json").read_text())

    def test_bad_arguments(self):
        for argument, words in (("--rows=nope", 'no row "nope"; the rows are chan_buffered'), ("--peers=erlang", "no peer"),
                                ("--repeat=0", "must be positive"), ("--scale=-1", "must be positive")):
            code, _, err = self.run_compare(argument)
            self.assertEqual(code, 2)
            self.assertIn(words, err)

    def test_every_line_can_be_told_from_the_others(self):
        lines = [(line.run, line.figure) for line in compare.table_lines.LINES]
        self.assertEqual(len(lines), len(set(lines)))


class RowsTest(unittest.TestCase):
    """gyre's own rows, each at a small part of its work: they check their answers themselves."""

    PROGRAM = str(pathlib.Path(__file__).parent / "rows_release")

    def run_rows(self, *arguments):
        return subprocess.run([self.PROGRAM] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_every_row_on_one_and_two_threads(self):
        for row in self.run_rows("--list").stdout.split():
            for threads in (1, 2):
                with self.subTest(row=row, threads=threads):
                    flags = ["--preemption=klt"] if row in ("hogs", "blocked") else []
                    done = self.run_rows("--row=" + row, "--threads=%d" % threads, "--scale=0.01", *flags)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIn('"peer":"gyre"', done.stdout)
                    self.assertIn('"row":"%s","threads":%d' % (row, threads), done.stdout)

    def test_bad_arguments(self):
        for arguments, words in ((["--row=nope"], 'no row "nope"; the rows are yield'), (["--row=yield", "--scale=0"], "positive"),
                                 (["--row=yield", "--threads=-1"], "positive"), (["--row=hogs", "--preemption=none"], "klt"),
                                 (["--row=blocked", "--threads=1"], "klt"),
                                 (["--row=service", "--dist=flat"], "extreme-bimodal"),
                                 (["--row=yield", "--scheduler=nope"], "unknown scheduler")):
            done = self.run_rows(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
