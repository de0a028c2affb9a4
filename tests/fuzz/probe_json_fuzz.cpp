// parse_probe() on any text: it never throws and says what is wrong. A probe that it has read can
// be written, and read again as the same probe.
#include <cstddef>
#include <cstdint>
#include <string>
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

struct ActionErrors {
    const ProbeOptions& options;

    ConfigErrors operator()(const HttpGetAction& action) const {
        return detail::validate_at(action, options.http.unix_socket, options.http.any_host);
    }
    ConfigErrors operator()(const TcpSocketAction& action) const {
        return detail::validate_at(action, options.tcp.unix_socket, options.tcp.any_host);
    }
    ConfigErrors operator()(const auto& action) const {
        return detail::validate_at(action, {}, true);
    }
};

void check_round_trip(const kubernetes::ReadResult& read, kubernetes::ReadOptions options) {
    fuzz::expect(is_valid(read.settings.spec) && validate(read.settings.spec).empty(),
                 "a spec without errors is valid");
    fuzz::expect(std::visit(ActionErrors{read.settings.options}, read.settings.action).empty(),
                 "an action without errors is valid");
    options.strict = false; // the written probe may need the library's own fields
    const std::string written = kubernetes::write_probe(read.settings).dump();
    const kubernetes::ReadResult again = kubernetes::parse_probe(written, options);
    fuzz::expect(static_cast<bool>(again), "a written probe can be read");
    fuzz::expect(again.settings.spec == read.settings.spec &&
                     again.settings.action == read.settings.action,
                 "the probe that is read again is the same");
    fuzz::expect(kubernetes::write_probe(again.settings).dump() == written,
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
