#!/bin/sh
# Compiles mistakes.cpp as it should be, then with each mistake: that fails, with the one message that helps.
#   mistakes.sh COMPILER [FLAG...]
set -eu
source=$(dirname "$(realpath "$0")")/mistakes.cpp

compile() { # compile MISTAKE COMPILER [FLAG...]
    mistake=$1
    shift
    "$@" -Wall -Wextra -fsyntax-only "-DMISTAKE=$mistake" "$source" 2>&1
}

if ! output=$(compile 0 "$@"); then
    echo "$output"
    echo "the program without a mistake does not compile"
    exit 1
fi

policy='probekit: a policy needs `std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept`'
observer='probekit: an observer needs at least one of attempt_begun(const AttemptBegun&), attempt_ended('
for row in "1 $policy" "2 $policy" "3 $observer" "4 $observer"; do
    mistake=${row%% *}
    message=${row#* }
    if output=$(compile "$mistake" "$@"); then
        echo "mistake $mistake compiles"
        exit 1
    fi
    errors=$(echo "$output" | grep -c ' error: ')
    if [ "$errors" != 1 ] || ! echo "$output" | grep -qF "$message"; then
        echo "$output"
        echo "mistake $mistake: $errors errors; expected this one: $message"
        exit 1
    fi
done
