#!/bin/sh
# A short soak. GYRE_SOAK_SECONDS and GYRE_SOAK_SEED, through --test_env, make it longer or another one.
set -e
soak=tests/stress/soak
$soak --seconds="${GYRE_SOAK_SECONDS:-15}" --slice_ms=150 --seed="${GYRE_SOAK_SEED:-1}"
# A name that there is not: a sentence and exit code 2.
status=0
text=$($soak --only=nothing 2>&1 >/dev/null) || status=$?
case "$status $text" in
  "2 soak: --only=nothing names no activity; there are: \"ping-pong\""*) ;;
  *) echo "exit code $status: $text"; exit 1 ;;
esac
