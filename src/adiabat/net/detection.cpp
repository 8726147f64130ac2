// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/detection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "adiabat/base/errors.h"

namespace adiabat::net {

UniqueRows unique_rows(std::span<const double> rows, int64_t count, bool sorted) {
    const size_t length = count == 0 ? 0 : rows.size() / static_cast<size_t>(count);
    const auto row = [&](int64_t k) {
        return rows.subspan(static_cast<size_t>(k) * length, length);
    };
    const auto less = [&](int64_t a, int64_t b) {
        return std::lexicographical_compare(row(a).begin(), row(a).end(), row(b).begin(),
                                            row(b).end());
    };
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), less);
    UniqueRows found;
    found.inverse.resize(order.size());
    for (size_t k = 0; k < order.size(); ++k) {
        if (k == 0 || less(order[k - 1], order[k])) {
            found.first.push_back(order[k]);
            found.counts.push_back(0);
        }
        ++found.counts.back();
        found.inverse[static_cast<size_t>(order[k])] = static_cast<int64_t>(found.first.size()) - 1;
    }
    if (sorted) return found;
    std::vector<size_t> by_place(found.first.size());
    std::iota(by_place.begin(), by_place.end(), size_t{0});
    std::sort(by_place.begin(), by_place.end(),
              [&](size_t a, size_t b) { return found.first[a] < found.first[b]; });
    UniqueRows result;
    std::vector<int64_t> rank(by_place.size());
    for (size_t k = 0; k < by_place.size(); ++k) {
        result.first.push_back(found.first[by_place[k]]);
        result.counts.push_back(found.counts[by_place[k]]);
        rank[by_place[k]] = static_cast<int64_t>(k);
    }
    for (int64_t which : found.inverse) result.inverse.push_back(rank[static_cast<size_t>(which)]);
    return result;
}

namespace {

struct Box {
    double top, left, bottom, right;
    double area() const { return (bottom - top) * (right - left); }
};

Box box_of(std::span<const double> b, bool by_center) {
    if (by_center) {
        return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
    }
    return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

double overlap(const Box& a, const Box& b) {
    const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
    const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
    if (height <= 0 || width <= 0) return 0;
    return height * width / (a.area() + b.area() - height * width);
}

}  // namespace

std::vector<int64_t> suppress_non_maxima(std::span<const double> boxes,
                                         std::span<const double> scores, BoxCounts counts,
                                         const SuppressionLimits& limits) {
    std::vector<int64_t> chosen;
    const auto n = static_cast<size_t>(counts.boxes);
    for (int64_t image = 0; image < counts.images; ++image) {
        const auto own = boxes.subspan(static_cast<size_t>(image) * n * 4, n * 4);
        for (int64_t kind = 0; kind < counts.classes; ++kind) {
            const auto score =
                scores.subspan(static_cast<size_t>(image * counts.classes + kind) * n, n);
            std::vector<size_t> order;
            for (size_t k = 0; k < n; ++k) {
                if (!limits.score || score[k] > *limits.score) order.push_back(k);
            }
            std::stable_sort(order.begin(), order.end(),
                             [&](size_t a, size_t b) { return score[a] > score[b]; });
            std::vector<Box> taken;
            for (size_t k : order) {
                if (static_cast<int64_t>(taken.size()) >= limits.most) break;
                const Box box = box_of(own.subspan(4 * k, 4), limits.by_center);
                const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
                    return overlap(box, other) > limits.overlap;
                });
                if (!free) continue;
                taken.push_back(box);
                chosen.insert(chosen.end(), {image, kind, static_cast<int64_t>(k)});
            }
        }
    }
    return chosen;
}

namespace {

// The pixels below and above a coordinate and the weight of the upper one; none beyond the image.
struct Neighbours {
    int64_t low = 0, high = 0;
    float to_high = 0;
    bool inside = false;
};

Neighbours neighbours(float at, int64_t size) {
    if (!(at >= -1) || at > static_cast<float>(size)) return {};
    at = std::max(at, 0.0f);
    const auto low = static_cast<int64_t>(at);
    if (low >= size - 1) return {size - 1, size - 1, 0, true};
    return {low, low + 1, at - static_cast<float>(low), true};
}

// The samples of one direction, bin after bin.
std::vector<Neighbours> samples_along(double start, double extent, int64_t bins, int64_t samples,
                                      int64_t size) {
    std::vector<Neighbours> result;
    const double bin = extent / static_cast<double>(bins);
    for (int64_t b = 0; b < bins; ++b) {
        for (int64_t s = 0; s < samples; ++s) {
            const double within = (static_cast<double>(s) + 0.5) / static_cast<double>(samples);
            const double at = start + (static_cast<double>(b) + within) * bin;
            result.push_back(neighbours(static_cast<float>(at), size));
        }
    }
    return result;
}

int64_t samples_of(double extent, int64_t bins, int64_t samples) {
    if (samples > 0) return samples;
    const double wanted = std::ceil(extent / static_cast<double>(bins));
    if (!(wanted <= 4096)) throw InputError("RoiAlign: a region of {} pixels", extent);
    return std::max<int64_t>(0, static_cast<int64_t>(wanted));
}

float pooled(const float* plane, int64_t width, std::span<const Neighbours> rows,
             std::span<const Neighbours> columns, bool takes_maximum) {
    float sum = 0;
    std::optional<float> most;
    for (const Neighbours& r : rows) {
        for (const Neighbours& c : columns) {
            std::array<float, 4> part{};
            if (r.inside && c.inside) {
                const float up = r.to_high, right = c.to_high;
                part = {(1 - up) * (1 - right) * plane[r.low * width + c.low],
                        (1 - up) * right * plane[r.low * width + c.high],
                        up * (1 - right) * plane[r.high * width + c.low],
                        up * right * plane[r.high * width + c.high]};
            }
            for (float p : part) {
                sum += p;
                most = std::max(most.value_or(p), p);
            }
        }
    }
    if (takes_maximum) return most.value_or(0);
    return sum / static_cast<float>(std::max<size_t>(1, rows.size() * columns.size()));
}

}  // namespace

void roi_align(std::span<const float> image, const Shape& shape, std::span<const double> regions,
               std::span<const int64_t> numbers, const RoiAlignment& how, std::span<float> out) {
    const int64_t channels = shape[1], height = shape[2], width = shape[3];
    const double shift = how.half_pixel ? 0.5 : 0;
    size_t at = 0;
    for (size_t r = 0; r < numbers.size(); ++r) {
        const auto region = regions.subspan(4 * r, 4);
        const double left = region[0] * how.scale - shift, top = region[1] * how.scale - shift;
        double wide = region[2] * how.scale - shift - left,
               high = region[3] * how.scale - shift - top;
        if (!how.half_pixel) {  // regions of less than a pixel count as one
            wide = std::max(wide, 1.0);
            high = std::max(high, 1.0);
        }
        const int64_t a_row = samples_of(high, how.height, how.samples),
                      a_column = samples_of(wide, how.width, how.samples);
        const auto rows = samples_along(top, high, how.height, a_row, height);
        const auto columns = samples_along(left, wide, how.width, a_column, width);
        for (int64_t c = 0; c < channels; ++c) {
            const float* plane = image.data() + (numbers[r] * channels + c) * height * width;
            for (int64_t p = 0; p < how.height; ++p) {
                for (int64_t q = 0; q < how.width; ++q) {
                    const auto own_rows = std::span(rows).subspan(static_cast<size_t>(p * a_row),
                                                                  static_cast<size_t>(a_row));
                    const auto own_columns = std::span(columns).subspan(
                        static_cast<size_t>(q * a_column), static_cast<size_t>(a_column));
                    out[at++] = pooled(plane, width, own_rows, own_columns, how.takes_maximum);
                }
            }
        }
    }
}

}  // namespace adiabat::net
