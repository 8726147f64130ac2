// SPDX-License-Identifier: Apache-2.0
#include "adiabat/report/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace adiabat::report {

namespace {

constexpr double kWidth = 640, kHeight = 420;
constexpr double kLeft = 84, kRight = 24, kTop = 44, kBottom = 58;

std::string escaped(const std::string& text) {
    std::string result;
    for (char c : text) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            default:
                result += static_cast<unsigned char>(c) < 32 ? ' ' : c;
        }
    }
    return result;
}

// "0.05", "1.2k", "3.4M".
std::string short_number(double value) {
    const double size = std::abs(value);
    if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
    if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
    if (size >= 1e3) return fmt::format("{:.4g}k", value / 1e3);
    return fmt::format("{:.4g}", value);
}

std::vector<size_t> ascending(const std::vector<CurvePoint>& points) {
    std::vector<size_t> order;
    for (size_t k = 0; k < points.size(); ++k) {
        if (std::isfinite(points[k].x) && std::isfinite(points[k].y)) order.push_back(k);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return points[a].x < points[b].x; });
    return order;
}

struct Axis {
    std::vector<double> marks;
    double from = 0, to = 1;  // pixels

    double at(double value) const {
        const double low = marks.front(), high = marks.back();
        return from + (value - low) / (high - low) * (to - from);
    }
};

Axis axis_over(const std::vector<CurvePoint>& points, const std::vector<size_t>& order,
               double CurvePoint::*value, double from, double to) {
    double low = 0, high = 1;
    if (!order.empty()) low = high = points[order[0]].*value;
    for (size_t k : order) {
        low = std::min(low, points[k].*value);
        high = std::max(high, points[k].*value);
    }
    return {ticks(low, high), from, to};
}

}  // namespace

std::vector<double> ticks(double low, double high, int about) {
    if (!(high > low)) {
        const double size = std::max(std::abs(low), 1e-300);
        low -= size / 2;
        high += size / 2;
    }
    const double raw = (high - low) / about, power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> marks;
    const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
    for (double k = first; k <= last; ++k) marks.push_back(k * step);
    return marks;
}

std::optional<size_t> knee_of(const std::vector<CurvePoint>& points) {
    const std::vector<size_t> order = ascending(points);
    if (order.size() < 3) return {};
    const CurvePoint &first = points[order.front()], &last = points[order.back()];
    const double width = last.x - first.x, drop = first.y - last.y;
    if (!(width > 0) || !(drop > 0)) return {};
    std::optional<size_t> knee;
    double farthest = 1e-9;
    for (size_t k : order) {
        const double along = (points[k].x - first.x) / width;
        const double below = 1 - along - (points[k].y - last.y) / drop;
        if (below > farthest) {
            farthest = below;
            knee = k;
        }
    }
    return knee;
}

std::string to_svg(const Curve& curve) {
    const std::vector<size_t> order = ascending(curve.points);
    const Axis x = axis_over(curve.points, order, &CurvePoint::x, kLeft, kWidth - kRight);
    const Axis y = axis_over(curve.points, order, &CurvePoint::y, kHeight - kBottom, kTop);
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
        "{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
        "<text x=\"{2}\" y=\"24\" font-size=\"15\" text-anchor=\"middle\">{3}</text>\n",
        kWidth, kHeight, kWidth / 2, escaped(curve.title));
    for (double mark : x.marks) {
        svg += fmt::format(
            "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#ddd\"/>"
            "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
            x.at(mark), kTop, kHeight - kBottom, kHeight - kBottom + 18, short_number(mark));
    }
    for (double mark : y.marks) {
        svg += fmt::format(
            "<line x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>"
            "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
            y.at(mark), kLeft, kWidth - kRight, kLeft - 8, y.at(mark) + 4, short_number(mark));
    }
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n"
        "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        (kLeft + kWidth - kRight) / 2, kHeight - 14, escaped(curve.x_title),
        (kTop + kHeight - kBottom) / 2, escaped(curve.y_title));
    std::string path;
    for (size_t k : order) {
        path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x.at(curve.points[k].x),
                            y.at(curve.points[k].y));
    }
    if (!path.empty()) {
        svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#2864a8\" stroke-width=\"2\"/>\n",
                           path);
    }
    for (size_t k : order) {
        const bool is_marked = curve.marked == k;
        const double at_x = x.at(curve.points[k].x), at_y = y.at(curve.points[k].y);
        svg += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"><title>{}</title></circle>\n",
            at_x, at_y, is_marked ? 6 : 4, is_marked ? "#c8401e" : "#2864a8",
            escaped(curve.points[k].label));
        if (is_marked) {
            svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#c8401e\">knee</text>\n",
                               at_x + 10, at_y - 8);
        }
    }
    return svg + "</svg>\n";
}

}  // namespace adiabat::report
