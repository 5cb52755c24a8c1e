#!/bin/sh
# rotate-log.sh PID   rotates $HEADWATER_LOG of the NGINX with this process id, until it ends
#
#   LOG_ROTATE_BYTES    at this size (256 MiB) …
#   LOG_ROTATE_SECONDS  … or this long after the last rotation (1 h)
#   LOG_KEEP_DAYS       rotated logs are deleted so many days after their last line (7): a shipper that stands still for
#                       longer loses them, so never less than what you need to notice and repair it. 0: never, for
#                       `headwater ship --prune` deletes what it has shipped
#
# By rename and USR1: workers write to the renamed file until they have opened the new one, and shippers follow both. The
# name is <log>-<UTC time>, which is where the shippers look for rotated logs.
set -eu
nginx=$1
rotate_bytes=${LOG_ROTATE_BYTES:-268435456}
rotate_seconds=${LOG_ROTATE_SECONDS:-3600}
keep_days=${LOG_KEEP_DAYS:-7}
every_seconds=${LOG_LOOK_SECONDS:-10}
folder=$(dirname "$HEADWATER_LOG")
rotated_at=$(date +%s)

rotate() {
  to="$HEADWATER_LOG-$(date -u +%Y%m%dT%H%M%SZ)"
  [ ! -e "$to" ] || return 0 # twice in one second: next time
  mv "$HEADWATER_LOG" "$to"
  kill -USR1 "$nginx"
  rotated_at=$(date +%s)
}

while kill -0 "$nginx" 2>/dev/null; do
  # Asked by healthy.sh. NGINX makes the run folder's pid file only when it is up; before that USR1 would end it.
  touch "$HEADWATER_RUN/rotate.alive"
  bytes=$(wc -c < "$HEADWATER_LOG" 2>/dev/null || echo 0)
  age=$(($(date +%s) - rotated_at))
  if [ -s "$HEADWATER_RUN/nginx.pid" ] && [ "$bytes" -gt 0 ]; then
    if [ "$bytes" -ge "$rotate_bytes" ] || [ "$age" -ge "$rotate_seconds" ]; then rotate; fi
  fi
  if [ "$keep_days" -gt 0 ]; then
    find "$folder" -maxdepth 1 -type f -name "$(basename "$HEADWATER_LOG")-*" -mtime "+$((keep_days - 1))" -delete
  fi
  sleep "$every_seconds"
done
