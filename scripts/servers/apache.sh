#!/usr/bin/env bash
# Throw-away Apache httpd with mod_dav_fs on loopback, for tests.
#
#   apache.sh install           install the Debian packages (needs root)
#   apache.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   apache.sh stop DIR          stop it; the files stay
#   apache.sh restart DIR       start again on the files that are there
#   apache.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   AUTH=basic|digest|none
#   MPM=event|prefork|worker
#   TLS=                  1: within TLS, with HTTP/2; start then prints WEBDAV_CA too, the authority of its certificate. What was asked
#                         in which protocol stands in DIR/log/access
#   EXTRA=                more configuration lines
. "$(dirname "$0")/webdav.sh"

AUTH=${AUTH:-basic}
MPM=${MPM:-event}
TLS=${TLS:-}
EXTRA=${EXTRA:-}
SETTINGS=(AUTH MPM TLS EXTRA)

install_server() { apt_install apache2 apache2-utils curl openssl; }

# Once for each folder: a restarted server is the same.
make_certificate() {
    [ ! -e "$DIR/ca.pem" ] || return 0
    local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
    "${new[@]}" -keyout "$DIR/ca-key.pem" -out "$DIR/ca.pem" -subj '/CN=throw-away authority' 2>"$DIR/log/openssl"
    "${new[@]}" -CA "$DIR/ca.pem" -CAkey "$DIR/ca-key.pem" -keyout "$DIR/key.pem" -out "$DIR/cert.pem" -subj '/CN=throw-away server' \
        -addext 'basicConstraints=critical,CA:FALSE' -addext 'subjectAltName=IP:127.0.0.1' 2>>"$DIR/log/openssl"
}

within_tls() {
    local modules=$1 name
    make_certificate
    for name in ssl http2; do
        echo "LoadModule ${name}_module $modules/mod_$name.so"
    done
    cat <<CONF
SSLEngine on
SSLCertificateFile $DIR/cert.pem
SSLCertificateKeyFile $DIR/key.pem
Protocols h2 http/1.1
LogFormat "%H %{User-Agent}i" protocol
CustomLog $DIR/log/access protocol
CONF
}

login() {
    case $AUTH in
        basic) printf 'AuthType Basic\nAuthName dav\nAuthUserFile %s\nRequire valid-user\n' "$DIR/passwd" ;;
        digest) printf 'AuthType Digest\nAuthName dav\nAuthUserFile %s\nRequire valid-user\n' "$DIR/digest" ;;
        none) echo "Require all granted" ;;
        *) die "no such AUTH: $AUTH" ;;
    esac
}

serve() {
    local modules=${APACHE_MODULES:-/usr/lib/apache2/modules} as="" name
    [ -e "$modules/mod_dav_fs.so" ] || die "not installed: $0 install"
    [ "$(id -u)" != 0 ] || as=$'User www-data\nGroup www-data'
    [ -z "$TLS" ] || SCHEME=https
    owned_by_server "$DIR/data" "$DIR/lock"
    htpasswd -bc "$DIR/passwd" "$DAV_USER" "$DAV_PASSWORD" 2>"$DIR/log/htpasswd"
    printf '%s:dav:%s\n' "$DAV_USER" \
        "$(printf '%s:dav:%s' "$DAV_USER" "$DAV_PASSWORD" | md5sum | cut -d' ' -f1)" >"$DIR/digest"
    chmod 644 "$DIR/passwd" "$DIR/digest"
    {
        for name in "mpm_$MPM" authn_core authn_file authz_core authz_user auth_basic auth_digest dir mime dav dav_fs headers; do
            echo "LoadModule ${name}_module $modules/mod_$name.so"
        done
        cat <<CONF
$as
ServerName 127.0.0.1
ServerRoot $DIR
PidFile $DIR/apache.pid
Listen 127.0.0.1:$PORT
ErrorLog $DIR/log/error
LogLevel warn
TypesConfig /dev/null
DocumentRoot $DIR/data
DavLockDB $DIR/lock/db
DavMinTimeout 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Timeout 60
<IfModule mpm_prefork_module>
StartServers 8
MaxRequestWorkers 80
</IfModule>
<IfModule !mpm_prefork_module>
StartServers 2
ThreadsPerChild 40
MaxRequestWorkers 80
</IfModule>
<Directory />
    Require all denied
</Directory>
<Directory $DIR/data>
    Options None
    Dav On
$(login)
</Directory>
$EXTRA
CONF
        [ -z "$TLS" ] || within_tls "$modules"
    } >"$DIR/httpd.conf"
    # A killed one leaves it, and the next would take its number for a server that runs.
    rm -f "$DIR/apache.pid"
    launch server "$(first_of apache2 httpd)" -f "$DIR/httpd.conf" -DFOREGROUND
}

print_more() { [ -z "$TLS" ] || echo "WEBDAV_CA=$DIR/ca.pem"; }

main "$@"
