#!/bin/sh
# Writes the hashes of a release's archive into the recipes, as vcpkg and conan want them:
#   packaging/set-hashes.sh v0.1.0.tar.gz
set -eu
archive=$(realpath "$1")
cd "$(dirname "$(realpath "$0")")"
sha256=$(sha256sum "$archive" | cut -d ' ' -f 1)
sha512=$(sha512sum "$archive" | cut -d ' ' -f 1)
sed -i "s/sha256: \"[0-9a-f]*\"/sha256: \"$sha256\"/" conan/index/recipes/probekit/all/conandata.yml
sed -i "s/SHA512 [0-9a-f]*\$/SHA512 $sha512/" vcpkg/ports/probekit/portfile.cmake
