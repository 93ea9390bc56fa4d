#!/usr/bin/env bash
# Throw-away lighttpd with mod_webdav on loopback, for tests.
#
#   lighttpd.sh install           install the Debian packages (needs root)
#   lighttpd.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   lighttpd.sh stop DIR          stop it; the files stay
#   lighttpd.sh restart DIR       start again on the files that are there
#   lighttpd.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   AUTH=basic|digest|none
#   STAT_CACHE=on         off: what is done in the folder past the server is seen at once, not two seconds later
. "$(dirname "$0")/webdav.sh"

AUTH=${AUTH:-basic}
STAT_CACHE=${STAT_CACHE:-on}
SETTINGS=(AUTH STAT_CACHE)

install_server() { apt_install lighttpd lighttpd-mod-webdav curl; }

serve() {
    local binary as="" login="" cache=""
    binary=$(first_of lighttpd)
    [ -n "$binary" ] || die "not installed: $0 install"
    [ "$(id -u)" != 0 ] || as=$'server.username = "www-data"\nserver.groupname = "www-data"'
    owned_by_server "$DIR/data" "$DIR/lock" "$DIR/tmp" "$DIR/log"
    printf '%s:%s\n' "$DAV_USER" "$DAV_PASSWORD" >"$DIR/passwd"
    chmod 644 "$DIR/passwd"
    [ "$AUTH" = none ] || login='auth.backend = "plain"
auth.backend.plain.userfile = "'$DIR/passwd'"
auth.require = ("/" => ("method" => "'$AUTH'", "realm" => "dav", "require" => "valid-user"))'
    [ "$STAT_CACHE" = on ] || cache='server.stat-cache-engine = "disable"'
    cat >"$DIR/lighttpd.conf" <<CONF
server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.document-root = "$DIR/data"
server.bind = "127.0.0.1"
server.port = $PORT
server.pid-file = "$DIR/lighttpd.pid"
server.errorlog = "$DIR/log/error"
server.upload-dirs = ("$DIR/tmp")
server.max-keep-alive-requests = 1000000
server.listen-backlog = 512
$cache
$as
$login
mimetype.assign = ("" => "application/octet-stream")
webdav.activate = "enable"
webdav.is-readonly = "disable"
webdav.sqlite-db-name = "$DIR/lock/db"
CONF
    launch server "$binary" -D -f "$DIR/lighttpd.conf"
}

main "$@"
