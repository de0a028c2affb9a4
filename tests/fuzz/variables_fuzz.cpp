// $(VAR): the same as by Go's loop over the bytes, in time in proportion to the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/kubernetes/variables.hpp>

#include "bytes.hpp"
#include "expect.hpp"

namespace {

using probekit::kubernetes::Variables;

/// As Kubernetes' package expansion goes about it. (That writes the byte behind a lone `$` as a
/// character of Latin-1; here it stays as it is.)
std::string expanded_byte_by_byte(std::string_view text, const Variables& variables) {
    std::string result;
    for (std::size_t at = 0; at != text.size(); ++at) {
        if (text[at] != '$' || at + 1 == text.size()) {
            result += text[at];
            continue;
        }
        const char next = text[++at];
        if (next != '(') {
            if (next != '$') result += '$';
            result += next;
            continue;
        }
        std::string name;
        std::size_t end = at + 1;
        while (end != text.size() && text[end] != ')') name += text[end++];
        if (end == text.size()) {
            result += "$(";
            continue;
        }
        const auto found = variables.find(name);
        result += found == variables.end() ? "$(" + name + ")" : found->second;
        at = end;
    }
    return result;
}

/// Takes bytes up to 0xff.
std::string_view take_part(std::string_view& rest) {
    const std::string_view part = rest.substr(0, rest.find('\xff'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    return part;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const std::size_t times = std::size_t{1} << input.below(9);
    std::string_view rest = input.rest();
    const std::string_view text = take_part(rest);
    Variables variables;
    while (!rest.empty()) {
        const std::string_view name = take_part(rest);
        variables.insert_or_assign(std::string{name}, std::string{take_part(rest)});
    }
    fuzz::expect(probekit::kubernetes::expand_variables(text, variables) ==
                     expanded_byte_by_byte(text, variables),
                 "references are replaced as by Kubernetes");

    std::string repeated;
    for (std::size_t i = 0; i != times; ++i) repeated += text;
    std::size_t looked_for = 0;
    std::size_t given = 0;
    const std::string result =
        probekit::kubernetes::expand_variables(repeated, [&](std::string_view name) {
            looked_for += name.size() + 3;
            const auto found = variables.find(name);
            given += found == variables.end() ? 0 : found->second.size();
            return found == variables.end() ? nullptr : &found->second;
        });
    fuzz::expect(looked_for <= repeated.size(), "a byte belongs to one name at most");
    fuzz::expect(result.size() <= repeated.size() + given, "nothing but values is added");
    return 0;
}
