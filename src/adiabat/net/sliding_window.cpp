// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/sliding_window.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::net {

namespace {

// Beyond 2^31 a window is nonsense and sums could overflow.
bool within(const std::vector<int64_t>& list, int64_t least) {
    return std::all_of(list.begin(), list.end(),
                       [&](int64_t x) { return x >= least && x <= INT32_MAX; });
}

bool is_same(const SlidingWindow& window) { return window.auto_pad.starts_with("SAME"); }

}  // namespace

SlidingWindow read_window(const Node& node, std::vector<int64_t> kernel, const Fail& fail) {
    const size_t rank = kernel.size();
    SlidingWindow window;
    window.kernel = std::move(kernel);
    window.strides = node.ints_or("strides", std::vector<int64_t>(rank, 1));
    window.dilations = node.ints_or("dilations", std::vector<int64_t>(rank, 1));
    const auto pads = node.ints_or("pads", std::vector<int64_t>(2 * rank, 0));
    window.auto_pad = node.string_or("auto_pad", "NOTSET");
    window.ceil = node.int_or("ceil_mode", 0) != 0;
    if (window.auto_pad.empty()) window.auto_pad = "NOTSET";
    if (window.auto_pad != "NOTSET" && window.auto_pad != "VALID" &&
        window.auto_pad != "SAME_UPPER" && window.auto_pad != "SAME_LOWER") {
        fail(fmt::format("auto_pad '{}'; known are NOTSET, VALID, SAME_UPPER and SAME_LOWER",
                         window.auto_pad));
    }
    if (window.strides.size() != rank || window.dilations.size() != rank ||
        pads.size() != 2 * rank) {
        fail(fmt::format("{} spatial dimensions, but {} strides, {} dilations and {} pads", rank,
                         window.strides.size(), window.dilations.size(), pads.size()));
    }
    if (!within(window.kernel, 1) || !within(window.strides, 1) || !within(window.dilations, 1)) {
        fail(fmt::format("kernel {}, strides {}, dilations {}: all must be positive",
                         to_string(window.kernel), to_string(window.strides),
                         to_string(window.dilations)));
    }
    if (!within(pads, 0)) fail(fmt::format("pads {} are out of range", to_string(pads)));
    const auto half = pads.begin() + static_cast<std::ptrdiff_t>(rank);
    window.begins.assign(pads.begin(), half);
    window.ends.assign(half, pads.end());
    if (window.auto_pad != "NOTSET") {
        window.ceil = false;
        window.begins.assign(rank, 0);
        window.ends.assign(rank, 0);
    }
    return window;
}

int64_t positions(const SlidingWindow& window, size_t k, int64_t size, const Fail& fail) {
    if (size == kUnknown) return kUnknown;
    const int64_t stride = window.strides[k], reach = window.reach(k);
    if (is_same(window)) return (size + stride - 1) / stride;
    const int64_t before = window.begins[k], after = window.ends[k];
    if (std::max(before, after) > size + reach) {
        fail(fmt::format("pads of {} and {} around {} elements: a window of {} would see nothing",
                         before, after, size, reach));
    }
    const int64_t room = size + before + after - reach;
    if (room < 0) {
        fail(fmt::format("a window of {} does not fit the padded input of {}", reach,
                         size + before + after));
    }
    int64_t steps = window.ceil ? (room + stride - 1) / stride : room / stride;
    if (window.ceil && steps * stride >= size + before) --steps;
    return steps + 1;
}

void settle_pads(SlidingWindow& window, const std::vector<int64_t>& sizes, const Fail& fail) {
    for (size_t k = 0; k < window.rank(); ++k) {
        const int64_t count = positions(window, k, sizes[k], fail);
        const int64_t needed = (count - 1) * window.strides[k] + window.reach(k) - sizes[k];
        if (is_same(window)) {
            const int64_t total = std::max<int64_t>(0, needed);
            window.begins[k] = window.auto_pad == "SAME_LOWER" ? total - total / 2 : total / 2;
        }
        window.ends[k] = std::max<int64_t>(0, needed - window.begins[k]);
    }
    window.auto_pad = "NOTSET";
    window.ceil = false;
}

TransposedWindow read_transposed_window(const Node& node, std::vector<int64_t> kernel,
                                        const Fail& fail) {
    TransposedWindow transposed;
    const size_t rank = kernel.size();
    transposed.window = read_window(node, std::move(kernel), fail);
    transposed.output_padding = node.ints_or("output_padding", std::vector<int64_t>(rank, 0));
    transposed.output_shape = node.ints_or("output_shape", {});
    auto& shape = transposed.output_shape;
    // Some exporters name the batch and the channels too.
    if (shape.size() == rank + 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (transposed.output_padding.size() != rank || !within(transposed.output_padding, 0) ||
        (!shape.empty() && shape.size() != rank) || !within(shape, 1)) {
        fail(fmt::format("output_padding {} and output_shape {} for {} spatial dimensions",
                         to_string(transposed.output_padding), to_string(shape), rank));
    }
    return transposed;
}

TransposedWindow::Extent TransposedWindow::extent(size_t k, int64_t size, const Fail& fail) const {
    const int64_t before = window.begins[k], after = window.ends[k];
    const bool same = is_same(window);
    if (size == kUnknown) return {output_shape.empty() ? kUnknown : output_shape[k], 0, 0};
    const int64_t full = (size - 1) * window.strides[k] + window.reach(k);
    if (output_shape.empty() && !same) {
        const Extent extent{full + output_padding[k] - before - after, before,
                            after - output_padding[k]};
        if (extent.size < 1) {
            fail(
                fmt::format("pads of {} and {} leave nothing of {} elements", before, after, full));
        }
        return extent;
    }
    const int64_t wanted = output_shape.empty() ? size * window.strides[k] : output_shape[k];
    const int64_t spare = full + output_padding[k] - wanted;
    const int64_t total = std::max<int64_t>(0, spare);
    const int64_t cut = window.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    return {wanted, cut, full - wanted - cut};
}

}  // namespace adiabat::net
