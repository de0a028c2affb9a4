#include "picture.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

#include "story.hpp"
#include "svg.hpp"
#include "times.hpp"

namespace timeline {
namespace {

using namespace std::chrono_literals;
using probekit::Duration;
using probekit::Health;
using probekit::ProbeKind;
using probekit::simulation::Event;
using What = Event::What;

// In pixels.
constexpr double width = 960;
constexpr double left = 96; // of the axis; before it stand the names of the lanes
constexpr double right = width - 28;
constexpr double lane_height = 24;
constexpr double lane_distance = 34;
constexpr double panel_padding = 20;

constexpr std::string_view style = R"(
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-size:11px;fill:#57606a}
.card{fill:#fff;stroke:#d0d7de}
.title{font-size:14px;font-weight:600;fill:#1f2328}
.mono{font-family:ui-monospace,SFMono-Regular,"DejaVu Sans Mono",monospace;font-size:10.5px}
.lane{text-anchor:end;font-size:12px;fill:#1f2328}
.tick{text-anchor:middle}
.mark{text-anchor:middle;font-weight:600;fill:#1f2328}
.inside{text-anchor:middle;fill:#1f2328;paint-order:stroke;stroke:#fff;stroke-opacity:.7;stroke-width:3px}
.grid{stroke:#eaeef2}
.track{fill:#f6f8fa}
.passing{fill:#dafbe1}
.failing{fill:#ffebe9}
.running{fill:#b6e3ff}
.ending{fill:url(#ending)}
.waiting{fill:url(#waiting)}
.ready{fill:#4ac26b}
.pass{fill:#1a7f37}
.fail{fill:#cf222e}
.slow{fill:#cf222e;fill-opacity:.35}
.error{fill:#fff;stroke:#8c959f;stroke-width:1.5}
.kill{stroke:#cf222e;stroke-width:1.5}
.opens{stroke:#1a7f37;stroke-width:1.5;stroke-dasharray:2 2}
.restart{stroke:#1f2328;stroke-width:1.5}
)";

constexpr std::string_view defs = R"svg(
<pattern id="ending" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#fff6d6"/><rect width="2.5" height="6" fill="#f2d675"/></pattern>
<pattern id="waiting" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#f6f8fa"/><rect width="1.5" height="6" fill="#c8d1da"/></pattern>
)svg";

/// Between moments and pixels.
class Axis {
public:
    explicit Axis(Duration length) : length_(std::max<Duration>(length, 1ms)) {}

    [[nodiscard]] double x(Duration moment) const {
        const double share =
            std::chrono::duration<double>(moment) / std::chrono::duration<double>(length_);
        return left + (right - left) * std::clamp(share, 0.0, 1.0);
    }
    [[nodiscard]] Duration length() const noexcept { return length_; }
    /// Between two labels: a round time, so long that they do not touch.
    [[nodiscard]] Duration step() const {
        constexpr std::array<Duration, 19> round{10ms,  50ms, 100ms, 500ms, 1s,   2s,   5s,
                                                 10s,   15s,  30s,   1min,  2min, 5min, 10min,
                                                 30min, 1h,   2h,    6h,    24h};
        for (const Duration step : round)
            if (length_ / step <= 13) return step;
        return length_ / 10;
    }

private:
    Duration length_;
};

/// So much of it as there is room for.
std::string shortened(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U)
        --most; // within a character
    return text.substr(0, most) + "\u2026";
}

/// Draws one scene.
class Panel {
public:
    Panel(Svg& svg, const Scene& scene, const Axis& axis, double top)
        : svg_(svg), scene_(scene), axis_(axis), y_(top) {}

    /// Where it ends.
    double draw() {
        svg_.text(panel_padding, y_ + 14, "title", shortened(scene_.title(), 110));
        svg_.text(panel_padding, y_ + 32, "", shortened(scene_.target, 150));
        svg_.text(panel_padding, y_ + 48, "", summary(scene_));
        y_ += 64;
        for (const std::string& probe : scene_.subject.probes) {
            svg_.text(panel_padding, y_, "mono", shortened(probe, 140));
            y_ += 15;
        }
        y_ += 14; // for what stands above the lanes
        place_lanes();
        draw_grid();
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (lane(kind)) draw_verdicts(kind);
        draw_process();
        draw_traffic();
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (lane(kind)) draw_checks(kind);
        draw_arrows();
        return bottom_ + 24;
    }

private:
    [[nodiscard]] std::optional<double>& lane(ProbeKind kind) {
        return lanes_[static_cast<std::size_t>(kind)];
    }

    double add_lane(std::string_view name) {
        const double top = y_;
        svg_.text(left - 10, top + lane_height / 2 + 4, "lane", name);
        svg_.rect(left, top, right - left, lane_height, "track");
        y_ += lane_distance;
        return top;
    }

    void place_lanes() {
        top_ = y_;
        const auto& settings = scene_.subject.settings;
        if (settings.startup) lane(ProbeKind::startup) = add_lane("startup");
        if (settings.liveness) lane(ProbeKind::liveness) = add_lane("liveness");
        process_ = add_lane("process");
        if (settings.readiness) lane(ProbeKind::readiness) = add_lane("readiness");
        traffic_ = add_lane("ready");
        bottom_ = y_ - lane_distance + lane_height;
    }

    void draw_grid() {
        for (int i = 0; i <= scene_.timeline.length / axis_.step(); ++i) {
            const Duration moment = i * axis_.step();
            svg_.line(axis_.x(moment), top_ - 4, axis_.x(moment), bottom_ + 4, "grid");
            svg_.text(axis_.x(moment), bottom_ + 18, "tick", time_text(moment));
        }
    }

    /// From one moment to another, with words inside if there is room.
    void bar(double top, Duration from, Duration to, std::string_view css_class,
             std::string_view words) {
        const double x = axis_.x(from);
        const double size = axis_.x(to) - x;
        svg_.rect(x, top, size, lane_height, css_class, words);
        if (size > 6.5 * static_cast<double>(words.size()))
            svg_.text(x + size / 2, top + lane_height / 2 + 4, "inside", words);
    }

    void draw_verdicts(ProbeKind kind) {
        Health health = Health::unknown;
        Duration since{};
        const auto close = [&](Duration at) {
            if (health != Health::unknown)
                bar(*lane(kind), since, at, health == Health::passing ? "passing" : "failing", "");
            since = at;
        };
        for (const Event& event : scene_.timeline.events) {
            const bool judged = event.what == What::verdict && event.kind == kind;
            if (!judged && event.what != What::ended) continue;
            close(event.at);
            health = judged ? event.health : Health::unknown;
        }
        close(scene_.timeline.length);
    }

    /// The bars of the process: what it has been doing since the last event that changed it.
    void draw_process() {
        std::string_view css_class;
        std::string words;
        Duration since{};
        const auto change = [&](Duration at, std::string_view next_class, std::string next_words) {
            if (!css_class.empty()) bar(process_, since, at, css_class, words);
            since = at;
            css_class = next_class;
            words = std::move(next_words);
        };
        for (const Event& event : scene_.timeline.events) {
            switch (event.what) {
            case What::running: change(event.at, "running", "runs"); break;
            case What::kill:
            case What::stop: change(event.at, "ending", "SIGTERM sent"); break;
            case What::ended: change(event.at, "", ""); break;
            case What::back_off: change(event.at, "waiting", "CrashLoopBackOff"); break;
            default: break;
            }
        }
        change(scene_.timeline.length, "", "");
    }

    void draw_traffic() {
        std::optional<Duration> since;
        for (const Event& event : scene_.timeline.events) {
            if (event.what == What::ready) since = event.at;
            if (event.what != What::unready) continue;
            bar(traffic_, *since, event.at, "ready", "gets traffic");
            since.reset();
        }
        if (since) bar(traffic_, *since, scene_.timeline.length, "ready", "gets traffic");
    }

    /// A dot for each check, where there is room for it.
    void draw_checks(ProbeKind kind) {
        const double y = *lane(kind) + lane_height / 2;
        const double room =
            (right - left) /
            static_cast<double>(std::max<std::size_t>(1, scene_.timeline.checks(kind).size()));
        const double radius = std::clamp(room / 3, 1.5, 4.0);
        double last = -1;
        std::string_view last_class;
        for (const Event& event : scene_.timeline.events) {
            if (event.what != What::check || event.kind != kind ||
                event.error == std::errc::operation_canceled)
                continue;
            const std::string_view css_class = event.error      ? "error"
                                               : event.passed() ? "pass"
                                                                : "fail";
            const double x = axis_.x(event.at);
            if (x - last < 0.5 && css_class == last_class) continue;
            last = x;
            last_class = css_class;
            const double began = axis_.x(event.began());
            if (x - began > radius)
                svg_.rect(began, y - radius / 2, x - began, radius,
                          event.passed() ? "pass" : "slow");
            svg_.circle(x, y, radius, css_class, time_text(event.at));
        }
    }

    /// What brings about what: a kill, a start, a restart.
    void draw_arrows() {
        double last_mark = -100;
        for (const Event& event : scene_.timeline.events) {
            const double x = axis_.x(event.at);
            if (event.what == What::kill)
                svg_.line(x, *lane(event.kind), x, process_ + lane_height, "kill");
            if (event.what == What::started)
                svg_.line(x, *lane(ProbeKind::startup), x, bottom_, "opens");
            const bool restart = event.what == What::running && event.run > 1;
            if (!restart && event.what != What::back_off) continue;
            svg_.line(x, top_ - 4, x, process_ + lane_height, "restart");
            if (x - last_mark < 44) continue;
            last_mark = x;
            svg_.text(x, top_ - 8, "mark", time_text(event.at));
        }
    }

    Svg& svg_;
    const Scene& scene_;
    const Axis& axis_;
    double y_;
    double top_ = 0; // of the lanes
    double bottom_ = 0;
    double process_ = 0;
    double traffic_ = 0;
    std::array<std::optional<double>, 3> lanes_ = {};
};

/// Returns where it ends.
double draw_legend(Svg& svg, double y) {
    double x = left;
    const auto entry = [&](auto draw, std::string_view words) {
        draw();
        svg.text(x + 20, y + 9, "", words);
        x += 36 + 5.6 * static_cast<double>(words.size());
    };
    const auto swatch = [&](std::string_view css_class) {
        return [&svg, &x, y, css_class] { svg.rect(x, y, 14, 10, css_class); };
    };
    const auto dot = [&](std::string_view css_class) {
        return [&svg, &x, y, css_class] { svg.circle(x + 7, y + 5, 4, css_class); };
    };
    entry(dot("pass"), "check passes");
    entry(dot("fail"), "check fails");
    entry(swatch("passing"), "verdict: passing");
    entry(swatch("failing"), "verdict: failing");
    entry(swatch("running"), "runs");
    entry(swatch("ending"), "being ended");
    entry(swatch("waiting"), "waits to be restarted");
    return y + 12;
}

} // namespace

std::string picture(std::span<const Scene> scenes) {
    Duration length{};
    for (const Scene& scene : scenes) length = std::max(length, scene.timeline.length);
    const Axis axis{length};
    Svg panels;
    double y = panel_padding;
    std::string title;
    for (const Scene& scene : scenes) {
        y = Panel{panels, scene, axis, y}.draw() + panel_padding;
        title += (title.empty() ? "Timeline of " : ", ") + scene.subject.name();
    }
    y = draw_legend(panels, y - 4) + panel_padding;
    return panels.document(width, y, title, style, defs);
}

} // namespace timeline
