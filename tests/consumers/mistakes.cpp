// A user's worker, right if MISTAKE is 0, and with one mistake otherwise.
#include <optional>

#include <asio/io_context.hpp>

#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

struct MyPolicy {
#if MISTAKE == 1 // may throw
    std::optional<probekit::Health> judge(const probekit::ProbeResult& result,
                                          const probekit::ProbeSpec&) {
#elif MISTAKE == 2 // not the signature that is wanted
    bool judge(const probekit::ProbeResult& result, const probekit::ProbeSpec&) noexcept {
#else
    std::optional<probekit::Health> judge(const probekit::ProbeResult& result,
                                          const probekit::ProbeSpec&) noexcept {
#endif
#if MISTAKE == 2
        return result.passed();
#else
        return result.passed() ? probekit::Health::passing : probekit::Health::failing;
#endif
    }
};

struct MyObserver {
#if MISTAKE == 3 // no hook has this name
    void on_attempt_ended(const probekit::AttemptEnded&) {}
#elif MISTAKE == 4 // another event
    void attempt_ended(const probekit::AttemptBegun&) {}
#else
    void attempt_ended(const probekit::AttemptEnded&) {}
#endif
};

int main() {
    asio::io_context io;
    probekit::TcpProbe probe{io, {.host = "127.0.0.1", .port = 1}};
#if MISTAKE >= 3
    probekit::ProbeWorker worker{probe, probekit::ProbeSpec{}, MyObserver{}};
#elif MISTAKE >= 1
    probekit::ProbeWorker worker{probe, probekit::ProbeSpec{}, MyPolicy{}};
#else
    probekit::ProbeWorker observed{probe, probekit::ProbeSpec{}, MyObserver{}};
    probekit::ProbeWorker worker{probe, probekit::ProbeSpec{}, MyPolicy{}, MyObserver{}};
    observed.start();
#endif
    worker.start();
}
