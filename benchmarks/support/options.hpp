// Command lines of the form --name=value and --name.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include <probekit/core/actions.hpp>

namespace bench {

class Options {
public:
    // `usage` names all options there are; anything else on the command line ends the program.
    Options(int argc, char** argv, const char* usage) {
        for (int i = 1; i < argc; ++i) {
            const std::string_view word = argv[i];
            const std::size_t equals = word.find('=');
            const std::string name{word.substr(0, equals)};
            const bool known = name.starts_with("--") &&
                               std::string_view{usage}.find(name) != std::string_view::npos;
            if (!known) {
                std::fprintf(stderr, "usage: %s %s\n", argv[0], usage);
                std::exit(2);
            }
            given_[name.substr(2)] =
                equals == std::string_view::npos ? "" : std::string{word.substr(equals + 1)};
        }
    }

    [[nodiscard]] bool has(const std::string& name) const { return given_.contains(name); }
    [[nodiscard]] std::string text(const std::string& name,
                                   const std::string& otherwise = {}) const {
        const auto found = given_.find(name);
        return found == given_.end() ? otherwise : found->second;
    }
    [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
        const auto found = given_.find(name);
        return found == given_.end() ? otherwise
                                     : std::strtoull(found->second.c_str(), nullptr, 10);
    }

private:
    std::map<std::string, std::string> given_;
};

// Of a TCP probe, by its name; any other ends the program.
[[nodiscard]] inline probekit::TcpClose way_to_close(const std::string& name) {
    using enum probekit::TcpClose;
    if (name == "silent") return silent;
    if (name == "reset") return reset;
    if (name == "orderly") return orderly;
    if (name == "linger") return linger;
    std::fprintf(stderr, "no such way to close: %s\n", name.c_str());
    std::exit(2);
}

} // namespace bench
