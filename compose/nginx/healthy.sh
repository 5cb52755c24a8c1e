#!/bin/sh
# Exit status 0: NGINX answers, and its log is being rotated.
set -eu
curl --fail --silent --max-time 3 --output /dev/null "http://127.0.0.1:${HEADWATER_LISTEN:-8000}/healthz"
run=${HEADWATER_RUN:-/run/headwater}
[ -n "$(find "$run/rotate.alive" -mmin -2)" ] || { echo 'rotate-log.sh has ended: the log is not rotated' >&2; exit 1; }
