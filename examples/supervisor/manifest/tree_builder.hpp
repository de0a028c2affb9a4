#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "manifest/document.hpp"

namespace supervisor {

/// Builds JSON values from the events of a text, whichever language it is in. Has the limits of
/// both: depth, and the number of values and documents of one text. Throws DocumentError.
class TreeBuilder {
public:
    explicit TreeBuilder(Documents& documents) noexcept : documents_(documents) {}

    /// Begins an object or an array; what is put goes there until it is closed.
    void open(Json empty, std::size_t line);
    /// Throws if so many levels more would be too many.
    void check_depth(std::size_t more, std::size_t line) const;
    /// Closes the innermost object or array and returns it, with the line on which it began; the
    /// caller puts it.
    [[nodiscard]] Document close();

    /// Whether the next thing is the key of a value.
    [[nodiscard]] bool expects_key() const noexcept;
    void key(std::string name, std::size_t line);
    /// The next value is merged into the object: a map, or a sequence of maps of which earlier ones
    /// win. As in kubectl, what stands later in the object wins.
    void merge_key() noexcept;

    /// A value of the object or array that is open, or if none is, a whole document.
    void put(Json value, std::size_t line);

private:
    struct Key {
        std::size_t index = 0;
        bool merged = false; // came from another map only
    };
    struct Level {
        Json value = {};
        std::size_t line = 0;
        std::map<std::string, Key, std::less<>> keys = {}; // of an object
        std::string key = {};
        bool has_key = false;
        bool merges = false;
    };

    void set(Level& level, const std::string& name, Json value, bool merged);
    void merge(Level& level, Json source, std::size_t line);

    Documents& documents_;
    std::vector<Level> open_ = {};
    std::size_t values_ = 0;
};

} // namespace supervisor
