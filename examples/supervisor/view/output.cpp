#include "view/output.hpp"

#include <cstdlib>

#include "view/json_output.hpp"
#include "view/text_output.hpp"

namespace supervisor {

std::unique_ptr<Output> make_output(OutputFormat format, LineWriter& writer,
                                    std::size_t name_width) {
    if (format == OutputFormat::json) return std::make_unique<JsonOutput>(writer);
    const char* no_color = std::getenv("NO_COLOR");
    const bool colored = writer.is_terminal() && (no_color == nullptr || *no_color == '\0');
    const TextStyle style{
        .wide = format == OutputFormat::wide, .colored = colored, .name_width = name_width};
    return std::make_unique<TextOutput>(writer, style);
}

} // namespace supervisor
