"""Each row has a test of its name, or says what there is instead, and is on the page docs/conformance.md."""

import os
import sys
import unittest

ROOT = sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "tools"))
import conformance  # noqa: E402


def sources():
    for folder, _, names in os.walk("tests"):
        for name in names:
            if name.endswith("_test.cc"):
                yield os.path.join(folder, name)


class RowsTest(unittest.TestCase):
    def setUp(self):
        os.chdir(ROOT)
        self.rows = conformance.read_rows("tests/conformance/rows.txt")
        self.strays = conformance.find_tests(self.rows, sources())

    def test_every_row_has_a_test_or_a_reason(self):
        missing = [row.id for row in self.rows if not row.tests and not row.instead and not row.open]
        self.assertEqual(missing, [], "no test is named after these rows")

    def test_no_test_is_named_after_a_row_that_is_not_there(self):
        self.assertEqual(self.strays, [])

    def test_rows_are_all_there_once(self):
        self.assertEqual(len(self.rows), 254 + 22)
        self.assertEqual(len({row.id for row in self.rows}), len(self.rows))

    def test_every_row_is_on_the_page(self):
        with open("docs/conformance.md", encoding="utf-8") as file:
            page = file.read()
        missing = [row.id for row in self.rows if "| %s | %s" % (row.id, row.text) not in page]
        self.assertEqual(missing, [], "run tools/conformance.py again")


if __name__ == "__main__":
    unittest.main()
