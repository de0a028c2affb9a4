#include "run/hook_runner.hpp"

#include <optional>
#include <system_error>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/probes/any_probe.hpp>

#include "run/hook_permits.hpp"
#include "run/probe_maker.hpp"

namespace supervisor {
namespace {

/// As in Kubernetes, an HTTP hook is content with any answer.
bool succeeded(const std::error_code& error, const probekit::ProbeResult& result) {
    return !error && (result.passed() || result.cause == probekit::Errc::http_status);
}

} // namespace

/// One hook, from start to end. Its handlers keep it: it may have to clean up when its owner no
/// longer waits for it.
class HookRunner::Run : public std::enable_shared_from_this<Run> {
public:
    Run(Supervision& supervision, std::function<void(bool)> done)
        : permits_(supervision.hook_permits),
          timer_(supervision.executor),
          done_(std::move(done)) {}

    void sleep(probekit::Duration length) {
        timer_.expires_after(length);
        timer_.async_wait(asio::bind_cancellation_slot(
            signal_.slot(),
            [self = shared_from_this()](std::error_code error) { self->end(!error); }));
    }

    /// As soon as it has a permit.
    void start(probekit::AnyProbe probe) {
        probe_.emplace(std::move(probe));
        permits_.acquire([waiting = weak_from_this()] {
            const auto self = waiting.lock();
            if (self) self->begin();
            return self != nullptr;
        });
    }

    void cancel() {
        done_ = nullptr;
        signal_.emit(asio::cancellation_type::terminal);
    }

private:
    void begin() {
        probe_->async_probe(
            probekit::Duration::max(), // a hook has no time limit of its own
            asio::bind_cancellation_slot(
                signal_.slot(),
                [self = shared_from_this()](std::error_code error, probekit::ProbeResult result) {
                    self->permits_.release();
                    self->end(succeeded(error, result));
                }));
    }

    void end(bool success) {
        if (const auto done = std::exchange(done_, nullptr)) done(success);
    }

    HookPermits& permits_;
    asio::steady_timer timer_;
    std::optional<probekit::AnyProbe> probe_;
    asio::cancellation_signal signal_;
    std::function<void(bool)> done_;
};

HookRunner::HookRunner(Supervision& supervision, const Enclosure& enclosure)
    : supervision_(supervision), enclosure_(enclosure) {}

HookRunner::~HookRunner() { cancel(); }

void HookRunner::run(const Hook& hook, std::function<void(bool)> done) {
    cancel();
    run_ = std::make_shared<Run>(supervision_, std::move(done));
    if (hook.sleep)
        run_->sleep(supervision_.clock.real(*hook.sleep));
    else
        run_->start(
            make_kubelet_probe(supervision_.executor, enclosure_, hook.settings, hook.cannot_ask));
}

void HookRunner::cancel() {
    if (const auto run = std::exchange(run_, nullptr)) run->cancel();
}

} // namespace supervisor
