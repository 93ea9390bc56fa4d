#!/usr/bin/env bash
# Runs a command with a throw-away WebDAV server on loopback, and stops the server afterwards.
#
#   with-webdav.sh SERVER COMMAND [ARGUMENT...]      SERVER: apache, nginx, lighttpd, sabre, wsgidav or rclone
#
# The command finds WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD, and for tests that kill the server, or use its files:
#   LONGSHORE_WEBDAV_SCRIPT, LONGSHORE_WEBDAV_DIR   the server's own script and folder; its files lie in DIR/data
#
# Settings of the server's own script pass through. PORT (9300) is the port that it takes.
. "$(dirname "$0")/with.sh"

[ $# -ge 2 ] || usage
with_server "$1" "${PORT:-9300}"
shift
export LONGSHORE_WEBDAV_SCRIPT="$SERVER_SCRIPT" LONGSHORE_WEBDAV_DIR="$SERVER_DIR"
"$@"
