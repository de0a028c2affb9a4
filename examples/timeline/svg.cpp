#include "svg.hpp"

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace timeline {
namespace {

/// To a tenth of a pixel, without a locale's ideas.
std::string number(double value) {
    const auto tenths = std::llround(value * 10);
    std::string text = tenths < 0 ? "-" : "";
    const auto size = std::llabs(tenths);
    text += std::to_string(size / 10);
    if (size % 10 != 0) text += "." + std::to_string(size % 10);
    return text;
}

std::string attributes(std::initializer_list<std::pair<const char*, double>> numbers,
                       std::string_view css_class) {
    std::string text;
    for (const auto& [name, value] : numbers)
        text += std::string{" "} + name + "=\"" + number(value) + '"';
    return text + " class=\"" + escaped(css_class) + '"';
}

} // namespace

void Svg::rect(double x, double y, double width, double height, std::string_view css_class,
               std::string_view title) {
    body_ +=
        "<rect" + attributes({{"x", x}, {"y", y}, {"width", width}, {"height", height}}, css_class);
    end_with_title("rect", title);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
    body_ += "<line" + attributes({{"x1", x1}, {"y1", y1}, {"x2", x2}, {"y2", y2}}, css_class);
    end_with_title("line", {});
}

void Svg::circle(double x, double y, double radius, std::string_view css_class,
                 std::string_view title) {
    body_ += "<circle" + attributes({{"cx", x}, {"cy", y}, {"r", radius}}, css_class);
    end_with_title("circle", title);
}

void Svg::text(double x, double y, std::string_view css_class, std::string_view words) {
    body_ +=
        "<text" + attributes({{"x", x}, {"y", y}}, css_class) + ">" + escaped(words) + "</text>\n";
}

void Svg::end_with_title(std::string_view element, std::string_view title) {
    if (title.empty()) {
        body_ += "/>\n";
        return;
    }
    body_ += "><title>" + escaped(title) + "</title></" + std::string{element} + ">\n";
}

std::string Svg::document(double width, double height, std::string_view title,
                          std::string_view style, std::string_view defs) const {
    std::string text = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) +
                       " " + number(height) + "\" width=\"" + number(width) + "\" height=\"" +
                       number(height) + "\" role=\"img\">\n<title>" + escaped(title) +
                       "</title>\n<style>" + escaped(style) + "</style>\n<defs>" +
                       std::string{defs} + "</defs>\n";
    text += "<rect" +
            attributes(
                {{"x", 0.5}, {"y", 0.5}, {"width", width - 1}, {"height", height - 1}, {"rx", 8}},
                "card");
    return text + "/>\n" + body_ + "</svg>\n";
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char character : text) {
        const auto code = static_cast<unsigned char>(character);
        if (character == '&')
            result += "&amp;";
        else if (character == '<')
            result += "&lt;";
        else if (character == '>')
            result += "&gt;";
        else if (character == '"')
            result += "&quot;";
        else if (code < 0x20 && character != '\n')
            result += ' ';
        else
            result += character;
    }
    return result;
}

} // namespace timeline
