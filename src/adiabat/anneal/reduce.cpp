// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/reduce.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

size_t index(int i) { return static_cast<size_t>(i); }

// The three forms, with the fixed variables' parts moved into offset and linear terms.
struct Reducer {
    const std::vector<int>& kept;
    const std::vector<int>& places;
    const std::vector<int8_t>& values;

    bool set(int i) const { return values[index(i)] == 1; }

    qubo::Energy operator()(const qubo::Dense& whole) const {
        qubo::Dense part(static_cast<int>(kept.size()));
        std::vector<uint8_t> ones(values.size());
        for (size_t i = 0; i < ones.size(); ++i) ones[i] = values[i] == 1;
        part.add_offset(whole.energy(ones));
        for (size_t a = 0; a < kept.size(); ++a) {
            double field = whole.linear(kept[a]);
            const auto row = whole.row(kept[a]);
            for (size_t j = 0; j < row.size(); ++j) field += ones[j] ? row[j] : 0.0;
            part.add_linear(static_cast<int>(a), field);
            for (size_t b = 0; b < a; ++b)
                part.add_coupling(static_cast<int>(a), static_cast<int>(b), row[index(kept[b])]);
        }
        return part;
    }

    qubo::Energy operator()(const qubo::Sparse& whole) const {
        std::vector<qubo::Edge> edges;
        std::vector<double> linear(kept.size());
        double offset = whole.offset();
        for (int i = 0; i < whole.variables(); ++i) {
            const int place = places[index(i)];
            if (place >= 0) {
                linear[index(place)] += whole.linear(i);
            } else if (set(i)) {
                offset += whole.linear(i);
            } else {
                continue;
            }
            const auto row = whole.neighbors(i);
            const auto couplings = whole.couplings(i);
            for (size_t k = 0; k < row.size(); ++k) {
                const int other = places[index(row[k])];
                if (place >= 0 && other > place) edges.push_back({place, other, couplings[k]});
                if (place >= 0 && other < 0 && set(row[k])) linear[index(place)] += couplings[k];
                if (place < 0 && other < 0 && row[k] < i && set(row[k])) offset += couplings[k];
            }
        }
        return qubo::Sparse(static_cast<int>(kept.size()), edges, std::move(linear), offset);
    }

    qubo::Energy operator()(const qubo::Factored& whole) const {
        qubo::Factored part(static_cast<int>(kept.size()));
        part.add_offset(whole.offset());
        std::vector<double> constants(whole.constants().begin(), whole.constants().end());
        for (int i = 0; i < whole.variables(); ++i) {
            const int place = places[index(i)];
            if (place >= 0) part.add_linear(place, whole.linear(i));
            if (!set(i)) continue;
            part.add_offset(whole.linear(i));
            const auto row = whole.row(i);
            for (size_t k = 0; k < constants.size(); ++k) constants[k] += row[k];
        }
        std::vector<double> columns;
        for (const int i : kept) {
            const auto row = whole.row(i);
            columns.insert(columns.end(), row.begin(), row.end());
        }
        part.add_squares(columns, constants, whole.weights());
        for (const qubo::DenseBlock& block : whole.blocks()) reduce_block(block, part);
        return part;
    }

    void reduce_block(const qubo::DenseBlock& block, qubo::Factored& part) const {
        const auto size = index(block.size);
        std::vector<size_t> inside;
        for (size_t i = 0; i < size; ++i)
            if (places[index(block.first) + i] >= 0) inside.push_back(i);
        for (size_t i = 0; i < size; ++i) {
            const int variable = block.first + static_cast<int>(i);
            const int place = places[index(variable)];
            for (size_t j = 0; j < size; ++j) {
                if (!set(block.first + static_cast<int>(j))) continue;
                const double value = block.values[i * size + j];
                if (place >= 0) part.add_linear(place, 2 * value);
                if (set(variable)) part.add_offset(value);
            }
        }
        if (inside.empty()) return;
        std::vector<double> matrix;
        for (const size_t i : inside)
            for (const size_t j : inside) matrix.push_back(block.values[i * size + j]);
        part.add_block(places[index(block.first) + inside.front()], static_cast<int>(inside.size()),
                       matrix);
    }
};

}  // namespace

Reduction::Reduction(const qubo::Problem& problem)
    : original_(problem), values_(index(problem.variables()), -1) {
    for (const auto& [variable, value] : problem.constraints.fixed) fix(variable, value);
    propagate();
    places_.assign(values_.size(), -1);
    for (size_t i = 0; i < values_.size(); ++i) {
        if (values_[i] >= 0) continue;
        places_[i] = static_cast<int>(kept_.size());
        kept_.push_back(static_cast<int>(i));
    }
    if (is_trivial()) return;
    reduced_.form = reduced_form();
    reduced_.constraints = reduced_constraints();
}

void Reduction::fix(int variable, uint8_t value) {
    int8_t& known = values_[index(variable)];
    if (known >= 0 && known != value)
        throw InputError("variable {} would have to be both 0 and 1 to keep the groups it is in",
                         original_.name(variable));
    known = static_cast<int8_t>(value);
}

void Reduction::propagate() {
    for (bool changed = true; changed;) {
        changed = false;
        for (const qubo::Group& group : original_.constraints.groups) {
            const auto count = [&](int8_t value) {
                return std::ranges::count_if(group.members,
                                             [&](int i) { return values_[index(i)] == value; });
            };
            const auto ones = count(1), open = count(-1);
            if (ones > 1 || (ones == 0 && open == 0 && group.exactly_one))
                throw InputError(
                    "the fixed variables set {} of the group of variable {}: expected {}", ones,
                    original_.name(group.members.front()),
                    group.exactly_one ? "exactly one" : "one at most");
            const bool others_are_zero = ones == 1, last = ones == 0 && open == 1;
            if (open == 0 || !(others_are_zero || (last && group.exactly_one))) continue;
            for (const int i : group.members)
                if (values_[index(i)] < 0) fix(i, others_are_zero ? 0 : 1);
            changed = true;
        }
    }
}

qubo::Energy Reduction::reduced_form() const {
    return std::visit(Reducer{kept_, places_, values_}, original_.form);
}

qubo::Constraints Reduction::reduced_constraints() const {
    qubo::Constraints result;
    for (const qubo::LinearBudget& budget : original_.constraints.budgets) {
        qubo::LinearBudget part{{}, budget.lower, budget.upper, budget.name};
        const double slack = budget.tolerance();
        double least = 0, most = 0;
        for (const auto& [i, c] : budget.terms) {
            if (places_[index(i)] >= 0) {
                part.terms.push_back({places_[index(i)], c});
                (c < 0 ? least : most) += c;
            } else if (values_[index(i)] == 1) {
                part.lower -= c;
                part.upper -= c;
            }
        }
        if (least > part.upper + slack || most < part.lower - slack)
            throw InputError(
                "the fixed variables leave {} to {} for budget '{}': its other terms sum "
                "to {} at least and {} at most",
                part.lower, part.upper, budget.name, least, most);
        if (!part.terms.empty()) result.budgets.push_back(std::move(part));
    }
    for (const qubo::Group& group : original_.constraints.groups) {
        qubo::Group part{{}, group.exactly_one, group.name};
        for (const int i : group.members)
            if (places_[index(i)] >= 0) part.members.push_back(places_[index(i)]);
        const size_t trivial = group.exactly_one ? 0 : 1;
        if (part.members.size() > trivial) result.groups.push_back(std::move(part));
    }
    return result;
}

std::vector<uint8_t> Reduction::extended(std::span<const uint8_t> x) const {
    if (is_trivial()) return {x.begin(), x.end()};
    std::vector<uint8_t> whole(values_.size());
    for (size_t i = 0; i < whole.size(); ++i)
        whole[i] = values_[i] >= 0 ? static_cast<uint8_t>(values_[i]) : x[index(places_[i])];
    return whole;
}

std::vector<uint8_t> Reduction::reduced(std::span<const uint8_t> x) const {
    std::vector<uint8_t> part;
    part.reserve(kept_.size());
    for (const int i : kept_) part.push_back(x[index(i)]);
    return part;
}

}  // namespace adiabat::anneal
