// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/dataset.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::data {

namespace {

template <typename T>
void check_finite(const Dataset& data, std::span<const int64_t> rows) {
    const auto pixels = data.images.as<T>();
    const auto odd = std::ranges::find_if(pixels, [](T pixel) { return !std::isfinite(pixel); });
    if (odd == pixels.end()) return;
    const auto image = (odd - pixels.begin()) / net::elements(data.image_shape);
    throw InputError("{}: image {} has a pixel that is {}: expected finite numbers", data.source,
                     rows[static_cast<size_t>(image)], *odd);
}

}  // namespace

std::string_view name_of(Split split) {
    return split == Split::kTrain ? "train" : split == Split::kTest ? "test" : "auto";
}

Split parse_split(std::string_view name) {
    for (const Split split : {Split::kAuto, Split::kTrain, Split::kTest}) {
        if (name == name_of(split)) return split;
    }
    throw InputError("split \"{}\": expected train, test or auto", name);
}

std::string_view name_of(Layout layout) { return layout == Layout::kNhwc ? "NHWC" : "NCHW"; }

Layout parse_layout(std::string_view name) {
    std::string upper(name);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const Layout layout : {Layout::kNchw, Layout::kNhwc}) {
        if (upper == name_of(layout)) return layout;
    }
    throw InputError("layout \"{}\": expected NCHW or NHWC", name);
}

Dataset Source::read(std::span<const int64_t> rows) const {
    for (const int64_t row : rows) {
        if (row < 0 || row >= size_) {
            throw InputError("{}: has no image {}: it has {}, counted from 0", name_, row,
                             format_count(size_));
        }
    }
    net::Shape shape{static_cast<int64_t>(rows.size())};
    shape.insert(shape.end(), shape_.begin(), shape_.end());
    Dataset data{name_, shape_, type_, net::Tensor(type_, std::move(shape)), {}};
    if (has_labels_) data.labels.resize(rows.size());
    read_rows(rows, data.images.bytes.data(), data.labels.data());
    if (type_ == net::DType::kFloat) check_finite<float>(data, rows);
    if (type_ == net::DType::kDouble) check_finite<double>(data, rows);
    return data;
}

std::vector<Broken> Source::find_broken(std::span<const int64_t>) const { return {}; }

Dataset Source::read_all() const {
    std::vector<int64_t> rows(static_cast<size_t>(size_));
    std::iota(rows.begin(), rows.end(), 0);
    return read(rows);
}

void check_labels(std::span<const int32_t> labels, int64_t classes, std::string_view where) {
    for (size_t k = 0; k < labels.size(); ++k) {
        if (labels[k] < 0 || labels[k] >= classes) {
            throw InputError(
                "{}: image {} has label {}, but the network has {} classes: expected 0 to {}",
                where, k, labels[k], classes, classes - 1);
        }
    }
}

}  // namespace adiabat::data
