#!/usr/bin/env bash
# Runs a command with a throw-away WebDAV server on loopback, and stops the server afterwards.
#
#   with-webdav.sh SERVER COMMAND [ARGUMENT...]      SERVER: apache, nginx, lighttpd, sabre or wsgidav
#
# The command finds WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD, and for tests that kill the server, or use its files:
#   LONGSHORE_WEBDAV_SCRIPT, LONGSHORE_WEBDAV_DIR   the server's own script and folder; its files lie in DIR/data
#
# Settings of the server's own script pass through. PORT (9300) is the port that it takes.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
script="$here/$1.sh"
[ -x "$script" ] || { echo "with-webdav: no such server: $1" >&2; exit 2; }
shift

dir=$(mktemp -d)
# A server that gives up its rights reaches its files too.
chmod 755 "$dir"
finish() {
    local rc=$?
    "$script" stop "$dir" || rc=1
    rm -rf "$dir"
    exit $rc
}
trap finish EXIT
settings=$("$script" start "$dir" "${PORT:-9300}")
set -a
eval "$settings"
LONGSHORE_WEBDAV_SCRIPT="$script"
LONGSHORE_WEBDAV_DIR="$dir"
set +a
"$@"
