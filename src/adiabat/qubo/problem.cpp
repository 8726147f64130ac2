// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/problem.h"

#include "adiabat/base/errors.h"

namespace adiabat::qubo {

namespace {

constexpr int kSmall = 24;  // so small that the form does not matter
constexpr size_t kDenseShare = 10;

}  // namespace

int Problem::variables() const {
    return std::visit([](const auto& e) { return e.variables(); }, form);
}
double Problem::offset() const {
    return std::visit([](const auto& e) { return e.offset(); }, form);
}
double Problem::linear(int i) const {
    const auto* const factored = std::get_if<Factored>(&form);
    double value = std::visit([i](const auto& e) { return e.linear(i); }, form);
    for (size_t k = 0; factored && k < factored->weights().size(); ++k) {
        const double a = factored->row(i)[k];
        value += factored->weights()[k] * a * (a + 2 * factored->constants()[k]);
    }
    return value;
}
double Problem::coupling(int i, int j) const {
    return std::visit([i, j](const auto& e) { return e.coupling(i, j); }, form);
}
std::string Problem::name(int i) const {
    return names.empty() ? std::to_string(i) : names[static_cast<size_t>(i)];
}
const char* Problem::form_name() const {
    constexpr const char* kNames[] = {"dense", "sparse", "factored"};
    return kNames[form.index()];
}
double Problem::energy(std::span<const uint8_t> x) const {
    return std::visit([x](const auto& e) { return e.energy(x); }, form);
}
std::vector<double> Problem::fields(std::span<const uint8_t> x) const {
    return std::visit([x](const auto& e) { return e.fields(x); }, form);
}
void Problem::add_row(int i, double sign, std::span<double> field) const {
    std::visit([=](const auto& e) { e.add_row(i, sign, field); }, form);
}

uint64_t Problem::memory_bytes() const {
    const auto n = static_cast<uint64_t>(variables());
    if (std::holds_alternative<Dense>(form)) return 8 * n * (n + 1);
    if (const auto* const sparse = std::get_if<Sparse>(&form)) return 16 * n + 24 * sparse->pairs();
    const auto& factored = std::get<Factored>(form);
    uint64_t bytes = 12 * n + 8 * n * static_cast<uint64_t>(factored.rank());
    for (const DenseBlock& block : factored.blocks()) bytes += 8 * block.values.size();
    return bytes;
}

Dense dense_of(const Problem& problem) {
    if (const auto* const dense = std::get_if<Dense>(&problem.form)) return *dense;
    if (const auto* const factored = std::get_if<Factored>(&problem.form)) return factored->dense();
    Dense result(problem.variables());
    result.add_offset(problem.offset());
    for (int i = 0; i < problem.variables(); ++i) {
        result.add_linear(i, problem.linear(i));
        for_each_coupling(problem, i, [&](int j, double value) {
            if (j < i) result.add_coupling(i, j, value);
        });
    }
    return result;
}

Sparse sparse_of(const Problem& problem) {
    if (const auto* const sparse = std::get_if<Sparse>(&problem.form)) return *sparse;
    const int n = problem.variables();
    std::vector<Edge> edges;
    std::vector<double> linear;
    for (int i = 0; i < n; ++i) {
        linear.push_back(problem.linear(i));
        for_each_coupling(problem, i, [&](int j, double value) {
            if (j > i) edges.push_back({i, j, value});
        });
    }
    double offset = problem.offset();
    if (const auto* const factored = std::get_if<Factored>(&problem.form)) {
        for (size_t k = 0; k < factored->weights().size(); ++k)
            offset += factored->weights()[k] * factored->constants()[k] * factored->constants()[k];
    }
    return {n, edges, std::move(linear), offset};
}

bool dense_is_quicker(int variables, uint64_t pairs) {
    const auto n = static_cast<uint64_t>(variables);
    const bool dense = variables <= kSmall || pairs * 2 * kDenseShare > n * n;
    return dense && variables <= kMaxDenseVariables;
}

Energy best_form(Sparse problem) {
    if (!dense_is_quicker(problem.variables(), problem.pairs())) return problem;
    return dense_of({std::move(problem)});
}

}  // namespace adiabat::qubo
