#!/bin/sh
# The recipes under packaging/ agree with the project and with each other.
#   packaging.sh ROOT
set -eu
root=$1
cd "$root"
failed=0
fail() {
    echo "$1"
    failed=1
}

version=$(sed -n 's/^#define PROBEKIT_VERSION "\(.*\)"/\1/p' include/probekit/version.hpp)
parts=$(sed -n 's/^#define PROBEKIT_VERSION_[A-Z]* \([0-9]*\)$/\1/p' include/probekit/version.hpp | paste -sd .)
[ "$parts" = "$version" ] || fail "version.hpp says $version and $parts"

index=packaging/conan/index/recipes/probekit
expect() { # expect FILE TEXT
    grep -qF -- "$2" "$1" || fail "$1 does not say: $2"
}
expect packaging/vcpkg/ports/probekit/vcpkg.json "\"version-semver\": \"$version\""
expect $index/config.yml "\"$version\":"
expect $index/all/conandata.yml "\"$version\":"
expect $index/all/conandata.yml "/v$version.tar.gz\""
expect packaging/meson/probekit.wrap "revision = v$version"
expect packaging/xmake/xmake.lua "add_versions(\"$version\", \"v$version\")"

homepage=$(sed -n 's/^set(probekit_homepage "\(.*\)")/\1/p' CMakeLists.txt)
for file in $(grep -rlE 'https://github.com/[^/]*/probekit' packaging docs README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md .github \
    2>/dev/null); do
    other=$(grep -oE 'https://github.com/[^/]*/probekit' "$file" | grep -vxF "$homepage" | head -n 1)
    [ -z "$other" ] || fail "$file says $other, CMakeLists.txt $homepage"
done
expect packaging/vcpkg/ports/probekit/portfile.cmake "REPO ${homepage#https://github.com/}"

# One recipe body, in two files; one test package, in two folders.
body() { sed -n '/^    # =====/,/^    # =====/p' "$1"; }
[ "$(body packaging/conan/conanfile.py)" = "$(body $index/all/conanfile.py)" ] || fail "the two conanfile.py differ"
diff -r packaging/conan/test_package $index/all/test_package || fail "the two test packages differ"

# A component has the same name everywhere.
components=$(sed -n 's/^ *add_library(probekit::\([a-z]*\) ALIAS.*/\1/p' CMakeLists.txt | grep -vx probekit)
for component in $components; do
    expect packaging/vcpkg/ports/probekit/vcpkg.json "\"$component\": {"
    grep -qE "^ +$component +PROBEKIT_" packaging/vcpkg/ports/probekit/portfile.cmake ||
        fail "the vcpkg port does not set the option of $component"
    expect packaging/conan/conanfile.py "\"$component\": [True, False]"
    expect packaging/xmake/xmake.lua "add_configs(\"$component\""
    expect cmake/probekitConfig.cmake.in "\"$component\""
done

if command -v python3 >/dev/null; then
    python3 -m json.tool packaging/vcpkg/ports/probekit/vcpkg.json >/dev/null || fail "vcpkg.json is no JSON"
    for file in $(find packaging -name '*.py'); do
        python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || fail "$file is no Python"
    done
else
    echo "Python is not there: what needs it was skipped"
fi
[ "$(find packaging -type f -exec sh -c 'tail -c 1 "$1" | od -An -c | grep -q "\\\\n" || echo "$1"' sh {} \;)" = "" ] ||
    fail "a file of packaging/ does not end with a line's end"
exit $failed
