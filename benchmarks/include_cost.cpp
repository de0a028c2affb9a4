// What does it cost to include a header? Each public header beside the Asio headers that it needs:
// the compiler's CPU time and the most memory it takes, for a file that does nothing but include
// it. With --parts, what one header's cost is made of.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/options.hpp>
#include <support/statistics.hpp>
#include <support/table.hpp>

using namespace bench;

namespace {

struct Compiling {
    double cpu_s = 0;
    double memory_mb = 0;
};

class Compiler {
public:
    Compiler(std::string command, std::filesystem::path folder)
        : command_(std::move(command)), source_(folder / "include_cost_source.cpp") {}
    Compiler(const Compiler&) = delete;
    Compiler& operator=(const Compiler&) = delete;
    ~Compiler() { std::filesystem::remove(source_); }

    Compiling run(const std::string& text) const {
        std::ofstream{source_} << text;
        std::istringstream words{command_};
        std::vector<std::string> arguments;
        for (std::string word; words >> word;) arguments.push_back(word);
        for (const char* word : {"-c", "-o", "/dev/null"}) arguments.emplace_back(word);
        arguments.push_back(source_.string());
        const pid_t pid = ::fork();
        if (pid == 0) {
            std::vector<char*> pointers;
            for (std::string& argument : arguments) pointers.push_back(argument.data());
            pointers.push_back(nullptr);
            ::execvp(pointers[0], pointers.data());
            std::perror(pointers[0]);
            ::_exit(127);
        }
        int status = -1;
        rusage used = {};
        ::wait4(pid, &status, 0, &used); // of the driver and what it has run
        if (status != 0) {
            std::fprintf(stderr, "does not compile:\n%s", text.c_str());
            std::exit(1);
        }
        const auto seconds = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
        };
        return {seconds(used.ru_utime) + seconds(used.ru_stime),
                static_cast<double>(used.ru_maxrss) / 1024};
    }

private:
    std::string command_;
    std::filesystem::path source_;
};

// What is named in a header of ours, or in one of ours that it includes.
struct Needed {
    std::set<std::string> ours;
    std::set<std::string> asio;
    std::set<std::string> standard;
};

void collect(const std::filesystem::path& include, const std::string& header, Needed& needed) {
    if (!needed.ours.insert(header).second) return;
    std::ifstream file{include / header};
    static const std::regex form{R"(^\s*#\s*include\s*<([^>]*)>.*)"};
    std::smatch found;
    for (std::string line; std::getline(file, line);) {
        if (!std::regex_match(line, found, form)) continue;
        const std::string name = found[1];
        if (name.starts_with("probekit/"))
            collect(include, name, needed);
        else if (name.starts_with("asio"))
            needed.asio.insert(name);
        else if (name.find_first_of("./") ==
                 std::string::npos) // the system's own cost next to nothing
            needed.standard.insert(name);
    }
}

std::string including(const std::set<std::string>& headers) {
    std::string text;
    for (const std::string& header : headers) text += "#include <" + header + ">\n";
    return text;
}

// What the cost of a header is made of: one row, beside the first, for each step from its Asio
// headers to itself.
Table parts(const Compiler& compiler, const std::string& header, const Needed& needed,
            std::uint64_t rounds) {
    const std::vector<std::pair<std::string, std::string>> steps{
        {"its Asio headers", including(needed.asio)},
        {"these, and its headers of the standard library",
         including(needed.asio) + including(needed.standard)},
        {header, including({header})},
        {"asio.hpp, which is all of Asio", including({"asio.hpp"})},
        {"both of these", including({"asio.hpp", header})}};
    std::vector<std::vector<double>> seconds(steps.size()), memory(steps.size()),
        ratio(steps.size());
    for (std::uint64_t round = 0; round != rounds; ++round)
        for (std::size_t step = 0; step != steps.size(); ++step) {
            const Compiling cost = compiler.run(steps[step].second);
            seconds[step].push_back(cost.cpu_s);
            memory[step].push_back(cost.memory_mb);
            ratio[step].push_back(cost.cpu_s / seconds[0].back());
        }
    Table table{{"included", "CPU s", "MB", "CPU ratio", "memory ratio"}};
    for (std::size_t step = 0; step != steps.size(); ++step)
        table.add({steps[step].first, Cell(median(seconds[step]), 2), Cell(median(memory[step]), 0),
                   Cell(median(ratio[step]), 2),
                   Cell(median(memory[step]) / median(memory[0]), 2)});
    return table;
}

} // namespace

int main(int argc, char** argv) {
    const Options options{argc, argv,
                          "--root=FOLDER [--compiler=COMMAND] [--header=H [--parts]] [--pairs=N] "
                          "[--json] [--columns]"};
    const std::filesystem::path include =
        std::filesystem::path{options.text("root", ".")} / "include";
    const std::string command =
        options.text("compiler", "g++ -std=c++20 -O2") + " -DASIO_STANDALONE -I" + include.string();
    const Compiler compiler{command, std::filesystem::temp_directory_path()};

    std::vector<std::string> headers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{include / "probekit"}) {
        const std::string name = std::filesystem::relative(entry.path(), include).string();
        const bool counts = name.ends_with(".hpp") && name.find("/detail/") == std::string::npos &&
                            name.find("/impl/") == std::string::npos;
        // The optional rooms need libraries of others, whose cost is theirs.
        const bool optional_room =
            name.starts_with("probekit/tls/") || name.starts_with("probekit/grpc/") ||
            name.starts_with("probekit/kubernetes/") || name.starts_with("probekit/observe/");
        if (counts && !optional_room) headers.push_back(name);
    }
    std::sort(headers.begin(), headers.end());
    if (options.has("header")) headers = {options.text("header")};

    const std::uint64_t pairs = options.number("pairs", 1);
    if (options.has("parts")) {
        Needed needed;
        collect(include, headers.front(), needed);
        parts(compiler, headers.front(), needed, pairs).print(options);
        return 0;
    }
    std::map<std::string, Compiling> known; // many headers need the same of Asio
    Table table{
        {"header", "CPU s", "MB", "its Asio headers: CPU s", "MB ", "CPU ratio", "memory ratio"}};
    for (const std::string& header : headers) {
        Needed need;
        collect(include, header, need);
        std::vector<double> ours_s, ours_mb, asio_s, asio_mb, ratio, memory_ratio;
        for (std::uint64_t pair = 0; pair != pairs; ++pair) {
            const Compiling ours = compiler.run(including({header}));
            ours_s.push_back(ours.cpu_s);
            ours_mb.push_back(ours.memory_mb);
            if (need.asio.empty()) continue;
            const std::string needed = including(need.asio);
            if (pairs != 1 || !known.contains(needed)) known[needed] = compiler.run(needed);
            if (known[needed].cpu_s < 0.1) continue; // names alone: nothing to compare with
            asio_s.push_back(known[needed].cpu_s);
            asio_mb.push_back(known[needed].memory_mb);
            ratio.push_back(ours.cpu_s / known[needed].cpu_s);
            memory_ratio.push_back(ours.memory_mb / known[needed].memory_mb);
        }
        const auto cell = [&](const std::vector<double>& values, int digits) {
            return values.empty() ? Cell("-") : Cell(median(values), digits);
        };
        table.add({header, cell(ours_s, 2), cell(ours_mb, 0), cell(asio_s, 2), cell(asio_mb, 0),
                   cell(ratio, 2), cell(memory_ratio, 2)});
    }
    table.print(options);
}
