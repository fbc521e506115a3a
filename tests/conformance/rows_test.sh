#!/bin/sh
# Bazel's own py_test starts `python`, which Debian does not have.
root=${RUNFILES_DIR:-$0.runfiles}/gyre
exec python3 "$root/tests/conformance/rows_test.py" "$root"
