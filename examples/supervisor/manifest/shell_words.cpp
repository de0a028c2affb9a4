#include "manifest/shell_words.hpp"

#include <cstddef>
#include <utility>

namespace supervisor {

std::optional<std::vector<std::string>> shell_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false; // "" is a word too
    char quote = 0;
    for (std::size_t i = 0; i != text.size(); ++i) {
        const char c = text[i];
        if (quote == '\'') {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\\') {
            if (++i == text.size()) return std::nullopt;
            // In double quotes the backslash stays, except before special characters.
            const bool special =
                std::string_view{"$`\"\\\n"}.find(text[i]) != std::string_view::npos;
            if (quote == '"' && !special) word += c;
            // A backslash before the end of a line joins the lines.
            if (text[i] == '\n') continue;
            word += text[i];
            in_word = true;
        } else if (quote == '"') {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n') {
            if (std::exchange(in_word, false)) words.push_back(std::exchange(word, {}));
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) return std::nullopt;
    if (in_word) words.push_back(std::move(word));
    return words;
}

} // namespace supervisor
