// demo_app: a small HTTP service to try probes on.
//
//   demo_app [-h HOST] [-p PORT]     HOST and PORT may come from the environment instead; port 0:
//   any free one
//
//   GET /              greets with the client's and the server's address
//   GET /hostname      the name of this machine
//   GET /user-agent    the caller's User-Agent
//   GET /configs       DEPLOYENV and RELEASE from the environment
//   GET /livez         OK; those that come before the first has been answered wait 5 s
//   GET /readyz        the same with 15 s
//   POST /livez        form field livez=FAIL: GET /livez answers 506 from now on; livez=OK: 200
//   again POST /readyz       the same with the field readyz and 507
//
// One access-log line a request on standard output. PROBEKIT_TIME_SCALE divides the waits. As most
// small services it does not handle SIGTERM: as process 1 of a container it ignores it, anywhere
// else it ends.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/host_name.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "http.hpp"

namespace demo {

using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr Clock::duration connection_limit =
    60s; ///< for reading a request, and again for writing the answer

std::string environment(const char* name, std::string_view fallback) {
    const char* const value = std::getenv(name);
    return value != nullptr ? std::string{value} : std::string{fallback};
}

/// /livez or /readyz: slow until it has answered once, healthy until it is set otherwise.
class HealthEndpoint {
public:
    HealthEndpoint(std::string field, Clock::duration warm_up, int status_when_failing)
        : field_{std::move(field)}, warm_up_{warm_up}, status_when_failing_{status_when_failing} {}

    /// When a GET that came at `arrival` may be answered. One that comes together with the first
    /// answer, as every third of a regular probe may, counts as coming after it, whichever a busy
    /// machine lets through first.
    Clock::time_point answer_at(Clock::time_point arrival) {
        if (!first_answer_) first_answer_ = arrival + warm_up_;
        const bool together = arrival >= *first_answer_ - warm_up_ / 20;
        return together ? std::max(arrival, *first_answer_) : arrival + warm_up_;
    }

    [[nodiscard]] Response respond() const {
        return failing_ ? Response{status_when_failing_, "FAIL\n"} : Response{200, "OK\n"};
    }

    Response set(const Request& request) {
        const std::string_view value = form_field(request.body, field_);
        if (value != "OK" && value != "FAIL")
            return {400, "expected " + field_ + "=OK or " + field_ + "=FAIL\n"};
        failing_ = value == "FAIL";
        return {200, field_ + "=" + std::string{value} + "\n"};
    }

private:
    std::string field_;
    Clock::duration warm_up_;
    int status_when_failing_;
    std::optional<Clock::time_point> first_answer_;
    bool failing_ = false;
};

struct App {
    HealthEndpoint livez;
    HealthEndpoint readyz;
};

/// Who talks to whom, as they say themselves.
struct Peers {
    tcp::endpoint client;
    tcp::endpoint server;
};

template <class Value>
std::string as_text(const Value& value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

asio::awaitable<Response> answer(App& app, const Request& request, const Peers& peers,
                                 Clock::time_point arrival) {
    if (request.refused_with != 0) co_return refusal(request.refused_with);
    const std::string_view path =
        std::string_view{request.target}.substr(0, request.target.find('?'));
    HealthEndpoint* const health = path == "/livez"    ? &app.livez
                                   : path == "/readyz" ? &app.readyz
                                                       : nullptr;
    const bool is_get = request.method == "GET";
    if (health != nullptr && is_get) {
        asio::steady_timer timer{co_await asio::this_coro::executor, health->answer_at(arrival)};
        co_await timer.async_wait(asio::use_awaitable);
        co_return health->respond();
    }
    if (health != nullptr && request.method == "POST") co_return health->set(request);

    Response response;
    if (path == "/")
        response.body =
            "Hello " + as_text(peers.client) + ", this is " + as_text(peers.server) + "\n";
    else if (path == "/hostname")
        response.body = asio::ip::host_name() + "\n";
    else if (path == "/user-agent")
        response.body = request.user_agent + "\n";
    else if (path == "/configs")
        response.body = "DEPLOYENV=" + environment("DEPLOYENV", "") +
                        "\nRELEASE=" + environment("RELEASE", "") + "\n";
    else if (health == nullptr)
        response = refusal(404);
    if (response.status == 200 && !is_get) response = refusal(405);
    co_return response;
}

/// A request, or one that is refused unread; no value: the peer left.
asio::awaitable<std::optional<Request>> receive(tcp::socket& socket) {
    std::error_code error;
    std::string bytes;
    auto buffer = asio::dynamic_buffer(bytes, max_head);
    const std::size_t head_size = co_await asio::async_read_until(
        socket, buffer, "\r\n\r\n", asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::not_found) co_return refused(431);
    if (error) co_return std::nullopt;

    std::optional<Request> request = parse_head(std::string_view{bytes}.substr(0, head_size));
    if (!request) co_return refused(400);
    if (request->content_length > max_body) co_return refused(413);
    request->body = bytes.substr(head_size, request->content_length);
    const std::size_t received = request->body.size();
    request->body.resize(request->content_length);
    auto rest = asio::buffer(request->body) + received;
    co_await asio::async_read(socket, rest, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::nullopt;
    co_return request;
}

/// Sends the answer, then waits for the peer's end: closing with unread input would reset the
/// connection, and the answer might be lost with it.
asio::awaitable<void> send(tcp::socket& socket, const Response& response) {
    std::error_code error;
    const std::string bytes = to_bytes(response);
    co_await asio::async_write(socket, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, error));
    socket.shutdown(tcp::socket::shutdown_send, error);
    char ignored[1024];
    while (!error) {
        auto buffer = asio::buffer(ignored);
        co_await socket.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    }
}

void log_access(const Peers& peers, const Request& request, int status) {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    char stamp[sizeof "2026-01-01T00:00:00Z"];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    const std::string what =
        request.refused_with != 0 ? "-" : request.method + " " + request.target;
    // Flushed: who reads the log wants to see the request now.
    std::cout << stamp << ' ' << peers.client << " \"" << what << "\" " << status << std::endl;
}

asio::awaitable<void> serve(tcp::socket socket, App& app) {
    using namespace asio::experimental::awaitable_operators;
    const Clock::time_point arrival = Clock::now();
    std::error_code error;
    Peers peers;
    peers.client = socket.remote_endpoint(error);
    peers.server = socket.local_endpoint(error);

    asio::steady_timer limit{socket.get_executor(), connection_limit};
    const auto received = co_await (receive(socket) || limit.async_wait(asio::use_awaitable));
    if (received.index() == 1) co_return; // too slow
    const std::optional<Request>& request = std::get<0>(received);
    if (!request) co_return;

    const Response response = co_await answer(app, *request, peers, arrival);
    log_access(peers, *request, response.status);
    limit.expires_after(connection_limit);
    co_await (send(socket, response) || limit.async_wait(asio::use_awaitable));
}

asio::awaitable<void> listen(tcp::acceptor acceptor, App& app) {
    const auto executor = acceptor.get_executor();
    asio::steady_timer pause{executor};
    for (;;) {
        std::error_code error;
        tcp::socket socket =
            co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            asio::co_spawn(executor, serve(std::move(socket), app), asio::detached);
        } else { // out of descriptors, most likely: some will be free soon
            std::cerr << "accept: " << error.message() << std::endl;
            pause.expires_after(100ms);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
}

struct Options {
    std::string host = environment("HOST", "0.0.0.0");
    std::string port = environment("PORT", "80");
    double time_scale = 1;
};

/// No value: wrong usage.
std::optional<Options> options_from(int argc, char** argv) {
    Options options;
    for (int option = 0; (option = getopt(argc, argv, "h:p:")) != -1;) {
        if (option == 'h')
            options.host = optarg;
        else if (option == 'p')
            options.port = optarg;
        else
            return {};
    }
    if (optind != argc) return {};
    const std::string scale = environment("PROBEKIT_TIME_SCALE", "1");
    const char* const end = scale.data() + scale.size();
    const auto [last, error] = std::from_chars(scale.data(), end, options.time_scale);
    if (error != std::errc{} || last != end ||
        !(options.time_scale >= 0.001 && options.time_scale <= 1e6))
        return {};
    return options;
}

} // namespace demo

int main(int argc, char** argv) {
    using namespace demo;
    const std::optional<Options> options = options_from(argc, argv);
    if (!options) {
        std::cerr << "usage: " << argv[0] << " [-h HOST] [-p PORT]\n"
                  << "HOST, PORT and PROBEKIT_TIME_SCALE (from 0.001 to 1000000) may stand in the "
                     "environment\n";
        return 2;
    }
    try {
        asio::io_context io{1};
        tcp::resolver resolver{io};
        const tcp::endpoint wanted =
            *resolver
                 .resolve(options->host, options->port,
                          tcp::resolver::passive | tcp::resolver::numeric_service)
                 .begin();
        tcp::acceptor acceptor{io, wanted};
        std::cerr << "listening on " << acceptor.local_endpoint() << std::endl;

        const auto scaled = [&](std::chrono::seconds wait) {
            return std::chrono::duration_cast<Clock::duration>(wait / options->time_scale);
        };
        App app{HealthEndpoint{"livez", scaled(5s), 506},
                HealthEndpoint{"readyz", scaled(15s), 507}};
        asio::co_spawn(io, listen(std::move(acceptor), app), asio::detached);
        io.run();
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << options->host << ":" << options->port << ": "
                  << error.what() << "\n";
        return 1;
    }
}
