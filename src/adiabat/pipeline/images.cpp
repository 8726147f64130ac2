// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/images.h"

#include <numeric>

#include "adiabat/base/digest.h"

namespace adiabat::pipeline {

std::unique_ptr<data::Source> open_images(const DataOptions& options, data::Split preferred,
                                          const Model& model) {
    data::OpenOptions open;
    open.split = options.split;
    open.preferred = preferred;
    open.layout = data::parse_layout(options.preprocess.layout);
    open.labels = options.labels;
    auto source = data::open_source(options.path, open);

    const net::Value& input = model.graph.value(model.graph.inputs[0]);
    if (!input.shape) return source;
    const net::Shape& wanted = *input.shape;
    bool fits = wanted.size() == source->image_shape().size() + 1;
    for (size_t k = 1; fits && k < wanted.size(); ++k) {
        fits = wanted[k] == net::kUnknown || wanted[k] == source->image_shape()[k - 1];
    }
    if (!fits) {
        throw InputError("{}: images are {}, but input {} of {} takes {}", options.path.string(),
                         net::to_string(source->image_shape()), input.name, model.path,
                         net::to_string(wanted));
    }
    return source;
}

Images read_images(const data::Source& source, std::span<const int64_t> rows,
                   const data::Preprocess& preprocess, const Model& model) {
    const data::Dataset stored = source.read(rows);
    if (!stored.labels.empty()) {
        const auto& shape = model.graph.value(model.graph.outputs[0]).shape;
        if (shape && shape->size() == 2 && shape->back() != net::kUnknown) {
            data::check_labels(stored.labels, shape->back(), source.name());
        }
    }
    Images images;
    images.pixels = data::apply(preprocess, stored);
    images.labels = stored.labels;
    std::vector<uint8_t> content = stored.images.bytes;
    const auto* labels = reinterpret_cast<const uint8_t*>(stored.labels.data());
    content.insert(content.end(), labels, labels + stored.labels.size() * sizeof(int32_t));
    images.sha256 = sha256(content);
    return images;
}

std::vector<int64_t> first_rows(int64_t count) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
}

}  // namespace adiabat::pipeline
