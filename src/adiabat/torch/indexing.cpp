// SPDX-License-Identifier: Apache-2.0
//
// Operators that pick and place elements by computed positions.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/net/detection.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

int64_t axis_of(const Call& call, int64_t given, int64_t rank) {
    const auto axis = net::normal_axis(given, rank);
    if (!axis) call.refuse(fmt::format("axis {} of an array of {} dimensions", given, rank));
    return *axis;
}

// Positions along an axis of `size`, counted from the front.
Tensor positive_index(const Call& call, const Tensor& given, int64_t size) {
    Tensor index = given.to(at::kLong);
    if (index.numel() == 0) return index;
    const auto low = index.min().item<int64_t>(), high = index.max().item<int64_t>();
    if (low < -size || high >= size) {
        call.refuse(fmt::format("index {} along an axis of {}", low < -size ? low : high, size));
    }
    return low < 0 ? at::where(index < 0, index + size, index) : index;
}

Tensors gather(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = axis_of(call, call.node.int_or("axis", 0), x.dim());
    const Tensor index = positive_index(call, call.in[1], x.size(axis));
    std::vector<int64_t> dims(x.sizes().begin(), x.sizes().begin() + axis);
    dims.insert(dims.end(), index.sizes().begin(), index.sizes().end());
    dims.insert(dims.end(), x.sizes().begin() + axis + 1, x.sizes().end());
    return {x.index_select(axis, index.reshape({-1})).reshape(dims)};
}

Tensors gather_elements(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = axis_of(call, call.node.int_or("axis", 0), x.dim());
    return {at::gather(x, axis, positive_index(call, call.in[1], x.size(axis)))};
}

// Positions [rows] into data whose leading axes from `first` on are one, from indices [rows,
// depth].
Tensor flat_positions(const Call& call, const Tensor& indices, at::IntArrayRef sizes) {
    Tensor flat = at::zeros({indices.size(0)}, at::kLong);
    for (int64_t d = 0; d < indices.size(1); ++d) {
        const int64_t size = sizes[static_cast<size_t>(d)];
        flat = flat * size + positive_index(call, indices.select(1, d), size);
    }
    return flat;
}

int64_t product(at::IntArrayRef sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

Tensors gather_nd(const Call& call) {
    const Tensor &x = call.in[0], &indices = call.in[1];
    const int64_t batch = call.node.int_or("batch_dims", 0), rank = indices.dim();
    if (batch < 0 || rank <= batch || x.dim() <= batch || indices.size(-1) < 1 ||
        indices.size(-1) > x.dim() - batch) {
        call.refuse(fmt::format("indices {} into data {}", net::to_string(indices.sizes().vec()),
                                net::to_string(x.sizes().vec())));
    }
    const auto b = static_cast<size_t>(batch), depth = static_cast<size_t>(indices.size(-1));
    const auto sizes = x.sizes().slice(b, depth), rest = x.sizes().slice(b + depth);
    const int64_t batches = product(x.sizes().slice(0, b)), inner = product(sizes);
    Tensor flat = flat_positions(call, indices.reshape({-1, indices.size(-1)}), sizes);
    if (batches > 0) {
        flat = (flat.reshape({batches, -1}) + at::arange(batches, at::kLong).unsqueeze(1) * inner)
                   .reshape({-1});
    }
    std::vector<int64_t> dims(indices.sizes().begin(), indices.sizes().end() - 1);
    dims.insert(dims.end(), rest.begin(), rest.end());
    return {x.reshape({batches * inner, product(rest)}).index_select(0, flat).reshape(dims)};
}

// scatter_reduce's name of a reduction.
const char* reduction_of(const Call& call) {
    const std::string reduction = call.node.string_or("reduction", "none");
    if (reduction == "add") return "sum";
    if (reduction == "mul") return "prod";
    if (reduction == "max") return "amax";
    if (reduction == "min") return "amin";
    if (reduction != "none") {
        call.refuse(
            fmt::format("reduction '{}'; known are none, add, mul, max and min", reduction));
    }
    return nullptr;
}

Tensor scatter_along(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& updates,
                     const char* reduction) {
    if (!reduction) return at::scatter(x, axis, index, updates);
    const bool flags = x.scalar_type() == at::kBool;
    const Tensor y = at::scatter_reduce(flags ? x.to(at::kInt) : x, axis, index,
                                        flags ? updates.to(at::kInt) : updates, reduction);
    return flags ? y.to(at::kBool) : y;
}

Tensors scatter_elements(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = axis_of(call, call.node.int_or("axis", 0), x.dim());
    const Tensor index = positive_index(call, call.in[1], x.size(axis));
    return {scatter_along(x, axis, index, call.in[2], reduction_of(call))};
}

Tensors scatter_nd(const Call& call) {
    const Tensor &x = call.in[0], &indices = call.in[1], &updates = call.in[2];
    const int64_t depth = indices.dim() == 0 ? 0 : indices.size(-1);
    if (depth < 1 || depth > x.dim()) {
        call.refuse(fmt::format("indices {} into data {}", net::to_string(indices.sizes().vec()),
                                net::to_string(x.sizes().vec())));
    }
    const auto d = static_cast<size_t>(depth);
    const auto sizes = x.sizes().slice(0, d), rest = x.sizes().slice(d);
    const Tensor flat = flat_positions(call, indices.reshape({-1, depth}), sizes);
    const Tensor rows = updates.reshape({flat.size(0), product(rest)});
    const Tensor index = flat.unsqueeze(1).expand({flat.size(0), product(rest)});
    const Tensor table = x.reshape({product(sizes), product(rest)});
    return {scatter_along(table, 0, index, rows, reduction_of(call)).reshape(x.sizes())};
}

// Equal elements in the order of their positions.
Tensors top_k(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = axis_of(call, call.node.int_or("axis", -1), x.dim());
    const int64_t k = call.given(1) ? call.in[1].item<int64_t>() : call.node.int_or("k", 0);
    if (k < 0 || k > x.size(axis)) call.refuse(fmt::format("the top {} of {}", k, x.size(axis)));
    const bool largest = call.node.int_or("largest", 1) != 0;
    const auto [values, places] = at::sort(x, /*stable=*/true, axis, /*descending=*/largest);
    return {values.narrow(axis, 0, k), places.narrow(axis, 0, k)};
}

Tensors one_hot(const Call& call) {
    const Tensor &indices = call.in[0], &values = call.in[2];
    if (call.in[1].numel() != 1 || values.numel() != 2) {
        call.refuse("depth is one number, values are off and on");
    }
    const auto depth = static_cast<int64_t>(call.in[1].item().toDouble());
    if (depth < 1 || depth > kMostElements / std::max<int64_t>(1, indices.numel())) {
        call.refuse(fmt::format("a depth of {}", depth));
    }
    const int64_t axis = axis_of(call, call.node.int_or("axis", -1), indices.dim() + 1);
    Tensor index = indices.to(at::kLong).unsqueeze(axis);
    index = at::where(index < 0, index + depth, index);
    std::vector<int64_t> shape(static_cast<size_t>(indices.dim()) + 1, 1);
    shape[static_cast<size_t>(axis)] = depth;
    const Tensor on = at::eq(index, at::arange(depth, at::kLong).reshape(shape));
    return {at::where(on, values.reshape({-1})[1], values.reshape({-1})[0])};
}

Tensors non_zero(const Call& call) {
    const Tensor& x = call.in[0];
    return {at::nonzero(x.dim() == 0 ? x.reshape({1}) : x)
                .narrow(1, 0, x.dim() == 0 ? 0 : x.dim())
                .t()
                .contiguous()};
}

Tensors compress(const Call& call) {
    const bool flat = !call.node.has("axis");
    const Tensor x = flat ? call.in[0].reshape({-1}) : call.in[0];
    const int64_t axis = flat ? 0 : axis_of(call, call.node.int_or("axis", 0), x.dim());
    const Tensor condition = call.in[1].reshape({-1});
    if (condition.numel() > x.size(axis)) {
        call.refuse(
            fmt::format("{} conditions along an axis of {}", condition.numel(), x.size(axis)));
    }
    return {x.index_select(axis, at::nonzero(condition).reshape({-1}))};
}

// The first lengths[b] elements along the time axis, backwards; the rest as it is.
Tensors reverse_sequence(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t batch = call.node.int_or("batch_axis", 1),
                  time = call.node.int_or("time_axis", 0);
    if (x.dim() < 2 || std::min(batch, time) != 0 || std::max(batch, time) != 1) {
        call.refuse("batch_axis and time_axis are 0 and 1");
    }
    const Tensor lengths = call.in[1].to(at::kLong).reshape({-1});
    const int64_t steps = x.size(time);
    if (lengths.numel() != x.size(batch) ||
        (lengths.numel() > 0 &&
         (lengths.min().item<int64_t>() < 0 || lengths.max().item<int64_t>() > steps))) {
        call.refuse(fmt::format("lengths beyond the {} steps of {}", steps, x.size(batch)));
    }
    const Tensor step = at::arange(steps, at::kLong).unsqueeze(batch);
    const Tensor length = lengths.unsqueeze(time);
    Tensor index = at::where(step < length, length - 1 - step, step);
    for (int64_t d = 2; d < x.dim(); ++d) index = index.unsqueeze(-1);
    return {at::gather(x, time, index.expand(x.sizes()))};
}

std::vector<double> doubles(const Tensor& x) {
    const Tensor values = x.to(at::kDouble).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

Tensor ints(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

Tensors unique(const Call& call) {
    const bool flat = !call.node.has("axis");
    Tensor x = flat ? call.in[0].reshape({-1}) : call.in[0];
    const int64_t axis = flat ? 0 : axis_of(call, call.node.int_or("axis", 0), x.dim());
    const Tensor rows = x.movedim(axis, 0);
    const int64_t count = rows.size(0);
    const auto found = net::unique_rows(doubles(rows), count, call.node.int_or("sorted", 1) != 0);
    return {x.index_select(axis, ints(found.first)), ints(found.first), ints(found.inverse),
            ints(found.counts)};
}

Tensors non_max_suppression(const Call& call) {
    const Tensor &boxes = call.in[0], &scores = call.in[1];
    if (boxes.dim() != 3 || scores.dim() != 3 || boxes.size(2) != 4 ||
        boxes.size(0) != scores.size(0) || boxes.size(1) != scores.size(2)) {
        call.refuse("boxes are [N, B, 4] and scores [N, C, B]");
    }
    net::SuppressionLimits limits;
    limits.most = call.given(2) ? call.in[2].item<int64_t>() : 0;
    limits.overlap = call.number(3, "", 0);
    if (call.given(4)) limits.score = call.in[4].item().toDouble();
    limits.by_center = call.node.int_or("center_point_box", 0) != 0;
    const auto chosen = net::suppress_non_maxima(
        doubles(boxes), doubles(scores), {boxes.size(0), scores.size(1), boxes.size(1)}, limits);
    return {ints(chosen).reshape({-1, 3})};
}

Tensors roi_align(const Call& call) {
    const Tensor &x = call.in[0], &rois = call.in[1];
    if (x.dim() != 4 || rois.dim() != 2 || rois.size(1) != 4 ||
        call.in[2].numel() != rois.size(0)) {
        call.refuse("the image is [N, C, H, W], the regions are [R, 4] and [R]");
    }
    const net::Node& node = call.node;
    net::RoiAlignment how;
    how.height = node.int_or("output_height", 1);
    how.width = node.int_or("output_width", 1);
    how.samples = node.int_or("sampling_ratio", 0);
    how.scale = node.float_or("spatial_scale", 1);
    const std::string mode = node.string_or("mode", "avg");
    const std::string shift = node.string_or("coordinate_transformation_mode",
                                             call.opset < 16 ? "output_half_pixel" : "half_pixel");
    if (mode != "avg" && mode != "max") call.refuse(fmt::format("mode '{}'", mode));
    how.takes_maximum = mode == "max";
    how.half_pixel = shift == "half_pixel";
    if (how.height < 1 || how.width < 1 || how.samples < 0 ||
        std::max({how.height, how.width, how.samples}) > 4096) {
        call.refuse(
            fmt::format("an output of {} by {}, {} samples", how.height, how.width, how.samples));
    }
    positive_index(call, call.in[2], x.size(0));
    const Tensor numbers = call.in[2].to(at::kLong).contiguous();
    const Tensor image = x.to(at::kFloat).contiguous();
    const auto region = doubles(rois);
    const Tensor y = at::empty({rois.size(0), x.size(1), how.height, how.width}, at::kFloat);
    net::roi_align({image.data_ptr<float>(), static_cast<size_t>(image.numel())}, x.sizes().vec(),
                   region, {numbers.data_ptr<int64_t>(), static_cast<size_t>(numbers.numel())}, how,
                   {y.data_ptr<float>(), static_cast<size_t>(y.numel())});
    return {y.to(x.scalar_type())};
}

constexpr Operator kOperators[] = {
    {"Compress", compress},
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"NonMaxSuppression", non_max_suppression},
    {"NonZero", non_zero},
    {"OneHot", one_hot},
    {"ReverseSequence", reverse_sequence},
    {"RoiAlign", roi_align},
    {"Scatter", scatter_elements},
    {"ScatterElements", scatter_elements},
    {"ScatterND", scatter_nd},
    {"TopK", top_k},
    {"Unique", unique},
};

}  // namespace

std::span<const Operator> indexing_operators() { return kOperators; }

}  // namespace adiabat::torch
