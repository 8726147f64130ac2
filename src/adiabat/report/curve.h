// SPDX-License-Identifier: Apache-2.0
#pragma once

// A curve of what is paid against what is lost, as a picture (SVG 1.1, no scripts, no fonts of its
// own), and its knee: where paying more stops helping much and paying less starts hurting.
//
// The knee is the point farthest below the straight line between the ends, both axes scaled to
// 0..1.
//
// Source: V. Satopaa et al., "Finding a 'kneedle' in a haystack" (ICDCSW 2011).

#include <optional>
#include <string>
#include <vector>

namespace adiabat::report {

struct CurvePoint {
    double x = 0, y = 0;
    std::string label;  // shown when pointed at
};

struct Curve {
    std::string title, x_title, y_title;
    std::vector<CurvePoint> points;  // in any order
    std::optional<size_t> marked;    // index of the knee
};

// Index of the knee; none for fewer than three different x, or where no point lies below the line.
std::optional<size_t> knee_of(const std::vector<CurvePoint>& points);

// A complete document, 640 x 420. Points that are not finite are left out.
std::string to_svg(const Curve& curve);

// Tick positions 1, 2 or 5 times a power of ten apart that cover low..high, at least two.
std::vector<double> ticks(double low, double high, int about = 6);

}  // namespace adiabat::report
