#!/bin/sh
# start-redis.sh CONFIGURATION [--setting value …]   Redis with the password of $REDIS_PASSWORD, which neither stands in a
# file nor in the list of processes.
set -eu
: "${REDIS_PASSWORD:?must be set: Redis would answer everybody}"
case $REDIS_PASSWORD in
  *[!A-Za-z0-9._~-]*) echo 'REDIS_PASSWORD must consist of letters, digits and . _ ~ - (sh compose/new-env.sh makes such ones).' >&2; exit 1 ;;
esac
exec redis-server "$@" - <<PASSWORD
requirepass $REDIS_PASSWORD
PASSWORD
