#!/usr/bin/env bash
# Runs a command with a throw-away WebDAV server on loopback, and stops the server afterwards.
#
#   with-webdav.sh SERVER COMMAND [ARGUMENT...]      SERVER: apache, nginx, lighttpd, sabre, wsgidav or rclone
#
# The command finds WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD, and for tests that kill the server, or use the folder that it serves:
#   LONGSHORE_WEBDAV_SCRIPT, LONGSHORE_WEBDAV_DIR   the server's own script and folder
#   WEBDAV_FILES                                    the folder that it serves
#   LONGSHORE_WEBDAV                                its address as the command `longshore` takes it
#   WEBDAV_CA                                       within TLS: the authority of its certificate
#   LONGSHORE_REPLAY_PREFIX                         how this script was called, for the line that repeats a failure
#
# Settings of the server's own script pass through, such as AUTH=digest. PORT (9300) is the port that it takes.
# TLS=1 has Apache speak HTTP/2 within TLS; it fails if the command spoke anything else.
# RENAMED=NAME gives the server this name in its header `Server`, by a proxy that takes the port after it.
. "$(dirname "$0")/with.sh"

# rename_server PORT SERVER_PORT NAME: it ends with this script.
rename_server() {
    port_free "$1"
    DIR=$SERVER_DIR
    launch rename "$(dirname "$0")/rename.py" "$@"
    await rename rename.py 20 answers "http://127.0.0.1:$1/"
}

put_away() { end "$SERVER_DIR/rename.pid" rename.py; }

[ $# -ge 2 ] || usage
replayed_as "$1"
PORT=${PORT:-9300}
with_server "$1" "$PORT"
shift
if [ -n "${RENAMED:-}" ]; then
    rename_server "$((PORT + 1))" "$PORT" "$RENAMED"
    export WEBDAV_URL="http://127.0.0.1:$((PORT + 1))/"
fi
# says HEADER: the server's answer to nobody has it.
says() { curl -s -k -o /dev/null -D - -X OPTIONS --max-time 5 "$WEBDAV_URL" | tr -d '\r' | grep -i "^$1" >/dev/null; }

# A setting that does nothing must not see a run pass.
[ -z "${RENAMED:-}" ] || says "server: $RENAMED" || die "the server has not the name $RENAMED"
[ "${AUTH:-}" != digest ] || says 'www-authenticate: digest' || die 'the server does not ask for Digest'
export LONGSHORE_WEBDAV_SCRIPT="$SERVER_SCRIPT" LONGSHORE_WEBDAV_DIR="$SERVER_DIR" WEBDAV_FILES="$SERVER_DIR/data"
# http or https as webdav or webdavs, with the authority if there is one.
LONGSHORE_WEBDAV="${WEBDAV_URL/#http/webdav}${WEBDAV_CA:+?ca=$WEBDAV_CA}"
export LONGSHORE_WEBDAV
# spoke_http2: all that was asked of the server, but by curl above.
spoke_http2() { awk '/ longshore\// { if ($1 == "HTTP/2.0") some = 1; else other = 1 } END { exit !some || other }' "$SERVER_DIR/log/access"; }

[ -z "${TLS:-}" ] || [ -n "${WEBDAV_CA:-}" ] || die 'the server does not speak TLS'
"$@"
[ -z "${TLS:-}" ] || spoke_http2 || die 'not all was asked over HTTP/2'
