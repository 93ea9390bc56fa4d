#!/usr/bin/env bash
# Runs a command with a throw-away WebDAV server on loopback, and stops the server afterwards.
#
#   with-webdav.sh SERVER COMMAND [ARGUMENT...]      SERVER: apache, nginx, lighttpd, sabre or wsgidav
#
# The command finds WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD, and for tests that kill the server, or use the folder that it serves:
#   LONGSHORE_WEBDAV_SCRIPT, LONGSHORE_WEBDAV_DIR   the server's own script and folder
#   WEBDAV_FILES                                    the folder that it serves
#
# Settings of the server's own script pass through. PORT (9300) is the port that it takes.
. "$(dirname "$0")/with.sh"

[ $# -ge 2 ] || usage
with_server "$1" "${PORT:-9300}"
shift
export LONGSHORE_WEBDAV_SCRIPT="$SERVER_SCRIPT" LONGSHORE_WEBDAV_DIR="$SERVER_DIR" WEBDAV_FILES="$SERVER_DIR/data"
"$@"
