#include "manifest/fields.hpp"

#include <algorithm>

namespace supervisor {

void report_not_honoured(Fields& fields, std::initializer_list<std::string_view> meaningless,
                         Notices& notices) {
    for (const std::string& name : fields.others()) {
        const Json& value = *fields.find(name);
        const bool asks_for_nothing = value.is_structured() && value.empty();
        if (!asks_for_nothing && std::ranges::find(meaningless, name) == meaningless.end())
            notices.push_back({fields.path(name)});
    }
}

} // namespace supervisor
