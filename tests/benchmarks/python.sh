#!/bin/sh
# Runs NAME.py from the runfiles of the target NAME. Bazel's own py_binary and py_test start `python`, which Debian does
# not have.
root=${RUNFILES_DIR:-$0.runfiles}
exec python3 "$root/gyre/tests/benchmarks/$(basename "$0").py" "$@"
