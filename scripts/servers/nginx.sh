#!/usr/bin/env bash
# Throw-away nginx with the modules dav and dav-ext on loopback, for tests.
#
#   nginx.sh install           install the Debian packages (needs root)
#   nginx.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   nginx.sh stop DIR          stop it; the files stay
#   nginx.sh restart DIR       start again on the files that are there
#   nginx.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   AUTH=basic|none
#   CREATE_PARENTS=off    on: PUT makes missing parent collections
. "$(dirname "$0")/webdav.sh"

AUTH=${AUTH:-basic}
CREATE_PARENTS=${CREATE_PARENTS:-off}
SETTINGS=(AUTH CREATE_PARENTS)

install_server() { apt_install nginx libnginx-mod-http-dav-ext curl; }

serve() {
    local module=${NGINX_DAV_EXT:-/usr/lib/nginx/modules/ngx_http_dav_ext_module.so} as="" login=""
    [ -e "$module" ] || die "not installed: $0 install"
    [ "$(id -u)" != 0 ] || as="user www-data;"
    owned_by_server "$DIR/data" "$DIR/tmp"
    printf '%s:{PLAIN}%s\n' "$DAV_USER" "$DAV_PASSWORD" >"$DIR/passwd"
    chmod 644 "$DIR/passwd"
    [ "$AUTH" = none ] || login="auth_basic dav; auth_basic_user_file $DIR/passwd;"
    cat >"$DIR/nginx.conf" <<CONF
load_module $module;
$as
daemon off;
worker_processes 2;
pid $DIR/nginx-own.pid;
error_log $DIR/log/error warn;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $DIR/tmp/body;
    proxy_temp_path $DIR/tmp/proxy;
    fastcgi_temp_path $DIR/tmp/fastcgi;
    uwsgi_temp_path $DIR/tmp/uwsgi;
    scgi_temp_path $DIR/tmp/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:$PORT backlog=512;
        location / {
            root $DIR/data;
            $login
            dav_methods PUT DELETE MKCOL COPY MOVE;
            dav_ext_methods PROPFIND OPTIONS;
            create_full_put_path $CREATE_PARENTS;
            dav_access user:rw group:r all:r;
        }
    }
}
CONF
    launch server "$(first_of nginx)" -c "$DIR/nginx.conf" -e "$DIR/log/error"
}

main "$@"
