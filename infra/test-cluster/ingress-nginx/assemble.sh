#!/usr/bin/env bash
# Lays out the root file system of a real ingress-nginx: controller, configuration and Lua from its Go module, an nginx
# from Debian. Debian's nginx has no Lua for streams (TCP and UDP services, which nothing here uses) and is older than
# the directive `http2`.
set -euo pipefail

usage="usage: assemble.sh <controller> <folder of the Go module> <folder>"
controller=$(realpath "${1:?$usage}") module=${2:?$usage} root=$(realpath -m "${3:?$usage}")
cd "$(dirname "$0")"
. ../../docker/rootfs.sh

begin_rootfs "$root"
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
(
  cd "$packages"
  apt-get update -qq
  apt-get download -qq -o APT::Sandbox::User=root \
    nginx nginx-common libnginx-mod-{http-ndk,http-lua,http-set-misc,http-headers-more-filter,stream} \
    lua-cjson lua-resty-core lua-resty-lrucache libluajit2-5.1-2 \
    libc6 libcrypt1 libgcc-s1 libpcre2-8-0 libpcre3 libssl3 zlib1g ca-certificates
)
for package in "$packages"/*.deb; do dpkg-deb -x "$package" "$root"; done

cp "$controller" "$root/nginx-ingress-controller"
cp -r --no-preserve=mode "$module/rootfs/etc/nginx/." "$root/etc/nginx"
cp stand-ins.lua "$root/etc/nginx/lua"
modules=$(printf 'load_module modules/%s_module.so;\\n' \
  ndk_http ngx_http_lua ngx_http_set_misc ngx_http_headers_more_filter ngx_stream)
sed -i "$root/etc/nginx/template/nginx.tmpl" \
  -e "s|^daemon off;|$modules&|" \
  -e '/http2 on;/d' \
  -e '0,/collectgarbage("collect")/s//require("stand-ins")/' \
  -e '/^stream {/,/^}/c stream { server { listen 127.0.0.1:{{ .StreamPort }}; return ""; } }'

cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
ln -s /dev/stdout "$root/var/log/nginx/access.log"
ln -s /dev/stderr "$root/var/log/nginx/error.log"
mkdir -p "$root"/etc/ingress-controller/{ssl,auth,geoip,telemetry} "$root"/{tmp/nginx,var/lib/nginx}
chown -R 65532:65532 "$root"/etc/{nginx,ingress-controller} "$root"/tmp/nginx "$root"/var/{lib,log}/nginx
