#!/usr/bin/env bash
# Throw-away sabre/dav, the engine of Nextcloud and ownCloud, on loopback, for tests.
#
#   sabre.sh install           install the Debian packages (needs root)
#   sabre.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   sabre.sh stop DIR          stop it; the files stay
#   sabre.sh restart DIR       start again on the files that are there
#   sabre.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   FRONT=builtin         PHP's own server with WORKERS processes
#   FRONT=fpm             php-fpm behind Apache
#   WORKERS=16
. "$(dirname "$0")/webdav.sh"

FRONT=${FRONT:-builtin}
WORKERS=${WORKERS:-16}
SETTINGS=(FRONT WORKERS)

install_server() { apt_install php-sabre-dav php-cli php-fpm php-xml php-mbstring apache2 curl; }

# php-fpm leaves for a process group of its own.
stop_all() {
    end "$DIR/server.pid" "$DIR/"
    end "$DIR/fpm.pid" "$DIR/fpm.conf"
}

kill_daemons() { kill_all "$DIR/" "$DIR/server.pid" "$DIR/fpm.pid"; }

serve() {
    first_of php >/dev/null || die "not installed: $0 install"
    mkdir -p "$DIR/www"
    cat >"$DIR/www/server.php" <<'PHP'
<?php
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING);
ini_set('display_errors', '0');
function setting($name) { $value = getenv($name); return $value === false ? ($_SERVER[$name] ?? '') : $value; }
require 'Sabre/autoload.php';
date_default_timezone_set('UTC');
class OneUser extends \Sabre\DAV\Auth\Backend\AbstractBasic {
    protected function validateUserPass($user, $password) {
        return $user === setting('DAV_USER') && $password === setting('DAV_PASSWORD');
    }
}
$server = new \Sabre\DAV\Server(new \Sabre\DAV\FS\Directory(setting('DAV_DATA')));
$server->setBaseUri('/');
$server->addPlugin(new \Sabre\DAV\Auth\Plugin(new OneUser(), 'dav'));
$server->addPlugin(new \Sabre\DAV\Locks\Plugin(new \Sabre\DAV\Locks\Backend\File(setting('DAV_LOCKS'))));
if (method_exists($server, 'start')) { $server->start(); } else { $server->exec(); }
PHP
    export DAV_USER DAV_PASSWORD DAV_DATA="$DIR/data" DAV_LOCKS="$DIR/lock/locks"
    case $FRONT in
        builtin)
            PHP_CLI_SERVER_WORKERS=$WORKERS launch server "$(first_of php)" -d upload_tmp_dir="$DIR/tmp" \
                -d sys_temp_dir="$DIR/tmp" -d enable_post_data_reading=0 -d post_max_size=0 -d memory_limit=512M \
                -d opcache.enable_cli=1 -S "127.0.0.1:$PORT" "$DIR/www/server.php"
            ;;
        fpm) serve_fpm ;;
        *) die "no such FRONT: $FRONT" ;;
    esac
}

serve_fpm() {
    local modules=${APACHE_MODULES:-/usr/lib/apache2/modules} fpm as="" pool="" name
    fpm=$(find /usr/sbin -name 'php-fpm*' | sort | head -n 1)
    [ -n "$fpm" ] || die "not installed: $0 install"
    if [ "$(id -u)" = 0 ]; then
        as=$'User www-data\nGroup www-data'
        pool=$'user = www-data\ngroup = www-data'
    fi
    owned_by_server "$DIR/data" "$DIR/lock" "$DIR/tmp"
    {
        cat <<CONF
[global]
error_log = $DIR/log/fpm
pid = $DIR/php-fpm.pid
daemonize = no
[www]
$pool
listen = $DIR/tmp/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = $WORKERS
catch_workers_output = yes
php_admin_value[post_max_size] = 0
php_admin_value[enable_post_data_reading] = 0
php_admin_value[memory_limit] = 512M
CONF
        for name in DAV_USER DAV_PASSWORD DAV_DATA DAV_LOCKS; do
            echo "env[$name] = \"${!name}\""
        done
    } >"$DIR/fpm.conf"
    {
        for name in mpm_event authn_core authz_core proxy proxy_fcgi setenvif rewrite; do
            echo "LoadModule ${name}_module $modules/mod_$name.so"
        done
        cat <<CONF
$as
ServerName 127.0.0.1
ServerRoot $DIR
PidFile $DIR/apache.pid
Listen 127.0.0.1:$PORT
ErrorLog $DIR/log/error
DocumentRoot $DIR/www
MaxKeepAliveRequests 0
KeepAliveTimeout 60
AllowEncodedSlashes NoDecode
SetEnvIf Authorization "(.*)" HTTP_AUTHORIZATION=\$1
ThreadsPerChild 40
MaxRequestWorkers 80
StartServers 2
ProxyFCGIBackendType FPM
<Directory $DIR/www>
    Require all granted
    RewriteEngine On
    RewriteRule ^ $DIR/www/server.php [END]
    <FilesMatch "\.php$">
        SetHandler "proxy:unix:$DIR/tmp/fpm.sock|fcgi://localhost"
    </FilesMatch>
</Directory>
CONF
    } >"$DIR/httpd.conf"
    rm -f "$DIR/apache.pid" "$DIR/tmp/fpm.sock"
    launch fpm "$fpm" -F -y "$DIR/fpm.conf"
    await fpm "$DIR/fpm.conf" 20 test -S "$DIR/tmp/fpm.sock"
    launch server "$(first_of apache2 httpd)" -f "$DIR/httpd.conf" -DFOREGROUND
}

main "$@"
