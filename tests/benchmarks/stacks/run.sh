#!/bin/bash
# The tables of docs/stacks.md: what stacks cost, under each allocator and in Go, in one run.
#   tests/benchmarks/stacks/run.sh [FOLDER]
# writes hotsplit-ALLOCATOR.csv (ns per call at each depth, to be plotted) into FOLDER, "." if there is none given. It builds the lab
# as users would (--config=release), and takes a few minutes. Without Go it says so and leaves those lines out.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
out="$(mkdir -p "${1:-.}" && cd "${1:-.}" && pwd)"
cd "$here/../../.."
./bazelw build --config=release //lab >&2
lab="$(./bazelw info --config=release bazel-bin 2>/dev/null)/lab/lab"

# figure FILE NAME: a figure of a run that was written as JSON.
figure() { python3 -c 'import json,sys
def find(x):
  if isinstance(x,dict):
    if sys.argv[2] in x and isinstance(x[sys.argv[2]],(int,float)): return x[sys.argv[2]]
    if x.get("name")==sys.argv[2]: return x["value"]
    x=list(x.values())
  if isinstance(x,list):
    for y in x:
      z=find(y)
      if z is not None: return z
print(find(json.load(open(sys.argv[1]))))' "$1" "$2"; }

result="$(mktemp)"
trap 'rm -f "$result"' EXIT
uname -sr
date -u +%FT%TZ
for stack in contiguous contiguous:grow=double fixed segmented; do
  name="$(printf %-12s "${stack/contiguous:grow=double/double}")"
  "$lab" run parked --stack="$stack" --json="$result" >/dev/null
  printf 'parked     %s %7.0f bytes each, created in %.0f ms, woken in %.0f ms\n' "$name" "$(figure "$result" each_bytes)" \
    "$(figure "$result" create_ns)e-6" "$(figure "$result" wake_ns)e-6"
  "$lab" run hotsplit csv="$out/hotsplit-${stack//[:=]/-}.csv" --stack="$stack" --procs=1 --json="$result" >/dev/null
  printf 'hotsplit   %s %7.2f ns a call at the worst depth, %.2f at the median\n' "$name" "$(figure "$result" edge_ns)" \
    "$(figure "$result" away_ns)"
  if [[ "$stack" != fixed ]]; then
    "$lab" run deepstack --stack="$stack" --json="$result" >/dev/null
    printf 'deepstack  %s %7.1f MiB grown in %.0f ms, %.1f MiB after %.0f ms parked\n' "$name" \
      "$(python3 -c "print($(figure "$result" grown_bytes)/2**20)")" "$(figure "$result" grow_ns)e-6" \
      "$(python3 -c "print($(figure "$result" parked_bytes)/2**20)")" "$(figure "$result" shrink_ns)e-6"
  fi
done
if command -v go >/dev/null; then
  GO111MODULE=off GOFLAGS= GOCACHE="${GOCACHE:-$out/go.cache}" go run "$here/stacks.go"
else
  echo "go: skipped, there is no go (package golang-go)"
fi
