#include "manifest/yaml.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <yaml.h>

#include <probekit/core/go_text.hpp>

#include "manifest/base64.hpp"
#include "manifest/tree_builder.hpp"

namespace supervisor {
namespace {

/// How much memory a value takes, roughly, and how many levels it has.
struct Extent {
    std::size_t bytes = sizeof(Json);
    std::size_t levels = 0;

    void add(const Extent& part) {
        bytes += part.bytes;
        levels = std::max(levels, part.levels + 1);
    }
};

Extent extent_of(const Json& value) {
    Extent extent;
    if (value.is_string()) extent.bytes += value.get_ref<const std::string&>().size();
    if (value.is_array())
        for (const Json& item : value) extent.add(extent_of(item));
    if (value.is_object())
        for (const auto& [name, item] : value.get_ref<const Json::object_t&>()) {
            extent.bytes += sizeof name + name.size();
            extent.add(extent_of(item));
        }
    return extent;
}

struct DeleteEvent {
    void operator()(yaml_event_t* event) const noexcept { yaml_event_delete(event); }
};

/// libyaml refuses a colon before a bracket or a comma in the flow style; for kubectl it belongs to
/// the text: [fd00::]. Such colons are replaced until the text has been taken in.
class ColonStandIn {
public:
    /// Replaces the colon at `index`, counted in characters. False if none stands there.
    [[nodiscard]] bool put_in(std::string& text, std::size_t index) {
        const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
        std::size_t at = 0;
        for (; at != text.size(); ++at)
            if (begins(text[at]) && index-- == 0) break;
        if (at == text.size() || text[at] != ':') return false;
        for (char last = '\x80'; bytes_.empty() && last != '\xc0'; ++last)
            if (const std::string unused{'\xee', '\x80', last}; text.find(unused) == text.npos)
                bytes_ = unused;
        text.replace(at, 1, bytes_);
        return !bytes_.empty();
    }

    [[nodiscard]] std::string taken_out(std::string text) const {
        for (std::size_t at = 0; !bytes_.empty() && (at = text.find(bytes_, at)) != text.npos;)
            text.replace(at, bytes_.size(), ":");
        return text;
    }

private:
    std::string bytes_; // a character of a private-use area that the text does not have
};

/// A colon for which there must be a stand-in.
struct UnexpectedColon {
    std::size_t index; // in characters
    std::size_t line;
};

/// Builds the values of one text from libyaml's events.
class YamlReader {
public:
    YamlReader(const std::string& text, std::size_t first_line, const ColonStandIn& colons,
               Documents& documents)
        : text_(text), first_line_(first_line), colons_(colons), tree_(documents) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc{};
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text_.data()),
                                     text_.size());
    }
    YamlReader(const YamlReader&) = delete;
    YamlReader& operator=(const YamlReader&) = delete;
    ~YamlReader() { yaml_parser_delete(&parser_); }

    void read() {
        for (bool goes_on = true; goes_on;) {
            yaml_event_t event{};
            if (yaml_parser_parse(&parser_, &event) == 0) fail();
            const std::unique_ptr<yaml_event_t, DeleteEvent> owner{&event};
            goes_on = event.type != YAML_STREAM_END_EVENT;
            take(event);
        }
    }

private:
    /// A value with a name.
    struct Anchored {
        Json value = {};
        Extent extent = {};
    };

    // Aliases can make a short text extremely long: they may add so many bytes.
    static constexpr std::size_t max_copied = 32 * 1024 * 1024;

    [[nodiscard]] std::size_t line_of(const yaml_mark_t& mark) const {
        return first_line_ + mark.line;
    }

    [[noreturn]] void fail() const {
        const std::string problem = parser_.problem == nullptr ? "no memory" : parser_.problem;
        std::size_t line = line_of(parser_.problem_mark);
        if (problem == "found unexpected ':'")
            throw UnexpectedColon{parser_.problem_mark.index, line};
        if (parser_.error == YAML_SCANNER_ERROR && parser_.context != nullptr)
            line = line_of(parser_.context_mark); // where the unclosed quote begins
        // Not behind the last line break; of what cannot be read there is only the place in bytes.
        std::string_view before{text_.data(), text_.size() - 1};
        if (parser_.error == YAML_READER_ERROR) before = before.substr(0, parser_.problem_offset);
        const std::size_t last =
            first_line_ + static_cast<std::size_t>(std::ranges::count(before, '\n'));
        if (parser_.error == YAML_READER_ERROR || line > last) line = last;
        throw DocumentError{line, problem};
    }

    void take(const yaml_event_t& event) {
        const std::size_t line = line_of(event.start_mark);
        switch (event.type) {
        case YAML_DOCUMENT_START_EVENT:
            anchors_.clear();
            separator_ = event.data.document_start.implicit == 0 ? line_of(event.end_mark) : 0;
            return;
        case YAML_ALIAS_EVENT: return alias(text_of(event.data.alias.anchor), line);
        case YAML_SCALAR_EVENT: return scalar(event, line);
        case YAML_SEQUENCE_START_EVENT:
            return open(Json::array(), event.data.sequence_start.anchor, line);
        case YAML_MAPPING_START_EVENT:
            return open(Json::object(), event.data.mapping_start.anchor, line);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT: return close();
        default: return;
        }
    }

    void open(Json empty, const yaml_char_t* anchor, std::size_t line) {
        check_separator(line);
        if (tree_.expects_key()) throw DocumentError{line, "a key must be a string"};
        open_anchors_.push_back(text_of(anchor));
        if (anchor != nullptr) anchors_.insert_or_assign(open_anchors_.back(), std::nullopt);
        tree_.open(std::move(empty), line);
    }

    void close() {
        Document closed = tree_.close();
        remember(open_anchors_.back(), closed.value, closed.line);
        open_anchors_.pop_back();
        tree_.put(std::move(closed.value), closed.line);
    }

    void scalar(const yaml_event_t& event, std::size_t line) {
        check_separator(line);
        const auto& given = event.data.scalar;
        const bool plain = given.style == YAML_PLAIN_SCALAR_STYLE && given.plain_implicit != 0;
        std::string text{reinterpret_cast<const char*>(given.value), given.length};
        if (plain) text = colons_.taken_out(std::move(text));
        Json value = plain ? plain_scalar(text) : tagged(text, text_of(given.tag), line);
        if (value.is_number_float() && !std::isfinite(value.get<double>()))
            throw DocumentError{line, text + " is no value of JSON"};
        remember(text_of(given.anchor), value, line);
        if (plain && text == "<<" && tree_.expects_key()) return tree_.merge_key();
        put(std::move(value), line);
    }

    /// A scalar with quotes or with a tag.
    [[nodiscard]] static Json tagged(const std::string& text, std::string_view tag,
                                     std::size_t line) {
        constexpr std::string_view core = "tag:yaml.org,2002:";
        if (!tag.starts_with(core)) return text;
        tag.remove_prefix(core.size());
        if (tag == "binary") {
            if (auto bytes = from_base64(text)) return *std::move(bytes);
            throw DocumentError{line, "!!binary value contains invalid base64 data"};
        }
        Json value = plain_scalar(text);
        if (tag == "int"
                ? !value.is_number_integer()
                : (tag == "float" && !value.is_number()) ||
                      (tag == "bool" && !value.is_boolean()) || (tag == "null" && !value.is_null()))
            throw DocumentError{line, "cannot decode `" + text + "` as a !!" + std::string{tag}};
        constexpr std::array<std::string_view, 4> typed{"int", "float", "bool", "null"};
        return std::ranges::find(typed, tag) == typed.end() ? Json(text) : value;
    }

    void alias(const std::string& name, std::size_t line) {
        check_separator(line);
        const auto found = anchors_.find(name);
        if (found == anchors_.end())
            throw DocumentError{line,
                                "unknown anchor " + probekit::go_quoted(name) + " referenced"};
        if (!found->second)
            throw DocumentError{line,
                                "anchor " + probekit::go_quoted(name) + " value contains itself"};
        tree_.check_depth(found->second->extent.levels, line);
        spend(found->second->extent.bytes, line);
        put(found->second->value, line);
    }

    void remember(const std::string& anchor, const Json& value, std::size_t line) {
        if (anchor.empty()) return;
        const Extent extent = extent_of(value);
        spend(extent.bytes, line);
        anchors_.insert_or_assign(anchor, Anchored{value, extent});
    }

    void spend(std::size_t bytes, std::size_t line) {
        copied_ += bytes;
        if (copied_ > max_copied) throw DocumentError{line, "document contains excessive aliasing"};
    }

    void put(Json value, std::size_t line) {
        if (!tree_.expects_key()) return tree_.put(std::move(value), line);
        if (value.is_string()) return tree_.key(std::move(value.get_ref<std::string&>()), line);
        if (value.is_null() || value.is_structured())
            throw DocumentError{line, "a key must be a string"};
        tree_.key(value.dump(), line);
    }

    /// As in kubectl, nothing but a comment stands behind `---`.
    void check_separator(std::size_t line) {
        if (std::exchange(separator_, 0) == line)
            throw DocumentError{line, "invalid Yaml document separator"};
    }

    [[nodiscard]] static std::string text_of(const yaml_char_t* text) {
        return text == nullptr ? std::string{} : reinterpret_cast<const char*>(text);
    }

    const std::string& text_;
    std::size_t first_line_;
    const ColonStandIn& colons_;
    TreeBuilder tree_;
    yaml_parser_t parser_{};
    std::map<std::string, std::optional<Anchored>> anchors_ = {}; // nothing while it is being read
    std::vector<std::string> open_anchors_ = {}; // of the maps and sequences that go on
    std::size_t separator_ = 0;                  // the line of the `---` before what comes
    std::size_t copied_ = 0;
};

/// libyaml compares each of them with all before it, and writes its prefix out for each of its tags.
void check_directives(std::string_view text, std::size_t line) {
    constexpr std::size_t most = 100;
    constexpr std::size_t longest = 256;
    std::size_t count = 0;
    for (std::size_t end = 0; end != std::string_view::npos; ++line) {
        if (text.starts_with("%TAG") && ++count > most)
            throw DocumentError{line, "more than " + std::to_string(most) + " directives"};
        end = text.find('\n');
        if (text.starts_with("%TAG") && std::min(end, text.size()) > longest)
            throw DocumentError{line,
                                "a directive of more than " + std::to_string(longest) + " bytes"};
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

/// Without the byte order marks beside `---`, where files of Windows were put one after the other.
std::string without_inner_marks(std::string_view text) {
    constexpr std::string_view mark = "\n\xef\xbb\xbf";
    std::string result;
    for (std::size_t at = 0; (at = text.find(mark)) != std::string_view::npos;) {
        const std::size_t line = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
        const bool beside =
            text.substr(at + mark.size()).starts_with("---") ||
            text.substr(line == std::string_view::npos ? 0 : line + 1).starts_with("---");
        result.append(text.substr(0, at + (beside ? 1 : mark.size())));
        text.remove_prefix(at + mark.size());
    }
    return result.append(text);
}

} // namespace

void parse_yaml(std::string_view text, std::size_t first_line, Documents& documents) {
    check_directives(text, first_line);
    std::string whole = without_inner_marks(text);
    // A block of text that ends there has one; UTF-16 brings its own.
    if (!whole.ends_with('\n') && !whole.starts_with('\xff') && !whole.starts_with('\xfe'))
        whole += '\n';
    // Of reading the text again, in bytes: some times where it is long, more often where not.
    const std::size_t most_work = std::max<std::size_t>(8 * 1024 * 1024, 4 * whole.size());
    ColonStandIn colons;
    const std::size_t documents_before = documents.all.size();
    const std::size_t duplicates_before = documents.duplicates.size();
    for (std::size_t work = 0;; work += whole.size()) {
        try {
            return YamlReader{whole, first_line, colons, documents}.read();
        } catch (const UnexpectedColon& colon) {
            if (work > most_work || !colons.put_in(whole, colon.index))
                throw DocumentError{colon.line, "found unexpected ':'"};
            documents.all.resize(documents_before);
            documents.duplicates.resize(duplicates_before);
        }
    }
}

} // namespace supervisor
