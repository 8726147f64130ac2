// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/box_quadratic.h"

#include <algorithm>

namespace adiabat::anneal {

namespace {

void add_scaled(const double* row, double scale, double* sums, size_t size) {
    for (size_t j = 0; j < size; ++j) sums[j] += scale * row[j];
}

}  // namespace

void start(const BoxQuadratic& quadratic, const BoxPoint& point) {
    const size_t n = quadratic.size();
    for (size_t i = 0; i < n; ++i)
        point.gradient[i] = quadratic.linear[i] + quadratic.shift[i] * point.x[i];
    for (size_t i = 0; i < n; ++i) {
        if (point.x[i] != 0) add_scaled(quadratic.couplings.row(i), point.x[i], point.gradient, n);
    }
}

void sweep(const BoxQuadratic& quadratic, const BoxPoint& point) {
    const size_t n = quadratic.size();
    for (size_t i = 0; i < n; ++i) {
        const double g = point.gradient[i], curvature = quadratic.shift[i];
        const double lower = quadratic.lower[i], upper = quadratic.upper[i];
        double next = g > 0 ? lower : g < 0 ? upper : point.x[i];
        if (curvature > 0) next = std::clamp(point.x[i] - g / curvature, lower, upper);
        const double change = next - point.x[i];
        if (change == 0) continue;
        point.x[i] = next;
        add_scaled(quadratic.couplings.row(i), change, point.gradient, n);
        point.gradient[i] += change * curvature;
    }
}

BoxValues evaluate(const BoxQuadratic& quadratic, const BoxPoint& point) {
    double twice = 0, fall = 0;
    for (size_t i = 0; i < quadratic.size(); ++i) {
        const double g = point.gradient[i], x = point.x[i];
        twice += (quadratic.linear[i] + g) * x;
        fall += std::min(g * (quadratic.lower[i] - x), g * (quadratic.upper[i] - x));
    }
    const double value = quadratic.constant + twice / 2;
    return {value, value + fall};
}

}  // namespace adiabat::anneal
