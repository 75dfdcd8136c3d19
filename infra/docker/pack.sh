#!/usr/bin/env bash
# Packs a folder made by assemble.sh as an image of one layer, in the format of `docker save`, which containerd imports.
# The same content gives the same image. The configuration is read from the Dockerfile's last stage.
set -euo pipefail

usage="usage: pack.sh <folder> <image name> <tar file>"
root=${1:?$usage} name=${2:?$usage} out=$(realpath -m "${3:?$usage}")
dockerfile=$(realpath "$(dirname "$0")/Dockerfile")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

instruction() { sed -n '/^FROM scratch/,$s/^'"$1"' //p' "$dockerfile"; }
reproducibly=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu)

tar -C "$root" "${reproducibly[@]}" -cf "$work/layer.tar" .
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
case $(uname -m) in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; *) architecture=$(uname -m) ;; esac
cat > "$work/config.json" <<JSON
{
  "architecture": "$architecture",
  "os": "linux",
  "config": {
    "Env": ["$(instruction ENV)"],
    "WorkingDir": "$(instruction WORKDIR)",
    "User": "$(instruction USER)",
    "Entrypoint": $(instruction ENTRYPOINT)
  },
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$layer"] },
  "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "infra/docker/assemble.sh" }]
}
JSON
echo "[{ \"Config\": \"config.json\", \"RepoTags\": [\"$name\"], \"Layers\": [\"layer.tar\"] }]" > "$work/manifest.json"
tar -C "$work" "${reproducibly[@]}" -cf "$out" config.json layer.tar manifest.json
