#!/bin/sh
# Installs the system packages that building needs, on Debian 12, Debian 13 and Ubuntu 24.04, as root or with sudo:
#   cmake/system-packages.sh [examples] [tests] [checks] [benchmarks]
# What is there already is left alone; if all is, nothing is done and no network is needed. On Debian 12, Catch2 3 comes
# from backports, and that suite is added to the machine's sources, taken from those it has.
# Other systems: prints what is needed, and CMake fetches the libraries that it does not find.
set -eu
here=$(dirname "$(realpath "$0")")
export DEBIAN_FRONTEND=noninteractive

say() { echo "==> $*"; }
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
has_catch2() {
    for name in libcatch2-dev catch2; do
        version=$(dpkg-query -W -f='${Version}' "$name" 2>/dev/null) || continue
        if is_installed "$name" && dpkg --compare-versions "$version" ge 3; then return 0; fi
    done
    return 1
}
has_nginx() { [ -n "$(command -v nginx || true)" ] || [ -x /usr/sbin/nginx ] || [ -x "$here/../build/nginx/usr/sbin/nginx" ]; }

add_backports() {
    say "adding the suite bookworm-backports, which has Catch2 3"
    dir=/etc/apt/sources.list.d
    cat $dir/*.sources 2>/dev/null |
        awk -v RS= '/Suites:[^\n]* bookworm( |\n|$)/ { sub(/Suites:[^\n]*/, "Suites: bookworm-backports"); print; exit }' |
        as_root tee $dir/backports.sources
    [ -s $dir/backports.sources ] || {
        as_root rm $dir/backports.sources
        cat /etc/apt/sources.list $dir/*.list 2>/dev/null |
            sed -n '/^deb .* bookworm /{s/ bookworm / bookworm-backports /p;q}' | as_root tee $dir/backports.list
    }
    as_root apt-get -q update
}

catch2_package() {
    if apt-cache show libcatch2-dev >/dev/null 2>&1; then echo libcatch2-dev; else echo catch2; fi
}

# Another HTTP parser to compare ours with; Debian has one or the other.
peer_packages="libhttp-parser-dev libllhttp-dev"
has_peer() {
    for name in $peer_packages; do
        if is_installed "$name"; then return 0; fi
    done
    return 1
}
peer_package() {
    for name in $peer_packages; do
        if apt-cache show "$name" >/dev/null 2>&1; then echo "$name" && return; fi
    done
}

# The package would start a web server and start it again at every boot. Its one program is all we want.
unpack_nginx() {
    say "unpacking nginx, not installing it, into build/nginx"
    mkdir -p "$here/../build/nginx"
    cd "$here/../build/nginx"
    apt-get -q -o APT::Sandbox::User=root download nginx
    dpkg-deb -x nginx_*.deb .
    rm nginx_*.deb
}

packages="g++ cmake ninja-build libasio-dev nlohmann-json3-dev"
want_catch2=no
want_nginx=no
want_peer=no
for what in "$@"; do
    case $what in
    examples) packages="$packages libyaml-dev" want_nginx=yes ;;
    tests)
        packages="$packages libssl-dev openssl libfaketime pkgconf" want_catch2=yes
        # A bare root has no /etc/hosts, and the tests ask for localhost by its name.
        getent hosts localhost >/dev/null || packages="$packages libnss-myhostname"
        ;;
    checks)
        packages="$packages clang-16 libclang-rt-16-dev clang-format-16 clang-tidy-16 doxygen meson mkdocs nftables strace valgrind" want_peer=yes
        ;;
    benchmarks) packages="$packages strace valgrind liburing-dev gnuplot-nox fonts-dejavu-core" ;;
    *) echo "usage: $0 [examples] [tests] [checks] [benchmarks]" >&2; exit 2 ;;
    esac
done

if ! command -v apt-get >/dev/null; then
    say "no apt-get here: a C++20 compiler, CMake 3.25 and ninja must be there; CMake fetches libraries it does not find"
    exit
fi

missing=
for package in $packages; do is_installed "$package" || missing="$missing $package"; done
if [ $want_catch2 = yes ] && has_catch2; then want_catch2=no; fi
if [ $want_nginx = yes ] && has_nginx; then want_nginx=no; fi
if [ $want_peer = yes ] && has_peer; then want_peer=no; fi
if [ -z "$missing" ] && [ $want_catch2 = no ] && [ $want_nginx = no ] && [ $want_peer = no ]; then
    say "all system packages are there"
    exit
fi

say "apt-get update"
as_root apt-get -q update
if [ $want_catch2 = yes ]; then
    . /etc/os-release
    if [ "${VERSION_CODENAME:-}" = bookworm ] && [ "$(catch2_package)" = catch2 ]; then add_backports; fi
    missing="$missing $(catch2_package)"
fi
if [ $want_peer = yes ]; then missing="$missing $(peer_package)"; fi
if [ -n "$missing" ]; then
    say "apt-get install$missing"
    as_root apt-get -q install -y --no-install-recommends $missing
fi
if [ $want_nginx = yes ]; then unpack_nginx; fi
