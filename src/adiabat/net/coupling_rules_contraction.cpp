// SPDX-License-Identifier: Apache-2.0
//
// Coupling through sums of products: convolutions, Gemm, MatMul, Einsum. An axis that is summed
// over loses the same indices on both sides; an axis of a parameter that reaches the output makes
// channels.
#include <algorithm>
#include <map>
#include <string>

#include "adiabat/net/coupling_scope.h"

namespace adiabat::net {

namespace {

// Whether a grouped convolution is cut by whole groups, which gives the finer choice where groups
// are many; the other way cuts the same channels in every group.
bool by_whole_groups(int64_t groups, int64_t inputs_a_group) { return groups >= inputs_a_group; }

// Ties index j of every group with index j of the first.
void tie_across_groups(CouplingScope& s, const Labels& labels, size_t per_group) {
    if (!labels) return;
    for (size_t k = per_group; k < labels->size(); ++k) {
        s.tie((*labels)[k], (*labels)[k % per_group]);
    }
}

Labels first_of(CouplingScope& s, const Labels& labels, size_t count) {
    if (!labels) return nullptr;
    return s.make({labels->begin(), labels->begin() + static_cast<std::ptrdiff_t>(count)});
}

// Ties the channels that go into each group with those that come out of it.
void tie_whole_groups(CouplingScope& s, const Labels& in, const Labels& out, size_t groups) {
    if (!in || !out) {
        s.freeze(in, "is grouped over channels that are never cut");
        s.freeze(out, "is grouped over channels that are never cut");
        return;
    }
    for (size_t k = 0; k < in->size(); ++k) {
        s.tie((*in)[k], (*in)[k - k % (in->size() / groups)]);
    }
    for (size_t k = 0; k < out->size(); ++k) {
        const size_t group = k / (out->size() / groups);
        s.tie((*out)[k], (*in)[group * (in->size() / groups)]);
    }
}

void freeze_spatial(CouplingScope& s) {
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "slides over the axis");
}

bool groups_fit(CouplingScope& s, int64_t groups, int64_t channels, int64_t filters) {
    if (groups >= 1 && channels > 0 && channels % groups == 0 && filters % groups == 0) return true;
    s.freeze_all("has groups that do not divide its channels");
    return false;
}

void convolution(CouplingScope& s) {
    if (s.rank(0) < 2 || s.rank(1) < 2) return s.freeze_all("has no channel axis");
    const int64_t groups = s.node.int_or("group", 1);
    const int64_t filters = s.shape(1)[0], inputs = s.shape(1)[1];
    if (!groups_fit(s, groups, inputs * groups, filters)) return;
    freeze_spatial(s);
    for (int axis = 2; axis < s.rank(1); ++axis) s.bind(1, axis, nullptr);
    const Labels in = s.labels(0, 1), out = s.filters(1, 0);
    if (groups == 1) {
        s.bind(1, 1, in);
    } else if (by_whole_groups(groups, inputs)) {
        s.bind(1, 1, nullptr);
        tie_whole_groups(s, in, out, static_cast<size_t>(groups));
    } else {
        tie_across_groups(s, in, static_cast<size_t>(inputs));
        tie_across_groups(s, out, static_cast<size_t>(filters / groups));
        s.bind(1, 1, first_of(s, in, static_cast<size_t>(inputs)));
    }
    s.bind(2, 0, out);
    s.set(0, 1, out);
}

void transposed_convolution(CouplingScope& s) {
    if (s.rank(0) < 2 || s.rank(1) < 2) return s.freeze_all("has no channel axis");
    const int64_t groups = s.node.int_or("group", 1);
    const int64_t channels = s.shape(1)[0], per_group = s.shape(1)[1];
    if (!groups_fit(s, groups, channels, per_group * groups) || channels * per_group > kMaxLabels) {
        return;
    }
    freeze_spatial(s);
    for (int axis = 2; axis < s.rank(1); ++axis) s.bind(1, axis, nullptr);
    const Labels in = s.labels(0, 1);
    const auto inputs = static_cast<size_t>(channels / groups);
    Labels out;
    if (groups == 1) {
        out = s.filters(1, 1);
    } else if (by_whole_groups(groups, channels / groups)) {
        // The filters of a group go where its channels go: rows of the weight are both.
        s.bind(1, 1, nullptr);
        if (in) {
            std::vector<Atom> atoms;
            for (int64_t k = 0; k < groups * per_group; ++k) {
                atoms.push_back((*in)[static_cast<size_t>(k / per_group) * inputs]);
            }
            out = s.make(std::move(atoms));
            tie_whole_groups(s, in, out, static_cast<size_t>(groups));
        }
    } else {
        tie_across_groups(s, in, inputs);
        if (const Labels own = s.filters(1, 1)) {
            std::vector<Atom> atoms;
            for (int64_t k = 0; k < groups * per_group; ++k) {
                atoms.push_back((*own)[static_cast<size_t>(k % per_group)]);
            }
            out = s.make(std::move(atoms));
        }
    }
    s.bind(1, 0, in);
    s.bind(2, 0, out);
    s.set(0, 1, out);
}

// One axis of an operand of a contraction.
struct Operand {
    size_t input;
    int axis;
};

// The operands' axes that have one name. `kept` says whether it is an axis of the output.
Labels contract(CouplingScope& s, const std::vector<Operand>& operands, int64_t extent, bool kept) {
    Labels labels;
    bool whole = false, all_constant = true;
    for (const auto& [input, axis] : operands) {
        const int64_t here = s.shape(input)[static_cast<size_t>(axis)];
        all_constant = all_constant && s.is_constant(input);
        if (here == 1 && extent != 1) {
            s.freeze_axis(input, axis, "one channel is spread over several");
            continue;
        }
        const Labels found = s.labels(input, axis);
        if (found && labels) s.tie(labels, found);
        if (found && !labels) labels = found;
        if (!found && !s.is_constant(input)) whole = true;
    }
    if (kept && all_constant && !operands.empty()) {
        labels = s.filters(operands[0].input, operands[0].axis);
    }
    if (whole && labels) {
        s.freeze(labels, "meets channels that are never cut");
        labels = nullptr;
    }
    for (const auto& [input, axis] : operands) {
        const bool spread = s.shape(input)[static_cast<size_t>(axis)] == 1 && extent != 1;
        if (!spread && s.is_constant(input)) s.bind(input, axis, labels);
    }
    return labels;
}

void gemm(CouplingScope& s) {
    if (s.rank(0) != 2 || s.rank(1) != 2) return s.freeze_all("is not a product of matrices");
    const int of_a = s.node.int_or("transA", 0) ? 0 : 1, of_b = s.node.int_or("transB", 0) ? 1 : 0;
    contract(s, {{0, of_a}, {1, of_b}}, s.shape(0)[static_cast<size_t>(of_a)], false);
    const Labels rows = contract(s, {{0, 1 - of_a}}, s.out_shape()[0], true);
    const Labels columns = contract(s, {{1, 1 - of_b}}, s.out_shape()[1], true);
    if (s.has(2)) {
        const int rank = s.rank(2);
        if (rank >= 1 && s.shape(2).back() == s.out_shape()[1]) s.bind(2, -1, columns);
        if (rank == 2 && s.shape(2)[0] == s.out_shape()[0]) s.bind(2, 0, rows);
    }
    s.set(0, 0, rows);
    s.set(0, 1, columns);
}

void matmul(CouplingScope& s) {
    const int a = s.rank(0), b = s.rank(1), rank = s.out_rank();
    if (a < 1 || b < 1) return s.freeze_all("is not a product of matrices");
    contract(s, {{0, a - 1}, {1, std::max(0, b - 2)}}, s.shape(0).back(), false);
    const int matrix = (a > 1) + (b > 1);  // axes of the output that are not of the batch
    if (b > 1) s.set(0, rank - 1, contract(s, {{1, b - 1}}, s.shape(1).back(), true));
    if (a > 1) {
        const int row = rank - matrix;
        s.set(0, row, contract(s, {{0, a - 2}}, s.out_shape()[static_cast<size_t>(row)], true));
    }
    for (int axis = 0; axis < rank - matrix; ++axis) {
        std::vector<Operand> operands;
        const int from_end = rank - matrix - axis;
        if (a > 2 && a - 2 - from_end >= 0) operands.push_back({0, a - 2 - from_end});
        if (b > 2 && b - 2 - from_end >= 0) operands.push_back({1, b - 2 - from_end});
        s.set(0, axis, contract(s, operands, s.out_shape()[static_cast<size_t>(axis)], true));
    }
}

// "bij,bjk->bik": an operand with an ellipsis is left alone.
void einsum(CouplingScope& s) {
    std::string equation = s.node.string_or("equation", "");
    equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
    const size_t arrow = equation.find("->");
    if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
        return s.freeze_all("its equation is not followed");
    }
    const std::string output = equation.substr(arrow + 2);
    std::map<char, std::vector<Operand>> operands;
    size_t input = 0;
    int axis = 0;
    for (char letter : equation.substr(0, arrow)) {
        if (letter == ',') {
            ++input;
            axis = 0;
        } else if (input >= s.node.inputs.size() || axis >= s.rank(input)) {
            return s.freeze_all("its equation does not fit its operands");
        } else {
            operands[letter].push_back({input, axis++});
        }
    }
    if (static_cast<int>(output.size()) != s.out_rank()) {
        return s.freeze_all("its equation does not fit its output");
    }
    for (const auto& [letter, axes] : operands) {
        int64_t extent = 1;
        for (const auto& [k, a] : axes) {
            const int64_t here = s.shape(k)[static_cast<size_t>(a)];
            if (here != 1) extent = here;
        }
        const size_t place = output.find(letter);
        const Labels labels = contract(s, axes, extent, place != std::string::npos);
        if (place != std::string::npos) s.set(0, static_cast<int>(place), labels);
    }
}

}  // namespace

std::vector<NamedCouplingRule> contraction_coupling_rules() {
    return {
        {"Conv", convolution, "makes and reads; groups tied"},
        {"ConvTranspose", transposed_convolution, "makes and reads; groups tied"},
        {"Gemm", gemm, "makes and reads"},
        {"MatMul", matmul, "makes and reads"},
        {"Einsum", einsum, "makes and reads; not with an ellipsis"},
    };
}

}  // namespace adiabat::net
