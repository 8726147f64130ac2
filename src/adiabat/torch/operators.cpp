// SPDX-License-Identifier: Apache-2.0
//
// What operators have in common, and the tables of all.

#include "adiabat/torch/operators.h"
#include "adiabat/base/errors.h"

namespace adiabat::torch {

using at::Tensor;

bool Call::may_overwrite(size_t k) const {
    const Tensor& t = in[k];
    return !at::GradMode::is_enabled() && t.use_count() == 1 && t.storage().use_count() == 1;
}

std::vector<int64_t> Call::ints(size_t k, std::string_view name) const {
    if (!given(k)) return node.ints_or(name, {});
    const Tensor values = in[k].to(at::kLong).contiguous();
    const auto* data = values.data_ptr<int64_t>();
    return {data, data + values.numel()};
}

double Call::number(size_t k, std::string_view name, double otherwise) const {
    if (given(k)) return in[k].item().toDouble();
    return name.empty() || !node.has(name) ? otherwise : node.float_or(name, 0);
}

void Call::refuse(const std::string& what) const {
    throw InputError("{} ({}): {}", node.name.empty() ? "a node without a name" : node.name,
                     node.op, what);
}

std::vector<std::span<const Operator>> all_operators() {
    return {elementwise_operators(), reducing_operators(), layout_operators(),
            indexing_operators(),    sampling_operators(), layer_operators(),
            quantizing_operators(),  integer_operators()};
}

Function find_operator(std::string_view name) {
    for (const auto& table : all_operators()) {
        for (const Operator& entry : table) {
            if (entry.name == name) return entry.function;
        }
    }
    return nullptr;
}

}  // namespace adiabat::torch
