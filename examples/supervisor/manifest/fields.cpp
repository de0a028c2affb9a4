#include "manifest/fields.hpp"

#include <algorithm>

namespace supervisor {

void report_not_honoured(Fields& fields, std::initializer_list<std::string_view> meaningless,
                         Notices& notices) {
    fields.for_each_other([&](const std::string& name, const Json& value) {
        const bool asks_for_nothing = value.is_structured() && value.empty();
        if (!asks_for_nothing && std::ranges::find(meaningless, name) == meaningless.end())
            notices.push_back({fields.path(name)});
    });
}

} // namespace supervisor
