#!/bin/sh
# bazelw, as the tests of the pages have it, with RUNFILES for what Bazel has built already:
#   run //a/b:c [-- WORDS]   runs the binary; with CHECK_ONLY set, asks it for help instead, which the lab gives if it
#                            knows all the flags that stand before --help
#   test, build              looks whether there is such a configuration, such a folder
set -eu

complain() {
  echo "no such thing: $*" >&2
  exit 1
}

verb="$1"
shift
case "$verb" in
run)
  package="${1#//}"
  shift
  case "$package" in
  *:*) binary="$(echo "$package" | tr : /)" ;;
  *) binary="$package/$(basename "$package")" ;;
  esac
  [ -x "$RUNFILES/$binary" ] || complain "$binary"
  if [ "$#" -gt 0 ]; then
    [ "$1" = -- ] || complain "$1"
    shift
  fi
  [ -z "${CHECK_ONLY:-}" ] || set -- "$@" --help
  exec "$RUNFILES/$binary" "$@"
  ;;
test | build)
  for word; do
    case "$word" in
    --config=*) grep -q "^build:${word#--config=} " "$RUNFILES/.bazelrc" || complain "$word" ;;
    --test_env=GYRE=*) GYRE="${word#--test_env=GYRE=}" "$RUNFILES/examples/mutex" >/dev/null || complain "$word" ;;
    //...) ;;
    //*/...)
      folder="${word#//}"
      [ -d "$RUNFILES/${folder%/...}" ] || complain "$word"
      ;;
    *) complain "$word" ;;
    esac
  done
  ;;
*) complain "$verb" ;;
esac
