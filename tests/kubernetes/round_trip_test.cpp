#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <probekit/kubernetes/probe_json.hpp>

// Whatever probe can be written is read back the same, from text; and what Kubernetes can say is
// written so that a strict reader takes it.
namespace {

using namespace probekit;
using namespace std::chrono_literals;

class Chooser {
public:
    explicit Chooser(std::uint32_t seed) : random_(seed) {}

    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random_);
    }
    bool one_in(std::size_t times) { return below(times) == 0; }
    template <class T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[below(values.size())];
    }

    /// UTF-8 with all that JSON has to escape, without NUL and line breaks.
    std::string text(std::size_t longest) {
        std::string result;
        for (std::size_t left = below(longest + 1); left != 0; --left)
            result += one_of<const char*>({"a",  "Z",    "0",    " ", "\"", "\\", "/",
                                           "\t", "\x01", "\x7f", "ü", "日", "😀", "$(A)",
                                           "{",  "%zz",  "?",    "#", "'",  "<"});
        return result;
    }

    /// Without a slash, which no host has.
    std::string host() {
        std::string result = text(5);
        std::erase(result, '/');
        return result;
    }

    std::vector<std::string> texts(std::size_t most) {
        std::vector<std::string> result(below(most + 1));
        for (std::string& one : result) one = text(6);
        return result;
    }

    int count() {
        return one_of<int>({1, 2, 3, 7, 1000, std::numeric_limits<int>::max(),
                            1 + static_cast<int>(below(100'000))});
    }

    Duration span() {
        const auto whole = std::chrono::seconds{below(100'000)};
        const auto odd = Duration{static_cast<Duration::rep>(below(10'000'000'000))};
        return one_of<Duration>({1ns, 1us, 999us, 1ms, 1s, 1500ms, 90s, 2147483647s, 2147483648s,
                                 whole, odd, whole + odd, Duration::max(), Duration::max() - 1ns}) +
               0ns;
    }

private:
    std::mt19937 random_;
};

ProbeAction any_action(Chooser& choose) {
    const auto port = static_cast<std::uint16_t>(1 + choose.below(65'535));
    switch (choose.below(4)) {
    case 0: {
        ExecAction action{.command = choose.texts(4)};
        action.command.insert(action.command.begin(), "x" + choose.text(4));
        if (choose.one_in(2))
            action.environment = {"A=" + choose.text(5), "B_" + std::to_string(port) + "="};
        action.inherit_environment = choose.one_in(2);
        if (choose.one_in(2)) action.working_directory = "/" + choose.text(5);
        return action;
    }
    case 1: return TcpSocketAction{.host = choose.host(), .port = port};
    case 2: return GrpcAction{.host = choose.host(), .port = port, .service = choose.text(8)};
    default: break;
    }
    HttpGetAction action{.host = choose.host(), .port = port, .path = "/" + choose.text(8)};
    if (choose.one_in(2)) action.scheme = HttpScheme::https;
    if (choose.one_in(8)) action.path = choose.text(5) + "x";
    for (std::size_t left = choose.below(4); left != 0; --left)
        action.headers.push_back(
            {choose.one_of<const char*>({"Host", "X-A", "x-a", "-", "User-Agent"}),
             choose.text(5)});
    return action;
}

/// A Unix-domain socket for a target that can have one, which may then have no port.
void choose_unix_socket(Chooser& choose, ProbeSettings& settings) {
    if (choose.one_in(2)) return;
    const std::string path =
        choose.one_of<const char*>({"/run/", "@", "relative/"}) + ("x" + choose.text(9));
    const bool has_port = choose.one_in(2);
    if (auto* const get = std::get_if<HttpGetAction>(&settings.action)) {
        settings.options.http.unix_socket = path;
        if (!has_port) get->port = 0;
    } else if (auto* const tcp = std::get_if<TcpSocketAction>(&settings.action)) {
        settings.options.tcp.unix_socket = path;
        if (!has_port) tcp->port = 0;
    }
}

ProbeSpec any_spec(Chooser& choose) {
    ProbeSpec spec{
        .kind = choose.one_of({ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})};
    if (choose.one_in(2)) spec.initial_delay = choose.span();
    if (choose.one_in(2)) spec.period = choose.span();
    if (choose.one_in(2)) spec.timeout = choose.span();
    if (spec.kind == ProbeKind::readiness) spec.success_threshold = choose.count();
    spec.failure_threshold = choose.count();
    spec.error_threshold = choose.one_of({0, 1, 3, 65535});
    spec.error_threshold_local = choose.one_in(2);
    if (spec.kind != ProbeKind::readiness && choose.one_in(2))
        spec.termination_grace_period = choose.span();
    if (choose.one_in(3)) {
        spec.pacing.cadence = choose.one_of({Cadence::grid, Cadence::target_start});
        spec.pacing.spread = choose.one_of<Duration>({0s, 1ns, choose.span()});
        spec.pacing.jitter = choose.one_of<Duration>({0s, spec.period / 2});
        spec.pacing.slack = choose.one_of<std::optional<Duration>>({{}, 0s, spec.period / 2});
        spec.pacing.seed =
            choose.one_of<std::uint64_t>({0, 1, std::numeric_limits<std::uint64_t>::max()});
    }
    return spec;
}

/// Without what only this library can say.
void make_kubernetes_own(ProbeSettings& settings) {
    ProbeSpec& spec = settings.spec;
    if (auto* exec = std::get_if<ExecAction>(&settings.action))
        *exec = {.command = std::move(exec->command)};
    if (auto* grpc = std::get_if<GrpcAction>(&settings.action)) grpc->host.clear();
    const auto whole = [](Duration span) {
        return std::min<Duration>(
            std::chrono::ceil<std::chrono::seconds>(std::min<Duration>(span, 2147483646s)),
            2147483647s);
    };
    spec.initial_delay = whole(spec.initial_delay);
    spec.period = whole(spec.period);
    spec.timeout = whole(spec.timeout);
    if (spec.termination_grace_period)
        spec.termination_grace_period = whole(*spec.termination_grace_period);
    spec.error_threshold = 0;
    spec.error_threshold_local = false;
    spec.pacing = {};
}

} // namespace

TEST_CASE("what is written is read back the same, for any probe") {
    constexpr std::uint32_t probes = 5'000;
    std::size_t bytes = 0;
    for (std::uint32_t seed = 0; seed != probes; ++seed) {
        Chooser choose{seed};
        ProbeSettings settings{.action = any_action(choose), .spec = any_spec(choose)};
        CAPTURE(seed);
        REQUIRE(validate(settings.action).empty());
        REQUIRE(is_valid(settings.spec));
        const auto check = [&](bool strict) {
            const std::string text = kubernetes::write_probe(settings).dump();
            bytes += text.size();
            CAPTURE(text);
            const auto read =
                kubernetes::parse_probe(text, {.kind = settings.spec.kind, .strict = strict});
            REQUIRE(read.errors == ConfigErrors{});
            REQUIRE(read.ignored.empty());
            REQUIRE(read.settings.action == settings.action);
            REQUIRE(read.settings.spec == settings.spec);
            REQUIRE(read.settings.options.http.unix_socket == settings.options.http.unix_socket);
            REQUIRE(read.settings.options.tcp.unix_socket == settings.options.tcp.unix_socket);
            REQUIRE(kubernetes::write_probe(read.settings).dump() == text);
        };
        check(false);
        make_kubernetes_own(settings);
        check(true);
        choose_unix_socket(choose, settings);
        check(false);
    }
    std::printf("round trip: %u probes thrice, %zu bytes of JSON\n", probes, bytes);
}
