#!/bin/sh
# Fills in nginx.conf.template and becomes NGINX; a process beside it rotates the log as long as NGINX lives.
# Beside the variables of the template: LOG_ROTATE_BYTES, LOG_ROTATE_SECONDS, LOG_KEEP_DAYS (rotate-log.sh).
set -eu
here=$(dirname "$0")

export HEADWATER_CONF="${HEADWATER_CONF:-/etc/headwater/nginx}"
export HEADWATER_LISTEN="${HEADWATER_LISTEN:-8000}"
export HEADWATER_LOG="${HEADWATER_LOG:-/var/log/headwater/access.log}"
export HEADWATER_RUN="${HEADWATER_RUN:-/run/headwater}"
export HEADWATER_STATUS="${HEADWATER_STATUS:-127.0.0.1:8081}"
export HEADWATER_GATEWAY="${HEADWATER_GATEWAY:-gateway:8000}"
export HEADWATER_RESOLVER="${HEADWATER_RESOLVER:-127.0.0.11}" # Docker's own

# Only these: $request and its like are NGINX's.
names='${HEADWATER_CONF} ${HEADWATER_LISTEN} ${HEADWATER_LOG} ${HEADWATER_RUN} ${HEADWATER_STATUS} ${HEADWATER_GATEWAY} ${HEADWATER_RESOLVER}'
envsubst "$names" < "$here/nginx.conf.template" > "$HEADWATER_RUN/nginx.conf"
# A socket that a killed NGINX left behind would be "Address already in use".
rm -f "$HEADWATER_RUN/inner.sock"

sh "$here/rotate-log.sh" $$ &
exec nginx -c "$HEADWATER_RUN/nginx.conf" -e stderr -g 'daemon off;'
