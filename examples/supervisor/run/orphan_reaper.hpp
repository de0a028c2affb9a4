// Reaps what came to the supervisor as an orphan, as an init process does.
#pragma once

#include <map>
#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include "run/enclosure.hpp"

namespace supervisor {

/// Each by its number, never by waiting for any child: whoever started a child reaps it at once. So
/// a child that has ended, and is still there a second later, is an orphan.
class OrphanReaper {
public:
    OrphanReaper(asio::any_io_executor executor, const Enclosures& enclosures);

    void start();
    void stop();

private:
    void look_later();
    void look();

    const Enclosures& enclosures_;
    asio::signal_set child_ended_;
    asio::steady_timer timer_;
    std::map<int, std::string> ended_; // at the last look; with the times of their starts
    bool stopped_ = false;
};

} // namespace supervisor
