#!/bin/sh
# Runs NAME.py from the runfiles of the target NAME (see tests/benchmarks/python.sh).
root=${RUNFILES_DIR:-$0.runfiles}
exec python3 "$root/gyre/tests/trace/$(basename "$0").py" "$@"
