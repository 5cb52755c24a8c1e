#!/bin/sh
# sh compose/new-env.sh   makes .env from .env.example with new passwords; an .env that is there stays as it is
set -eu
cd "$(dirname "$0")/.."
target=${1:-.env}
[ ! -e "$target" ] || { echo "$target is there already: nothing was changed." >&2; exit 1; }
umask 077
temporary="$target.$$"
trap 'rm -f "$temporary"' EXIT
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
    *_PASSWORD=) printf '%s%s\n' "$line" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) printf '%s\n' "$line" ;;
  esac
done < .env.example > "$temporary"
ln "$temporary" "$target" # never replaces
echo "$target has new passwords. Keep it private, and keep a copy: MariaDB and Redis know them from their first start on."
