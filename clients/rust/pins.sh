#!/usr/bin/env bash
# The versions and checksums of all crates are in pins.txt, because Cargo.lock names a registry in every entry.
#   pins.sh         have Cargo.lock say what pins.txt says, and fail where it cannot
#   pins.sh write   write pins.txt anew from Cargo.lock, after `cargo update`
set -euo pipefail
cd "$(dirname "$0")"

locked() {
  awk -F'"' '/^name/ { name = $2 } /^version = "/ { version = $2 } /^checksum/ { print name, version, $2 }' Cargo.lock
}

# A lock file without the dependencies among the crates: cargo keeps the versions and adds the rest.
write_lock() {
  local registry name version checksum
  rm -f Cargo.lock
  cargo generate-lockfile --quiet
  registry=$(grep -m1 '^source' Cargo.lock)
  {
    echo 'version = 4'
    while read -r name version checksum; do
      printf '\n[[package]]\nname = "%s"\nversion = "%s"\n%s\nchecksum = "%s"\n' \
        "$name" "$version" "$registry" "$checksum"
    done < pins.txt
  } > Cargo.lock
  cargo update --workspace --quiet
}

case "${1-}" in
  write) locked > pins.txt ;;
  "")
    if ! { [ -e Cargo.lock ] && cmp --silent <(locked) pins.txt; }; then
      write_lock
    fi
    diff <(locked) pins.txt
    ;;
  *)
    echo "pins.sh [write]" >&2
    exit 2
    ;;
esac
