#include "run/hook_runner.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

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

/// Known by its words, as in the kubelet, and by those for a server that answers without a status
/// line, as Python's does.
bool met_plain_http(const std::error_code& error, const probekit::ProbeResult& result) {
    if (error || result.passed()) return false;
    const std::string message = result.message();
    return message.find("server gave HTTP response to HTTPS client") != std::string::npos ||
           message.find("first record does not look like a TLS handshake") != std::string::npos;
}

/// As in the kubelet, without what would be secret.
probekit::ProbeSettings as_plain_http(probekit::ProbeSettings settings) {
    auto& get = std::get<probekit::HttpGetAction>(settings.action);
    get.scheme = probekit::HttpScheme::http;
    std::erase_if(get.headers, [](const probekit::HttpHeader& header) {
        return std::ranges::equal(header.name, std::string_view{"authorization"}, {},
                                  [](unsigned char c) { return std::tolower(c); });
    });
    return settings;
}

} // namespace

std::string fallback_text(const Hook& hook) {
    const auto& get = std::get<probekit::HttpGetAction>(hook.settings.action);
    const bool brackets = get.host.find(':') != std::string::npos;
    return "request to HTTPS lifecycle hook " + (brackets ? "[" + get.host + "]" : get.host) + ":" +
           std::to_string(get.port) + " got HTTP response, retry with HTTP succeeded";
}

/// One hook, from start to end. Its handlers keep it: it may have to clean up when its owner no
/// longer waits for it.
class HookRunner::Run : public std::enable_shared_from_this<Run> {
public:
    Run(Supervision& supervision, std::function<void(HookEnd)> done)
        : permits_(supervision.hook_permits),
          timer_(supervision.executor),
          done_(std::move(done)) {}

    void sleep(probekit::Duration length) {
        timer_.expires_after(length);
        timer_.async_wait(asio::bind_cancellation_slot(
            signal_.slot(), [self = shared_from_this()](std::error_code error) {
                self->end(error ? HookEnd::failed : HookEnd::succeeded);
            }));
    }

    /// As soon as it has a permit. `plain`: for a hook for HTTPS, the same by HTTP.
    void start(probekit::AnyProbe probe, std::optional<probekit::AnyProbe> plain) {
        probe_.emplace(std::move(probe));
        plain_ = std::move(plain);
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
                    if (self->done_ && self->plain_ && met_plain_http(error, result))
                        return self->fall_back();
                    self->permits_.release();
                    self->end(!succeeded(error, result) ? HookEnd::failed
                              : self->fell_back_        ? HookEnd::fell_back
                                                        : HookEnd::succeeded);
                }));
    }

    void fall_back() {
        fell_back_ = true;
        probe_ = std::exchange(plain_, std::nullopt);
        begin();
    }

    void end(HookEnd end) {
        if (const auto done = std::exchange(done_, nullptr)) done(end);
    }

    HookPermits& permits_;
    asio::steady_timer timer_;
    std::optional<probekit::AnyProbe> probe_;
    std::optional<probekit::AnyProbe> plain_;
    bool fell_back_ = false;
    asio::cancellation_signal signal_;
    std::function<void(HookEnd)> done_;
};

HookRunner::HookRunner(Supervision& supervision, const Enclosure& enclosure)
    : supervision_(supervision), enclosure_(enclosure) {}

HookRunner::~HookRunner() { cancel(); }

void HookRunner::run(const Hook& hook, std::function<void(HookEnd)> done) {
    cancel();
    run_ = std::make_shared<Run>(supervision_, std::move(done));
    if (hook.sleep) return run_->sleep(supervision_.clock.real(*hook.sleep));
    const auto probe = [&](const probekit::ProbeSettings& settings) {
        return make_kubelet_probe(supervision_.executor, enclosure_, settings, hook.cannot_ask);
    };
    const auto* const get = std::get_if<probekit::HttpGetAction>(&hook.settings.action);
    std::optional<probekit::AnyProbe> plain;
    if (get != nullptr && get->scheme == probekit::HttpScheme::https && hook.cannot_ask.empty())
        plain = probe(as_plain_http(hook.settings));
    run_->start(probe(hook.settings), std::move(plain));
}

void HookRunner::cancel() {
    if (const auto run = std::exchange(run_, nullptr)) run->cancel();
}

} // namespace supervisor
