#!/bin/sh
# Builds the peers that this machine has the packages for: build.sh OUTDIR.
# Each becomes OUTDIR/NAME, and prints one line, "built NAME VERSION" or
# "skipped NAME: why". A failed build leaves OUTDIR/NAME.log. Fetches nothing.
#
# CXX names the C++ compiler, CARGO_REGISTRY the folder of crates' sources.

set -u
if [ $# -ne 1 ]; then
  echo "usage: build.sh OUTDIR" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd -P)
mkdir -p "$1" || exit 1
out=$(cd "$1" && pwd -P)
CXX=${CXX:-g++}
CARGO_REGISTRY=${CARGO_REGISTRY:-/usr/share/cargo/registry}

has() { command -v "$1" >/dev/null 2>&1; }

# finish NAME: says how the build of NAME went, from its exit status.
finish() {
  status=$?
  if [ $status -eq 0 ] && [ -x "$out/$1" ]; then
    rm -f "$out/$1.log"
    echo "built $1${2:+ $2}"
  else
    rm -f "$out/$1"
    echo "skipped $1: the build failed, see $out/$1.log"
  fi
}

# has_header FILE: the C++ compiler finds it.
has_header() {
  echo "#include <$1>" | "$CXX" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null
}

build_go() {
  has go || { echo "skipped go: no go (package golang-go)"; return; }
  (cd "$here/go" && GO111MODULE=off GOFLAGS= GOPATH="$out/go.path" \
    GOCACHE="$out/go.cache" go build -o "$out/go" .) >"$out/go.log" 2>&1
  finish go "$(go version | awk '{print $3}' | sed 's/^go//')"
}

# build_cxx NAME HEADER PACKAGE LIBRARY...
build_cxx() {
  name=$1 header=$2 package=$3
  shift 3
  has "$CXX" || { echo "skipped $name: no $CXX"; return; }
  has_header "$header" ||
    { echo "skipped $name: no <$header> (package $package)"; return; }
  "$CXX" -std=c++20 -O3 -DNDEBUG -o "$out/$name" "$here/$name/$name.cc" "$@" \
    >"$out/$name.log" 2>&1
  finish "$name" "$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)"
}

build_tokio() {
  has cargo || { echo "skipped tokio: no cargo"; return; }
  has rustc || { echo "skipped tokio: no rustc"; return; }
  ls -d "$CARGO_REGISTRY"/tokio-1.* >/dev/null 2>&1 ||
    { echo "skipped tokio: no tokio in $CARGO_REGISTRY (package librust-tokio-dev)"; return; }
  # Built from a copy, because cargo writes Cargo.lock beside Cargo.toml.
  rm -rf "$out/tokio.src" && mkdir -p "$out/tokio.src" &&
    cp -RL "$here/tokio/Cargo.toml" "$here/tokio/src" "$out/tokio.src" &&
    (cd "$out/tokio.src" && CARGO_TARGET_DIR="$out/tokio.target" \
      CARGO_HOME="$out/tokio.cargo" cargo build --release --offline \
      --config 'source.crates-io.replace-with="installed"' \
      --config "source.installed.directory=\"$CARGO_REGISTRY\"") \
      >"$out/tokio.log" 2>&1 &&
    cp "$out/tokio.target/release/peer" "$out/tokio"
  finish tokio "$(basename "$(ls -d "$CARGO_REGISTRY"/tokio-1.* | head -n 1)" |
    sed 's/^tokio-//')"
}

build_go
build_cxx boost_fiber boost/fiber/all.hpp libboost-fiber-dev \
  -lboost_fiber -lboost_context -pthread
build_tokio
build_cxx tbb tbb/task_group.h libtbb-dev -ltbb
