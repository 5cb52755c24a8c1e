#!/bin/sh
# delete-old-logs.sh LOG   deletes LOG's rotated siblings so many days after their last line (LOG_KEEP_DAYS, 7; 0:
# never). For a gateway whose log Fluentd ships: neither of them deletes. A shipper that stands still for longer
# loses what it had not read.
set -eu
log=$1
keep_days=${LOG_KEEP_DAYS:-7}
while :; do
  touch "${TMPDIR:-/tmp}/delete-old-logs.alive" # asked by the health check
  if [ "$keep_days" -gt 0 ]; then
    find "$(dirname "$log")" -maxdepth 1 -type f \( -name "$(basename "$log").*" -o -name "$(basename "$log")-*" \) \
      -mtime "+$((keep_days - 1))" -delete
  fi
  sleep "${LOG_LOOK_SECONDS:-600}"
done
