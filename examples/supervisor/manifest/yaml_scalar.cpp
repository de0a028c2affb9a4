// The types of plain YAML scalars, by the rules of the YAML library that kubectl is built with.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "manifest/yaml.hpp"

namespace supervisor {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words)
        if (text == word) return true;
    return false;
}

/// Words that stand for a value.
std::optional<Json> word(std::string_view text) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Json(nullptr);
    if (is_one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}))
        return Json(true);
    if (is_one_of(text,
                  {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"}))
        return Json(false);
    if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return Json(infinity);
    if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"})) return Json(-infinity);
    if (is_one_of(text, {".nan", ".NaN", ".NAN"}))
        return Json(std::numeric_limits<double>::quiet_NaN());
    return std::nullopt;
}

template <class Integer>
std::optional<Integer> digits(std::string_view text, int base) {
    Integer value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

/// Decimal, 0x, 0o, 0b, and octal with nothing but a leading 0.
std::optional<Json> integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.size() > 1 && text[0] == '0') {
        base = 8;
        if (text[1] == 'x' || text[1] == 'X') base = 16;
        if (text[1] == 'b' || text[1] == 'B') base = 2;
        const bool letter = base != 8 || text[1] == 'o' || text[1] == 'O';
        text.remove_prefix(letter ? 2 : 1);
    }
    const std::optional<std::uint64_t> magnitude = digits<std::uint64_t>(text, base);
    if (!magnitude) return std::nullopt;
    if (!negative) return Json(*magnitude);
    constexpr std::uint64_t least = std::uint64_t{1} << 63;
    if (*magnitude > least) return std::nullopt;
    return Json(static_cast<std::int64_t>(std::uint64_t{0} - *magnitude));
}

/// Whether the text has the form [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_decimal(std::string_view text) {
    const auto take = [&text](std::string_view characters, std::size_t most) {
        const std::size_t length =
            std::min({text.find_first_not_of(characters), text.size(), most});
        text.remove_prefix(length);
        return length;
    };
    constexpr std::size_t any = std::numeric_limits<std::size_t>::max();
    constexpr std::string_view numerals = "0123456789";
    take("+-", 1);
    std::size_t count = take(numerals, any);
    if (take(".", 1) != 0) count += take(numerals, any);
    if (count == 0) return false;
    if (take("eE", 1) == 0) return text.empty();
    take("+-", 1);
    return take(numerals, any) != 0 && text.empty();
}

/// A number without a fraction becomes an integer, as in the JSON that kubectl sends.
std::optional<Json> decimal(std::string_view text) {
    if (!is_decimal(text)) return std::nullopt;
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    constexpr double exact = 9007199254740992; // 2^53: up to here every integer is a double
    if (value == std::trunc(value) && std::abs(value) <= exact)
        return Json(static_cast<std::int64_t>(value));
    return Json(value);
}

} // namespace

Json plain_scalar(std::string_view text) {
    if (const auto value = word(text)) return *value;
    if (std::string_view{"+-.0123456789"}.find(text.front()) == std::string_view::npos)
        return Json(text);
    std::string number;
    for (const char c : text)
        if (c != '_') number += c;
    if (text.front() != '.')
        if (const auto value = integer(number)) return *value;
    if (const auto value = decimal(text.front() == '.' ? text : std::string_view{number}))
        return *value;
    return Json(text);
}

} // namespace supervisor
