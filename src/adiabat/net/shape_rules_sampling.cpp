// SPDX-License-Identifier: Apache-2.0
// Shapes of what samples or regroups space: Resize, GridSample, RoiAlign, DepthToSpace and kin.
#include <algorithm>
#include <numeric>

#include "adiabat/net/resample.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

Fail fail_of(const RuleScope& scope) {
    return [&scope](const std::string& text) { scope.fail("{}", text); };
}

std::vector<float> floats_of(const RuleScope& scope, const Tensor& tensor) {
    std::vector<float> values;
    for (double v : tensor.to_doubles()) values.push_back(static_cast<float>(v));
    if (values.size() > 64) scope.fail("{} scales", values.size());
    return values;
}

// An input that is there but empty counts as left out: exporters write one for roi and scales.
bool is_given(const RuleScope& scope, size_t input) {
    if (!scope.has(input)) return false;
    const Shape* shape = scope.shape(input);
    return !shape || *shape != Shape{0};
}

void resize(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    const ResizeInputs places = resize_inputs(scope.node, scope.opset());
    ResizeRequest request;
    if (scope.node.op == "Upsample" && scope.node.has("scales")) {
        request.scales = scope.node.floats_or("scales", {});
    } else if (is_given(scope, places.scales)) {
        if (const Tensor* scales = scope.constant(places.scales)) {
            request.scales = floats_of(scope, *scales);
        }
    }
    if (is_given(scope, places.sizes)) {
        if (const PartialInts* sizes = scope.partial(places.sizes)) request.sizes = sizes->entries;
    }
    scope.set(0, scope.type(0), resize_target(scope.node, *x, request, fail_of(scope)).shape);
}

const Shape& image_of(const RuleScope& scope, const Shape& x) {
    if (x.size() != 4) scope.fail("input of shape {}: [N, C, H, W]", to_string(x));
    return x;
}

int64_t block_of(const RuleScope& scope) {
    const int64_t block = scope.node.int_or("blocksize", 0);
    if (block < 1 || block > (1 << 15)) scope.fail("a blocksize of {}", block);
    return block;
}

void depth_to_space(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const int64_t block = block_of(scope);
    const std::string mode = scope.node.string_or("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") scope.fail("mode '{}'; known are DCR and CRD", mode);
    if (!x) return scope.set(0, scope.type(0));
    Shape out = image_of(scope, *x);
    if (out[1] != kUnknown) {
        if (out[1] % (block * block) != 0) {
            scope.fail("{} channels in blocks of {}", out[1], block * block);
        }
        out[1] /= block * block;
    }
    for (size_t k : {2, 3}) out[k] = out[k] == kUnknown ? kUnknown : out[k] * block;
    scope.set(0, scope.type(0), out);
}

void space_to_depth(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const int64_t block = block_of(scope);
    if (!x) return scope.set(0, scope.type(0));
    Shape out = image_of(scope, *x);
    if (out[1] != kUnknown) out[1] *= block * block;
    for (size_t k : {2, 3}) {
        if (out[k] == kUnknown) continue;
        if (out[k] % block != 0) scope.fail("{} elements in blocks of {}", out[k], block);
        out[k] /= block;
    }
    scope.set(0, scope.type(0), out);
}

void grid_sample(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *grid = scope.shape(1);
    if (!x || !grid) return scope.set(0, scope.type(0));
    if (x->size() != grid->size() || x->size() < 4 || x->size() > 5) {
        scope.fail("input of shape {} and grid of shape {}", to_string(*x), to_string(*grid));
    }
    const auto spatial = static_cast<int64_t>(x->size()) - 2;
    if (grid->back() != kUnknown && grid->back() != spatial) {
        scope.fail("grid of shape {}: {} coordinates", to_string(*grid), spatial);
    }
    Shape out = {(*x)[0], (*x)[1]};
    out.insert(out.end(), grid->begin() + 1, grid->end() - 1);
    scope.set(0, scope.type(0), out);
}

void affine_grid(const RuleScope& scope) {
    const auto size = scope.ints("", 1);
    if (!size) {
        const Shape* theta = scope.shape(0);
        if (!theta || theta->size() != 3 || (*theta)[1] == kUnknown) {
            return scope.set(0, scope.type(0));
        }
        Shape out(static_cast<size_t>((*theta)[1]) + 2, kUnknown);
        out.back() = (*theta)[1];
        return scope.set(0, scope.type(0), out);
    }
    if (size->size() < 4 || size->size() > 5) scope.fail("size {}", to_string(*size));
    Shape out = {(*size)[0]};
    out.insert(out.end(), size->begin() + 2, size->end());
    out.push_back(static_cast<int64_t>(size->size()) - 2);
    for (int64_t d : out) {
        if (d < 0) scope.fail("size {}", to_string(*size));
    }
    scope.set(0, scope.type(0), out);
}

void roi_align(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *rois = scope.shape(1);
    const int64_t height = scope.node.int_or("output_height", 1),
                  width = scope.node.int_or("output_width", 1);
    if (height < 1 || width < 1 || std::max(height, width) > (1 << 20)) {
        scope.fail("an output of {} by {}", height, width);
    }
    if (!x) return scope.set(0, scope.type(0));
    if (rois && (rois->size() != 2 || ((*rois)[1] != 4 && (*rois)[1] != kUnknown))) {
        scope.fail("regions of shape {}: [R, 4]", to_string(*rois));
    }
    scope.set(0, scope.type(0),
              Shape{rois ? (*rois)[0] : kUnknown, image_of(scope, *x)[1], height, width});
}

void center_crop_pad(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto sizes = scope.ints("", 1);
    if (!x) return scope.set(0, scope.type(0));
    std::vector<int64_t> all(x->size());
    std::iota(all.begin(), all.end(), 0);
    const auto axes = scope.node.ints_or("axes", all);
    Shape out = *x;
    for (size_t k = 0; k < axes.size(); ++k) {
        int64_t& size = out[static_cast<size_t>(scope.axis(axes[k], x->size()))];
        if (!sizes) {
            size = kUnknown;
            continue;
        }
        if (sizes->size() != axes.size()) {
            scope.fail("{} sizes for {} axes", sizes->size(), axes.size());
        }
        size = (*sizes)[k];
        if (size < 0) scope.fail("a size of {}", size);
    }
    scope.set(0, scope.type(0), out);
}

void col2im(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto image = scope.ints("", 1), block = scope.ints("", 2);
    if (!x || !image || !block) return scope.set(0, scope.type(0));
    if (x->size() != 3 || image->empty() || image->size() != block->size()) {
        scope.fail("input of shape {}, image {} and block {}", to_string(*x), to_string(*image),
                   to_string(*block));
    }
    const Fail fail = fail_of(scope);
    const SlidingWindow window = read_window(scope.node, *block, fail);
    int64_t columns = 1;
    for (size_t k = 0; k < image->size(); ++k) {
        if ((*image)[k] < 1 || (*image)[k] > INT32_MAX) scope.fail("image {}", to_string(*image));
        columns *= positions(window, k, (*image)[k], fail);
    }
    const int64_t taps = elements(Shape(*block));
    if ((*x)[1] != kUnknown && (*x)[1] % taps != 0) {
        scope.fail("{} rows in blocks of {}", (*x)[1], taps);
    }
    if ((*x)[2] != kUnknown && (*x)[2] != columns) {
        scope.fail("{} columns for {} positions", (*x)[2], columns);
    }
    Shape out = {(*x)[0], (*x)[1] == kUnknown ? kUnknown : (*x)[1] / taps};
    out.insert(out.end(), image->begin(), image->end());
    scope.set(0, scope.type(0), out);
}

}  // namespace

std::vector<NamedRule> sampling_rules() {
    return {
        {"Resize", resize},
        {"Upsample", resize},
        {"DepthToSpace", depth_to_space},
        {"SpaceToDepth", space_to_depth},
        {"GridSample", grid_sample, 2},
        {"AffineGrid", affine_grid, 2},
        {"RoiAlign", roi_align, 3},
        {"CenterCropPad", center_crop_pad, 2},
        {"Col2Im", col2im, 3},
    };
}

}  // namespace adiabat::net
