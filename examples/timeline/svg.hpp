// SVG elements, a line each.
#pragma once

#include <string>
#include <string_view>

namespace timeline {

class Svg {
public:
    void rect(double x, double y, double width, double height, std::string_view css_class,
              std::string_view title = {});
    void line(double x1, double y1, double x2, double y2, std::string_view css_class);
    void circle(double x, double y, double radius, std::string_view css_class,
                std::string_view title = {});
    /// `css_class` is the element's class, in all of these.
    void text(double x, double y, std::string_view css_class, std::string_view words);

    /// The document: what was drawn, on a card of this size. `style` is CSS, `defs` are elements,
    /// `title` is text.
    [[nodiscard]] std::string document(double width, double height, std::string_view title,
                                       std::string_view style, std::string_view defs) const;

private:
    void end_with_title(std::string_view element, std::string_view title);

    std::string body_ = {};
};

/// With what XML gives a meaning to written otherwise, and without what it forbids.
[[nodiscard]] std::string escaped(std::string_view text);

} // namespace timeline
