#!/bin/sh
# Takes the library in each way that the documents name and whose tools Debian has.
#   packages.sh ROOT PREFIX COMPILER ASIO_INCLUDE [CMAKE_OPTION...]
# ROOT: probekit's sources; PREFIX: where it is installed; ASIO_INCLUDE: -isystem..., or - if the compiler finds Asio.
set -eu
root=$1 prefix=$2 compiler=$3 asio=$4
shift 4
[ "$asio" != - ] || asio=
here=$root/tests/consumers
program=$root/packaging/conan/test_package/test_package.cpp
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

way() {
    echo "==> $1"
    : >"$work/output"
}
run() { # run COMMAND...: its output is shown only if it fails
    "$@" >>"$work/output" 2>&1 || {
        cat "$work/output"
        echo "failed: $*"
        exit 1
    }
}
has() { # has PATTERN MEANING: the output of the last command says so
    tr '\n' ' ' <"$work/output" | tr -s ' ' | grep -qE "$1" || {
        cat "$work/output"
        echo "not so: $2"
        exit 1
    }
}
configure() { # configure SOURCE BUILD [OPTION...]
    source=$1 build=$2
    shift 2
    cmake -S "$source" -B "$build" -G Ninja "-DCMAKE_CXX_COMPILER=$compiler" "$@"
}

way "pkg-config and a compiler"
moved=$work/moved
cp -r "$prefix" "$moved" # the package does not know where it lies
export PKG_CONFIG_PATH="$moved/share/pkgconfig"
run pkg-config --exact-version="$(sed -n 's/^#define PROBEKIT_VERSION "\(.*\)"/\1/p' "$root/include/probekit/version.hpp")" probekit
run "$compiler" -std=c++20 $warnings "$program" $asio $(pkg-config --cflags --libs probekit) -o "$work/program"
run "$work/program"
[ -f "$moved/share/doc/probekit/LICENSE" ] || { echo "the licence is not installed"; exit 1; }

way "a folder in the include path"
run "$compiler" -std=c++20 $warnings "-I$root/include" $asio -DASIO_STANDALONE "$program" -pthread -o "$work/program"
run "$work/program"

way "no header warns, whatever a program asks for"
(cd "$root/include" && find probekit -name '*.hpp' ! -path '*/impl/*' ! -path '*/kubernetes/*' ! -path '*/tls/*' |
    sort | sed 's/.*/#include <&>/') >"$work/warnings.cpp"
cat "$program" >>"$work/warnings.cpp"
strict="-Wold-style-cast -Wnon-virtual-dtor -Wdouble-promotion -Wcast-qual -Wnull-dereference"
if ! "$compiler" --version | grep -q clang; then strict="$strict -Wuseless-cast"; fi
run "$compiler" -std=c++20 -O2 $warnings $strict "-I$root/include" $asio -DASIO_STANDALONE -c "$work/warnings.cpp" -o "$work/warnings.o"

way "an older standard is refused in one line"
if "$compiler" -std=c++17 "-I$root/include" $asio -DASIO_STANDALONE -fsyntax-only "$program" >"$work/output" 2>&1; then
    echo "it is taken"
    exit 1
fi
has 'probekit needs C\+\+20: compile with -std=c\+\+20' 'the compiler names the standard'

way "the CMake lines that vcpkg prints"
mkdir "$work/usage"
cp "$program" "$work/usage/main.cpp"
{
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(usage LANGUAGES CXX)\nadd_executable(main main.cpp)\n'
    sed -n 's/^  //p' "$root/packaging/vcpkg/ports/probekit/usage"
} >"$work/usage/CMakeLists.txt"
run configure "$work/usage" "$work/usage/build" "-DCMAKE_PREFIX_PATH=$moved" "$@"
run cmake --build "$work/usage/build"
run "$work/usage/build/main"

way "a misspelt component is named"
sed -i 's/COMPONENTS kubernetes/COMPONENTS kubernets/' "$work/usage/CMakeLists.txt"
if configure "$work/usage" "$work/usage/build" "-DCMAKE_PREFIX_PATH=$moved" "$@" >"$work/output" 2>&1; then
    echo "it is taken"
    exit 1
fi
has "no component 'kubernets', only kubernetes and tls" 'CMake names the component'
sed -i 's/COMPONENTS kubernets/COMPONENTS kubernetes/' "$work/usage/CMakeLists.txt"
if configure "$work/usage" "$work/usage/again" "-DCMAKE_PREFIX_PATH=$moved" -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON "$@" \
    >"$work/output" 2>&1; then
    echo "JSON is not looked for"
    exit 1
fi
has "component 'kubernetes' needs nlohmann_json 3.11, which was not found" 'CMake names what is missing'

way "a subdirectory of a project that installs, without JSON"
run configure "$here/exporting" "$work/exporting" "-DPROBEKIT_SUBDIRECTORY=$root" -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON "$@"
has 'probekit::kubernetes is left out: .*PROBEKIT_KUBERNETES=ON' 'CMake names the switch'
run cmake --build "$work/exporting"
run cmake --install "$work/exporting" --prefix "$work/their"
[ ! -e "$work/their/include/probekit" ] || { echo "probekit is installed unasked"; exit 1; }
run cmake --install "$work/exporting" --prefix "$work/their" --component probekit
run configure "$here/importing" "$work/importing" "-DCMAKE_PREFIX_PATH=$work/their" "$@"
run cmake --build "$work/importing"
run "$work/importing/importing"

if command -v meson >/dev/null; then
    way "a subproject of Meson's"
    mkdir -p "$work/meson/subprojects/probekit"
    cp "$here/meson/meson.build" "$work/meson"
    cp "$program" "$work/meson/main.cpp"
    cp -r "$root/include" "$root/packaging/meson/meson.build" "$work/meson/subprojects/probekit"
    run env "CXX=$compiler" "CXXFLAGS=$asio" meson setup "$work/meson/build" "$work/meson"
    run meson compile -C "$work/meson/build"
    run "$work/meson/build/consumer"
else
    echo "==> Meson is not there: skipped"
fi
