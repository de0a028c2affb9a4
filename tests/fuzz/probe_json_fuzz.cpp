// parse_probe() on any text: it never throws and says what is wrong. A probe that it has read can be
// written, and read again as the same probe.
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
#include "expect.hpp"

namespace {

using namespace probekit;

void check_round_trip(const kubernetes::ReadResult& read, kubernetes::ReadOptions options) {
    fuzz::expect(is_valid(read.spec) && validate(read.spec).empty(),
                 "a spec without errors is valid");
    const auto errors_of = [&](const auto& action) {
        if constexpr (std::is_same_v<decltype(action), const ExecAction&>)
            return validate(action);
        else
            return detail::validate_at(action, read.unix_socket);
    };
    fuzz::expect(std::visit(errors_of, read.action).empty(), "an action without errors is valid");
    options.strict = false; // the written probe may need the library's own fields
    const std::string written =
        kubernetes::write_probe(read.action, read.spec, read.expect, read.unix_socket).dump();
    const kubernetes::ReadResult again = kubernetes::parse_probe(written, options);
    fuzz::expect(static_cast<bool>(again), "a written probe can be read");
    fuzz::expect(again.spec == read.spec && again.action == read.action &&
                     again.unix_socket == read.unix_socket,
                 "the probe that is read again is the same");
    fuzz::expect(
        kubernetes::write_probe(again.action, again.spec, again.expect, again.unix_socket).dump() ==
            written,
        "it is written the same again");
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
        fuzz::expect(error.field.starts_with(options.field) && !error.detail.empty(),
                     "errors have a field and a text");
    if (read) check_round_trip(read, options);
    return 0;
}
