// Notices that the guardian process has ended, which somebody else must have done, and starts
// another one.
#pragma once

#include <system_error>

#include <asio/any_io_executor.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "run/enclosure.hpp"
#include "view/line_writer.hpp"

namespace supervisor {

/// Standard error hears of each guardian that has ended, and once while none can be started. A
/// start follows the one before a second later at the earliest.
class GuardianWatch {
public:
    /// Both outlive this.
    GuardianWatch(asio::any_io_executor executor, Enclosures& enclosures, LineWriter& errors);
    GuardianWatch(const GuardianWatch&) = delete;
    GuardianWatch& operator=(const GuardianWatch&) = delete;
    ~GuardianWatch() { stop(); }

    void start();
    void stop();

private:
    void await_end();
    void start_another();
    void try_later();
    void say_missing(const std::error_code& error);

    Enclosures& enclosures_;
    LineWriter& errors_;
    asio::posix::stream_descriptor pipe_; // the guardian's descriptor
    asio::steady_timer timer_;            // expires when another one may be started
    bool missing_ = false;                // and that was said
    bool stopped_ = false;
};

} // namespace supervisor
