#!/bin/sh
# Fuzzes with libFuzzer: tests/fuzz/run.sh config|spec|options [libFuzzer's flags, -max_total_time=60 for instance].
# Needs Debian's clang and libclang-rt-14-dev. What it finds of interest is kept in /tmp/gyre-fuzz-NAME.
set -e
cd "$(dirname "$0")/../.."
name=$1
case "$name" in
  config | spec | options) shift ;;
  *) echo "usage: tests/fuzz/run.sh config|spec|options [FLAG...]" >&2; exit 2 ;;
esac
if ! command -v clang++ >/dev/null; then
  echo "tests/fuzz/run.sh needs clang++ (apt-get install clang libclang-rt-14-dev)" >&2
  exit 2
fi
work=/tmp/gyre-fuzz-$name
mkdir -p "$work"
clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. "tests/fuzz/${name}_fuzz.cc" plugins/config.cc plugins/options.cc \
  plugins/spec.cc $(pkg-config --cflags --libs absl_status absl_statusor absl_strings absl_str_format absl_time) -o "$work/fuzz"
mkdir -p "$work/corpus"
exec "$work/fuzz" "$@" "$work/corpus" tests/fuzz/corpus
