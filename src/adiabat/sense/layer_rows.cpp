// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/layer_rows.h"

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/base/threads.h"
#include "adiabat/recon/least_squares.h"

namespace adiabat::sense {

namespace {

constexpr uint64_t kSeed = 0x526F7773;
constexpr uint32_t kStream = 0xA901;
// Sums of so many parts are made at once and added in order.
constexpr int64_t kParts = 2;
constexpr int64_t kChunk = 2048;
constexpr int64_t kRowsForMeans = 256;

}  // namespace

std::optional<LayerRows> LayerRows::of(const net::Node& node, const net::Layer& layer,
                                       const net::Shape& weight, const net::Tensor& input) {
    const size_t rank = input.shape.size();
    LayerRows rows(input);
    if (node.op == "Gemm") {
        if (rank != 2 || node.int_or("transA", 0) != 0) return {};
    } else if (node.op == "Conv") {
        if (rank < 3 || rank - 2 > kRank) return {};
    } else if (node.op != "MatMul" || rank != 2) {
        return {};
    }
    if (input.size() == 0) return {};
    rows.images_ = input.shape[0];
    rows.channels_ = input.shape[1];
    rows.groups_ = layer.groups;
    rows.filters_ = layer.filters;
    rows.inputs_ = layer.inputs;
    if (rows.inputs_ * rows.groups_ != rows.channels_ || layer.inputs * layer.taps > kMostInputs) {
        return {};
    }
    if (node.op == "Conv") {
        const net::Fail fail = [](const std::string& text) {
            ADIABAT_CHECK(false, "a window that was accepted before: {}", text);
        };
        net::SlidingWindow window =
            net::read_window(node, std::vector<int64_t>(weight.begin() + 2, weight.end()), fail);
        net::settle_pads(window, std::vector<int64_t>(input.shape.begin() + 2, input.shape.end()),
                         fail);
        for (size_t k = 0; k + 2 < rank; ++k) {
            const int64_t size = input.shape[k + 2];
            rows.axes_[kRank - (rank - 2) + k] = {size,
                                                  window.kernel[k],
                                                  window.strides[k],
                                                  window.dilations[k],
                                                  window.begins[k],
                                                  net::positions(window, k, size, fail)};
        }
    }
    for (const Axis& axis : rows.axes_) {
        rows.taps_ *= axis.kernel;
        rows.positions_ *= axis.positions;
        rows.plane_ *= axis.size;
    }
    return rows;
}

// The place, image x positions, of row number `row` of `rows`.
int64_t LayerRows::drawn(int64_t row, int64_t rows) const {
    const int64_t all = images_ * positions_;
    if (rows >= all) return row;
    const int64_t begin = row * all / rows, end = (row + 1) * all / rows;
    Random random(kSeed, kStream, static_cast<uint32_t>(row));
    return begin + random.below(static_cast<uint32_t>(end - begin));
}

void LayerRows::fill(int64_t place, int64_t group, float* row) const {
    const int64_t image = place / positions_;
    int64_t at = place % positions_;
    int64_t first[kRank];
    for (size_t k = kRank; k-- > 0;) {
        first[k] = at % axes_[k].positions * axes_[k].stride - axes_[k].begin;
        at /= axes_[k].positions;
    }
    const float* const x =
        input_->as<float>().data() + (image * channels_ + group * inputs_) * plane_;
    const auto inside = [&](size_t k, int64_t tap, int64_t& index) {
        index = first[k] + tap * axes_[k].dilation;
        return index >= 0 && index < axes_[k].size;
    };
    int64_t tap = 0;
    for (int64_t a = 0; a < axes_[0].kernel; ++a) {
        for (int64_t b = 0; b < axes_[1].kernel; ++b) {
            for (int64_t c = 0; c < axes_[2].kernel; ++c, ++tap) {
                int64_t i = 0, j = 0, k = 0;
                const bool there = inside(0, a, i) && inside(1, b, j) && inside(2, c, k);
                const int64_t offset = (i * axes_[1].size + j) * axes_[2].size + k;
                for (int64_t channel = 0; channel < inputs_; ++channel)
                    row[channel * taps_ + tap] = there ? x[channel * plane_ + offset] : 0.0f;
            }
        }
    }
}

void LayerRows::unfold(int64_t image, float* to) const {
    ADIABAT_CHECK(groups_ == 1, "{} groups are not unfolded", groups_);
    const Axis &x = axes_[0], &y = axes_[1], &z = axes_[2];
    const auto at = [](const Axis& axis, int64_t position, int64_t tap) -> int64_t {
        const int64_t index = position * axis.stride - axis.begin + tap * axis.dilation;
        return index >= 0 && index < axis.size ? index : -1;
    };
    for (int64_t channel = 0; channel < channels_; ++channel) {
        const float* const plane =
            input_->as<float>().data() + (image * channels_ + channel) * plane_;
        for (int64_t tap = 0; tap < taps_; ++tap) {
            const int64_t a = tap / (y.kernel * z.kernel), b = tap / z.kernel % y.kernel,
                          c = tap % z.kernel;
            for (int64_t i = 0; i < x.positions; ++i) {
                for (int64_t j = 0; j < y.positions; ++j, to += z.positions) {
                    const int64_t p = at(x, i, a), q = at(y, j, b);
                    if (p < 0 || q < 0) {
                        std::fill_n(to, z.positions, 0.0f);
                        continue;
                    }
                    const float* const row = plane + (p * y.size + q) * z.size;
                    // Positions first .. last - 1 lie inside.
                    const int64_t shift = c * z.dilation - z.begin;
                    const int64_t last = std::clamp<int64_t>(
                        z.size > shift ? (z.size - shift - 1) / z.stride + 1 : 0, 0, z.positions);
                    const int64_t first =
                        std::clamp<int64_t>((z.stride - 1 - shift) / z.stride, 0, last);
                    std::fill_n(to, first, 0.0f);
                    for (int64_t k = first; k < last; ++k) to[k] = row[k * z.stride + shift];
                    std::fill(to + last, to + z.positions, 0.0f);
                }
            }
        }
    }
}

void LayerRows::targets_at(const net::Tensor& target, int64_t group, std::span<const int64_t> kept,
                           int64_t place, float* t) const {
    const int64_t filters = filters_ / groups_, targets = target.shape[1];
    const float* const values = target.as<float>().data();
    const int64_t image = place / positions_, at = place % positions_;
    for (int64_t f = 0; f < filters; ++f) {
        const int64_t channel = kept[static_cast<size_t>(group * filters + f)];
        t[f] = values[(image * targets + channel) * positions_ + at];
    }
}

namespace {

recon::Moments whole(std::vector<recon::MomentSums> parts) {
    for (size_t part = 1; part < parts.size(); ++part) parts[0].add(parts[part]);
    return parts[0].moments();
}

recon::Halves halves_of(const std::vector<recon::MomentSums>& parts) {
    if (parts[0].rows() == 0 || parts[1].rows() == 0) return {};
    return {parts[0].moments(), parts[1].moments()};
}

}  // namespace

recon::Moments LayerRows::moments(int64_t group, const net::Tensor& target,
                                  std::span<const int64_t> kept, int threads,
                                  recon::Halves* halves) const {
    ADIABAT_CHECK(target.size() == images_ * target.shape[1] * positions_,
                  "{} targets for {} positions", target.size(), images_ * positions_);
    auto parts = sums(
        group, filters_ / groups_,
        [&](int64_t place, float* t) { targets_at(target, group, kept, place, t); }, threads);
    if (halves) *halves = halves_of(parts);
    return whole(std::move(parts));
}

recon::Moments LayerRows::moments(int64_t group, const net::Tensor& target, const net::Tensor& more,
                                  std::span<const int64_t> kept, int threads,
                                  recon::Halves* halves) const {
    ADIABAT_CHECK(target.shape == more.shape, "{} targets, and {} more",
                  net::to_string(target.shape), net::to_string(more.shape));
    const int64_t filters = filters_ / groups_;
    auto parts = sums(
        group, 2 * filters,
        [&](int64_t place, float* t) {
            targets_at(target, group, kept, place, t);
            targets_at(more, group, kept, place, t + filters);
        },
        threads);
    const recon::Halves both = halves_of(parts);
    const recon::Moments all = whole(std::move(parts));
    const auto foretold = recon::foretold(both, all);
    if (halves && both.are_there()) {
        *halves = {recon::with_additions(both.first, foretold),
                   recon::with_additions(both.second, foretold)};
    }
    return recon::with_additions(all, foretold);
}

recon::Moments LayerRows::moments(int64_t group, int threads) const {
    return whole(sums(
        group, 0, [](int64_t, float*) {}, threads));
}

std::vector<recon::MomentSums> LayerRows::sums(
    int64_t group, int64_t filters, const std::function<void(int64_t, float*)>& read_targets,
    int threads) const {
    const int64_t unknowns = inputs_ * taps_;
    const int64_t rows = std::min(
        images_ * positions_, std::clamp(recon::kRowsAnUnknown * unknowns, kFewestRows, kMostRows));
    const auto read = [&](int64_t row, float* x, float* t) {
        const int64_t place = drawn(row, rows);
        fill(place, group, x);
        read_targets(place, t);
    };
    // Near the means: those of a few rows.
    const int64_t few = std::min(rows, kRowsForMeans);
    recon::Rows some_x(few, unknowns), some_t(few, filters);
    for (int64_t k = 0; k < few; ++k)
        read(k * rows / few, some_x.row(k).data(), some_t.row(k).data());
    std::vector<recon::MomentSums> parts(
        kParts, {some_x.colwise().mean().eval(), some_t.colwise().mean().eval()});
    parallel_for(kParts, threads, [&](int64_t begin, int64_t end, int) {
        for (int64_t part = begin; part < end; ++part) {
            const int64_t last = rows * (part + 1) / kParts;
            for (int64_t r = rows * part / kParts; r < last; r += kChunk) {
                const int64_t count = std::min(kChunk, last - r);
                recon::Rows x(count, unknowns), t(count, filters);
                for (int64_t k = 0; k < count; ++k) read(r + k, x.row(k).data(), t.row(k).data());
                parts[static_cast<size_t>(part)].add(x, t);
            }
        }
    });
    return parts;
}

}  // namespace adiabat::sense
