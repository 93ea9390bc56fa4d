#!/usr/bin/env bash
# Throw-away `rclone serve webdav` on loopback, for tests.
#
#   rclone.sh install           install the Debian package (needs root)
#   rclone.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   rclone.sh stop DIR          stop it; the files stay
#   rclone.sh restart DIR       start again on the files that are there
#   rclone.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   CACHE=full            --vfs-cache-mode. With any but off, a moved collection shows its files late, or empty
. "$(dirname "$0")/webdav.sh"

CACHE=${CACHE:-full}
SETTINGS=(CACHE)

install_server() { apt_install rclone curl; }

serve() {
    first_of rclone >/dev/null || die "not installed: $0 install"
    launch server "$(first_of rclone)" serve webdav "$DIR/data" --addr "127.0.0.1:$PORT" --user "$DAV_USER" --pass "$DAV_PASSWORD" \
        --config "$DIR/rclone.conf" --cache-dir "$DIR/cache" --vfs-cache-mode "$CACHE"
}

main "$@"
