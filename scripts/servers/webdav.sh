# What the scripts of WebDAV servers share; sourced by them, not run.
#
# A script that sources it defines `install_server`, and `serve`, which writes the configuration into DIR and launches the server as the process
# `server` with that configuration in its command line. Files lie in DIR/data.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SCHEME=http
DAV_USER=dav
DAV_PASSWORD=dav-pass-1

apt_install() {
    # RUNLEVEL=1 keeps the package scripts from starting services
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2
}

# owned_by_server PATH...: what a server may write that gives up its rights.
owned_by_server() {
    [ "$(id -u)" != 0 ] || chown -R www-data:www-data "$@"
}

# first_of COMMAND...: the path of the first that is there, also of those that only root has on its path.
first_of() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$@" | head -n 1
}

print_env() {
    echo "WEBDAV_URL=$SCHEME://127.0.0.1:$PORT/"
    echo "WEBDAV_USER=$DAV_USER"
    echo "WEBDAV_PASSWORD=$DAV_PASSWORD"
    ! declare -F print_more >/dev/null || print_more
}

begin() {
    stop_if_it_fails
    serve
    await server "$DIR/" 60 answers "$SCHEME://127.0.0.1:$PORT/"
    print_env
}

start() {
    if alive "$DIR/server.pid" "$DIR/"; then die "already started in $DIR"; fi
    port_free "$PORT"
    mkdir -p "$DIR"/{data,log,lock,tmp}
    declare -p PORT "${SETTINGS[@]}" >"$DIR/settings"
    begin
}

# On the files that are there: after a stop, or after a kill.
restart() {
    . "$DIR/settings"
    stop_all
    begin
}

stop_all() { end "$DIR/server.pid" "$DIR/"; }

kill_daemons() { kill_all "$DIR/" "$DIR/server.pid"; }

revive() { restart; }
