#include "manifest/document.hpp"

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "manifest/tree_builder.hpp"
#include "manifest/yaml.hpp"

namespace supervisor {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// What is left of a text, and the line on which that begins.
struct Rest {
    std::string_view text = {};
    std::size_t line = 1;

    void skip() {
        if (text.front() == '\n') ++line;
        text.remove_prefix(1);
    }
    void skip_white_space() {
        while (!text.empty() && white_space.find(text.front()) != std::string_view::npos) skip();
    }
};

/// Takes the characters of a Rest, so that the line is known at any moment; made without one, the
/// end of it.
class RestIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    explicit RestIterator(Rest* rest = nullptr) noexcept : rest_(rest) {}

    reference operator*() const noexcept { return rest_->text.front(); }
    RestIterator& operator++() {
        rest_->skip();
        return *this;
    }
    RestIterator operator++(int) {
        ++*this;
        return *this;
    }
    friend bool operator==(const RestIterator& a, const RestIterator& b) noexcept {
        return a.is_at_end() == b.is_at_end();
    }

private:
    [[nodiscard]] bool is_at_end() const noexcept {
        return rest_ == nullptr || rest_->text.empty();
    }

    Rest* rest_;
};

/// Passes on what the parser of JSON finds.
class JsonReader final : public nlohmann::json_sax<Json> {
public:
    JsonReader(const Rest& rest, TreeBuilder& tree) noexcept : rest_(rest), tree_(tree) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(Json::number_integer_t value) override { return put(value); }
    bool number_unsigned(Json::number_unsigned_t value) override { return put(value); }
    bool number_float(Json::number_float_t value, const std::string&) override {
        return put(value);
    }
    bool string(std::string& value) override { return put(std::move(value)); }
    bool binary(Json::binary_t&) override { return false; } // JSON has none
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        tree_.key(std::move(name), rest_.line);
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
        constexpr std::size_t longest = 300;  // the token that is wrong may be of any length
        std::string_view what = error.what(); // "[...] parse error at line 1, column 5: syntax ..."
        if (const std::size_t colon = what.find(": "); colon != std::string_view::npos)
            what.remove_prefix(colon + 2);
        throw DocumentError{rest_.line,
                            "is not valid JSON: " + std::string{what.substr(0, longest)}};
    }

private:
    bool put(Json value) {
        tree_.put(std::move(value), rest_.line);
        return true;
    }
    bool open(Json empty) {
        tree_.open(std::move(empty), rest_.line);
        return true;
    }
    bool close() {
        Document closed = tree_.close();
        tree_.put(std::move(closed.value), closed.line);
        return true;
    }

    const Rest& rest_;
    TreeBuilder& tree_;
};

} // namespace

Documents parse_documents(std::string_view text) {
    Documents documents;
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    Rest rest{.text = text};
    rest.skip_white_space();
    if (!rest.text.starts_with('{')) {
        parse_yaml(text, 1, documents);
        return documents;
    }
    TreeBuilder tree{documents};
    JsonReader reader{rest, tree};
    while (!rest.text.empty() && !rest.text.starts_with("---")) {
        constexpr bool nothing_may_follow = false;
        Json::sax_parse(RestIterator{&rest}, RestIterator{}, &reader, Json::input_format_t::json,
                        nothing_may_follow);
        rest.skip_white_space();
    }
    if (!rest.text.empty()) parse_yaml(rest.text, rest.line, documents);
    return documents;
}

} // namespace supervisor
