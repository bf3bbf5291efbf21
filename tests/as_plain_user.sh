#!/usr/bin/env bash
# Run a command as a user without privileges where the caller is root, else as the caller.
# To root every file is readable and every folder writable, which hides faults.
set -euo pipefail
if [[ $(id -u) != 0 ]]; then
  exec "$@"
fi
nobody=65534
as_nobody=(setpriv "--reuid=$nobody" "--regid=$nobody" --clear-groups)
if ! command -v setpriv > /dev/null || ! "${as_nobody[@]}" test -r "$PWD/Makefile"; then
  echo "as root: setpriv is missing, or $PWD is closed to other users" >&2
  exec "$@"
fi
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown "$nobody:$nobody" "$home"
# What root compiled lies beside the sources, where this user cannot write.
"${as_nobody[@]}" env "HOME=$home" "TMPDIR=$home" "XDG_CACHE_HOME=$home/cache" \
  "PYTHONPYCACHEPREFIX=$home/pycache" "$@"
