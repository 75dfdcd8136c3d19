#!/usr/bin/env bash
# Lays out the root file system of an image from this checkout: one package of the workspace, built, with what it needs
# to run, the Node that the repository pins, and the C library of this machine. Nothing else: no shell, no package manager.
# Runs as the Dockerfile's build stage, and as it is for the test cluster, which has no registry to build from.
set -Eeuo pipefail
exec >&2

usage="usage: assemble.sh <package> <folder>    e.g. assemble.sh @cactus/orchestrator /tmp/rootfs"
package=${1:?$usage} root=$(realpath -m "${2:?$usage}")
cd "$(dirname "$0")/../.."
. infra/docker/rootfs.sh

pnpm() { npx -y "pnpm@$(sed -n 's/.*"packageManager": "pnpm@\(.*\)".*/\1/p' package.json)" "$@"; }

begin_rootfs "$root"
trap 'rm -rf "$root"' ERR
pnpm install --frozen-lockfile
pnpm run build --filter="$package"
# Injected: the packages of the workspace come as copies, with the versions of the lockfile.
pnpm --config.inject-workspace-packages=true --filter="$package" deploy --prod "$root/app"

# What no running program reads: compilers, declarations, source maps, manuals, the marks of pnpm.
modules=$root/app/node_modules
rm -rf "$modules"/.pnpm/{typescript,@typescript+,@types+}* "$modules/.modules.yaml" "$root/app/pnpm-lock.yaml"
find "$root/app" -type f \( -name '*.d.ts' -o -name '*.d.[cm]ts' -o -name '*.map' -o -name '*.md' \) -delete
find "$root/app" -type d -name .bin -prune -exec rm -r {} +
find "$root/app" -xtype l -delete

# Node brings its own certificate authorities; NODE_EXTRA_CA_CERTS adds to them.
node=$(realpath node_modules/node/bin/node)
cp "$node" "$root/bin/node"
add_libraries "$root" "$node"
