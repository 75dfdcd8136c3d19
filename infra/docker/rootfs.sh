# Sourced: the parts that a root file system without a distribution is made of.

# begin_rootfs FOLDER: a new folder with a user that is not root and the lookup of host names.
begin_rootfs() {
  if [ -e "$1" ]; then
    echo "$1 exists already" >&2
    return 1
  fi
  mkdir -p "$1"/{bin,etc,tmp}
  echo 'nonroot:x:65532:65532:nonroot:/tmp:/bin/false' > "$1/etc/passwd"
  echo 'nonroot:x:65532:' > "$1/etc/group"
  echo 'hosts: files dns' > "$1/etc/nsswitch.conf"
  chmod 1777 "$1/tmp"
}

# add_libraries FOLDER PROGRAM: this machine's C library and what else of it the program is linked with.
add_libraries() {
  local library
  ldd "$2" | grep -oE '(^|[[:space:]])/(usr/)?lib[^ ]*' | while read -r library; do
    mkdir -p "$1$(dirname "$library")"
    cp -L "$library" "$1$library"
  done
}
