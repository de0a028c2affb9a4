#include "manifest/shell_words.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using supervisor::shell_words;
using Words = std::vector<std::string>;

TEST_CASE("commands are split as a POSIX shell splits them") {
    const auto [text, words] = GENERATE(table<std::string_view, Words>({
        {"", {}},
        {" \t\n ", {}},
        {"nginx", {"nginx"}},
        {"  a  b\tc\nd  ", {"a", "b", "c", "d"}},
        {"sh -c 'sleep 5; exit 1'", {"sh", "-c", "sleep 5; exit 1"}},
        {R"(a "b c" d)", {"a", "b c", "d"}},
        {R"('' "")", {"", ""}},
        {R"(a''b"c"'d')", {"abcd"}},
        {R"("it's" 'say "x"')", {"it's", "say \"x\""}},
        {R"(a\ b \' \" \\)", {"a b", "'", "\"", "\\"}},
        {R"('a\b')", {"a\\b"}},
        {R"("a\b \" \\ \$ \`")", {"a\\b \" \\ $ `"}},
        {"a\\\nb \"c\\\nd\" 'e\\\nf'", {"ab", "cd", "e\\\nf"}},
        {"\\\n", {}},
        {"a #b $HOME *", {"a", "#b", "$HOME", "*"}},
    }));
    CAPTURE(text);
    CHECK(shell_words(text) == words);
}

TEST_CASE("what a shell would want completed is no command") {
    const std::string_view text = GENERATE("'", "\"", "a 'b", "a \"b", "a\\", "\"a\\\"", "'a\\'b'");
    CAPTURE(text);
    CHECK_FALSE(shell_words(text));
}
