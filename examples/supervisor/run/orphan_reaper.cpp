#include "run/orphan_reaper.hpp"

#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

#include "run/process_table.hpp"

namespace supervisor {

OrphanReaper::OrphanReaper(asio::any_io_executor executor, const Enclosures& enclosures)
    : enclosures_(enclosures), child_ended_(executor, SIGCHLD), timer_(executor) {}

void OrphanReaper::start() {
    child_ended_.async_wait([this](std::error_code error, int) {
        if (!error) look_later();
    });
}

void OrphanReaper::stop() {
    stopped_ = true;
    std::error_code ignored;
    child_ended_.cancel(ignored);
    timer_.cancel();
}

void OrphanReaper::look_later() {
    if (stopped_) return;
    timer_.expires_after(std::chrono::seconds{1});
    timer_.async_wait([this](std::error_code error) {
        if (!error && !stopped_) look();
    });
}

void OrphanReaper::look() {
    std::map<int, std::string> ended;
    for (const int pid : enclosures_.strangers()) {
        if (!is_zombie(pid)) continue;
        std::string started = start_time(pid);
        const auto before = ended_.find(pid);
        const bool was_there = before != ended_.end() && before->second == started;
        if (!was_there || !reap_child(pid)) ended.emplace(pid, std::move(started));
    }
    ended_ = std::move(ended);
    if (ended_.empty())
        start();
    else
        look_later();
}

} // namespace supervisor
