#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {

// A quantile of the values, 0.5 being the median; between two of them it is interpolated. 0 if
// there are none.
[[nodiscard]] inline double quantile(std::vector<double> values, double part) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const double at = part * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

[[nodiscard]] inline double median(const std::vector<double>& values) {
    return quantile(values, 0.5);
}

} // namespace bench
