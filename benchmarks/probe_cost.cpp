// What does a probe cost, beside the bare system calls that do the same? Pairs of runs, the one
// right after the other, each in a process of its own; client and server on a core each.
//
// --fork sets an exec probe beside fork() instead, which is what many programs would take.
// --one=floor|probe|refused runs one side, once, against the server at --host and --port, for tools
// that count; --run=COMMAND runs such a tool by the shell, beside the servers, which it finds by
// TCP_PORT, HTTP_PORT (TCP_CLIENT_PORT and HTTP_CLIENT_PORT: among those that the system gives to
// clients) and, if there is one, ANY_ADDRESS. --close=WAY is for a TCP probe.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>

#include <floors/floors.hpp>
#include <support/machine.hpp>
#include <support/options.hpp>
#include <support/probe_side.hpp>
#include <support/server.hpp>
#include <support/statistics.hpp>
#include <support/table.hpp>

using namespace bench;

namespace {

constexpr const char* usage =
    "[--kind=tcp|http|exec] [--pairs=N] [--count=N] [--warm-up=N] [--in-flight=N,N...] "
    "[--resident=MIB] [--fork] [--any-executor] [--locking] [--json] [--columns] "
    "[--one=floor|probe|refused --host=A --port=N] [--close=silent|reset|orderly|linger] "
    "[--run=COMMAND] [--serve=tcp|http --port=N]";

Kind kind_of(const std::string& name) {
    if (name == "tcp") return Kind::tcp;
    if (name == "http") return Kind::http;
    if (name == "exec") return Kind::exec;
    std::fprintf(stderr, "no such kind: %s\n", name.c_str());
    std::exit(2);
}

Cost probe(Kind kind, const Load& load, bool any_executor) {
    return any_executor ? probe_of<asio::any_io_executor>(kind, load)
                        : probe_of<asio::io_context::executor_type>(kind, load);
}

// A host process of that size.
void grow(std::size_t mebibytes) {
    if (mebibytes == 0) return;
    void* const memory = ::mmap(nullptr, mebibytes << 20, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(1);
    }
    ::madvise(memory, mebibytes << 20, MADV_NOHUGEPAGE);
    std::memset(memory, 1, mebibytes << 20);
}

struct Comparison {
    std::string name;
    Kind kind;
    sockaddr_in target;
};

struct Sample {
    std::vector<double> cpu, ratio, busy, busy_ratio, wall, children, allocations;
    std::vector<double> floor_cpu, floor_busy;
    std::uint64_t failures = 0;
};

Sample compare(const Comparison& one, const Load& load, const Options& options) {
    Sample sample;
    const bool any_executor = options.has("any-executor");
    for (std::uint64_t pair = 0; pair != options.number("pairs", 7); ++pair) {
        // Commands inherit the core, and would stand in their parent's way: exec is not tied to
        // one.
        const auto alone = [&](auto run) {
            return in_own_process([&] {
                if (one.kind != Kind::exec) pin(0);
                return run();
            });
        };
        const auto floor_run = [&] {
            return alone(
                [&] { return options.has("fork") ? fork_floor(load) : floor_of(one.kind, load); });
        };
        const auto probe_run = [&] {
            return alone([&] { return probe(one.kind, load, any_executor); });
        };
        Cost floor;
        Cost ours;
        if (pair % 2 == 0) {
            floor = floor_run();
            ours = probe_run();
        } else {
            ours = probe_run();
            floor = floor_run();
        }
        sample.failures += floor.failures + ours.failures;
        sample.floor_cpu.push_back(floor.cpu_each());
        sample.floor_busy.push_back(floor.busy_each());
        sample.cpu.push_back(ours.cpu_each());
        sample.busy.push_back(ours.busy_each());
        sample.ratio.push_back(ours.cpu_each() / floor.cpu_each());
        sample.busy_ratio.push_back(ours.busy_each() / floor.busy_each());
        sample.wall.push_back(ours.wall_each());
        sample.children.push_back(ours.children_each());
        sample.allocations.push_back(static_cast<double>(ours.allocations) /
                                     static_cast<double>(ours.probes));
    }
    return sample;
}

std::string spread(const std::vector<double>& values) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2f-%.2f", quantile(values, 0.25), quantile(values, 0.75));
    return text;
}

std::vector<unsigned> numbers(const std::string& list) {
    std::vector<unsigned> result;
    for (const char* at = list.c_str(); *at != '\0';) {
        char* end = nullptr;
        result.push_back(static_cast<unsigned>(std::strtoul(at, &end, 10)));
        at = *end == ',' ? end + 1 : end;
    }
    return result;
}

int run_one(const Options& options, Load load) {
    const std::string side = options.text("one");
    const Kind kind = kind_of(options.text("kind", "tcp"));
    load.target = address(options.text("host", "127.0.0.1"),
                          static_cast<unsigned>(options.number("port", 0)));
    const Cost cost =
        side == "floor" ? floor_of(kind, load) : probe(kind, load, options.has("any-executor"));
    const std::uint64_t failures = side == "refused" ? cost.probes - cost.failures : cost.failures;
    std::printf("probes %llu failures %llu allocations %llu cpu_us %.2f\n",
                static_cast<unsigned long long>(cost.probes),
                static_cast<unsigned long long>(failures),
                static_cast<unsigned long long>(cost.allocations), cost.cpu_each());
    return failures == 0 ? 0 : 1;
}

int serve(const Options& options) {
    sockaddr_in where = address("0.0.0.0", static_cast<unsigned>(options.number("port", 0)));
    const int listener = listen_at(where);
    std::printf("%u\n", ntohs(where.sin_port));
    std::fflush(stdout);
    if (options.text("serve") == "http") serve_http(listener);
    serve_tcp(listener);
}

void tell_port(const char* variable, const sockaddr_in& server) {
    ::setenv(variable, std::to_string(ntohs(server.sin_port)).c_str(), 1);
}

int run_command(const std::string& command, bool own_network, unsigned server_core) {
    sockaddr_in tcp = address("0.0.0.0", 0);
    sockaddr_in http = tcp;
    const int tcp_listener = listen_at(tcp, Port::client);
    const int http_listener = listen_at(http, Port::client);
    const Child tcp_server{server_core, [&] { serve_tcp(tcp_listener); }};
    const Child http_server{server_core, [&] { serve_http(http_listener); }};
    tell_port("TCP_CLIENT_PORT", tcp);
    tell_port("HTTP_CLIENT_PORT", http);
    if (own_network) ::setenv("ANY_ADDRESS", other_address, 1);
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace

int main(int argc, char** argv) {
    const Options options{argc, argv, usage};
    if (options.has("serve")) return serve(options);
    const std::string only = options.text("kind");
    Load load{.count = options.number("count", only == "exec" ? 2000 : 20000),
              .warm_up = options.number("warm-up", 500)};
    load.in_flight = static_cast<unsigned>(options.number("in-flight", 64));
    load.locking = options.has("locking");
    load.close = way_to_close(options.text("close", "reset")); // as the floor does
    if (options.has("one")) return run_one(options, load);

    const bool own_network = enter_private_network();
    sockaddr_in tcp = address("0.0.0.0", 0);
    sockaddr_in http = tcp;
    const int tcp_listener = listen_at(tcp);
    const int http_listener = listen_at(http);
    const unsigned server_core = cores() - 1; // the client has the first
    const Child tcp_server{server_core, [&] { serve_tcp(tcp_listener); }};
    const Child http_server{server_core, [&] { serve_http(http_listener); }};

    if (options.has("run")) {
        tell_port("TCP_PORT", tcp);
        tell_port("HTTP_PORT", http);
        return run_command(options.text("run"), own_network, server_core);
    }

    std::vector<Comparison> comparisons;
    const auto add = [&](const char* name, Kind kind, const char* host, const sockaddr_in& server) {
        comparisons.push_back({name, kind, address(host, ntohs(server.sin_port))});
    };
    if (only.empty() || only == "tcp") {
        if (own_network) add("tcp, any address", Kind::tcp, other_address, tcp);
        add("tcp, loopback address", Kind::tcp, "127.0.0.1", tcp);
    }
    if (only.empty() || only == "http") {
        if (own_network) add("http, any address", Kind::http, other_address, http);
        add("http, loopback address", Kind::http, "127.0.0.1", http);
    }
    if (only.empty() || only == "exec") add("exec of /bin/true", Kind::exec, "127.0.0.1", tcp);

    Table table{{"probe", "in flight", "CPU ratio", "ratio, middle half", "busy loop ratio",
                 "busy, middle half", "floor CPU us", "probe CPU us", "probe busy us",
                 "child CPU us", "allocations per probe"}};
    const std::size_t resident = options.number("resident", 0);
    std::uint64_t failures = 0;
    grow(resident);
    for (const unsigned in_flight : numbers(options.text("in-flight", "64"))) {
        for (const Comparison& one : comparisons) {
            Load mine = load;
            mine.in_flight = in_flight;
            mine.target = one.target;
            const bool exec = one.kind == Kind::exec;
            if (exec && only.empty()) mine.count /= 10; // a process takes so much longer
            if (mine.warm_up < in_flight) mine.warm_up = in_flight;
            const Sample sample = compare(one, mine, options);
            failures += sample.failures;
            table.add(
                {one.name + (resident != 0 ? ", host of " + std::to_string(resident) + " MiB" : ""),
                 Cell(in_flight, 0), Cell(median(sample.ratio)), spread(sample.ratio),
                 Cell(median(sample.busy_ratio)), spread(sample.busy_ratio),
                 Cell(median(sample.floor_cpu), 1), Cell(median(sample.cpu), 1),
                 Cell(median(sample.busy), 1), exec ? Cell(median(sample.children), 0) : Cell("-"),
                 Cell(median(sample.allocations), 3)});
        }
    }
    table.print(options);
    if (failures != 0)
        std::fprintf(stderr, "%llu probes failed\n", static_cast<unsigned long long>(failures));
    return failures == 0 ? 0 : 1;
}
