// parse_probe() on any text: it never throws, says what is wrong, and what it has read is written
// and read again the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include <nlohmann/json.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/kubernetes/probe_json.hpp>

#include "bytes.hpp"
#include "check.hpp"

namespace {

using namespace probekit;

void check_round_trip(const kubernetes::ReadResult& read, kubernetes::ReadOptions options) {
    fuzz::check(is_valid(read.spec) && validate(read.spec).empty(),
                "a spec without errors is valid");
    const auto mistakes = [&](const auto& action) {
        if constexpr (std::is_same_v<decltype(action), const ExecAction&>)
            return validate(action);
        else
            return detail::validate_at(action, read.unix_socket);
    };
    fuzz::check(std::visit(mistakes, read.action).empty(), "so is an action");
    options.strict = false; // what is written may need our own fields
    const std::string written =
        kubernetes::write_probe(read.action, read.spec, read.expect, read.unix_socket).dump();
    const kubernetes::ReadResult again = kubernetes::parse_probe(written, options);
    fuzz::check(static_cast<bool>(again), "what is written can be read");
    fuzz::check(again.spec == read.spec && again.action == read.action &&
                    again.unix_socket == read.unix_socket,
                "it is the same");
    fuzz::check(
        kubernetes::write_probe(again.action, again.spec, again.expect, again.unix_socket).dump() ==
            written,
        "and written the same");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned choice = input.byte();
    kubernetes::ReadOptions options;
    options.kind = static_cast<ProbeKind>(choice % 3);
    options.field = "spec.containers[0].probe";
    options.ports = {{"http", std::uint16_t{8080}}};
    options.strict = (choice & 64) != 0;
    const kubernetes::ReadResult read = kubernetes::parse_probe(input.rest(), options);
    for (const ConfigError& error : read.errors)
        fuzz::check(error.field.starts_with(options.field) && !error.detail.empty(),
                    "errors say where and what");
    if (read) check_round_trip(read, options);
    return 0;
}
