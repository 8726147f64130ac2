// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/roof_duality.h"

#include <cmath>
#include <limits>

#include "adiabat/anneal/bounds/max_flow.h"

namespace adiabat::anneal {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kUnitBits = 60;

// Node 2 i is the literal x_i, 2 i + 1 is not x_i; `true` is a variable behind all others.
int literal(int i, bool positive) { return 2 * i + (positive ? 0 : 1); }
int negated(int node) { return node ^ 1; }

double sum_of_sizes(const qubo::Sparse& problem) {
    double sum = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        sum += std::abs(problem.linear(i));
        for (const double coupling : problem.couplings(i)) sum += std::abs(coupling);
    }
    return sum;
}

class Network {
  public:
    explicit Network(int variables)
        : flow_(2 * (variables + 1)), truth_(literal(variables, true)) {}

    // coefficient * u * v.
    void add_product(int64_t coefficient, int u, int v) {
        flow_.add_arc(u, negated(v), coefficient);
        flow_.add_arc(v, negated(u), coefficient);
    }
    // h x_i.
    void add_linear(int64_t h, int i) {
        if (h < 0) constant_ += h;
        if (h != 0) add_product(std::abs(h), truth_, literal(i, h > 0));
    }
    bool run(const Watch& watch) { return flow_.run(truth_, negated(truth_), watch); }
    double value() const {
        return static_cast<double>(constant_) + static_cast<double>(flow_.sent()) / 2;
    }
    std::vector<uint8_t> reached() const { return flow_.reached(); }

  private:
    MaxFlow flow_;
    int truth_;
    int64_t constant_ = 0;
};

// The problem in whole units. Products of zeros and ones are at least zero: rounding each
// coefficient down rounds every energy down. Rounded before anything is added up, so that terms
// that cancel in the problem cancel in the network.
Network network_of(const qubo::Sparse& problem, double unit) {
    const auto whole = [unit](double value) {
        return static_cast<int64_t>(std::floor(value / unit));
    };
    const int n = problem.variables();
    Network network(n);
    std::vector<int64_t> linear;
    for (int i = 0; i < n; ++i) linear.push_back(whole(problem.linear(i)));
    for (int i = 0; i < n; ++i) {
        const auto neighbors = problem.neighbors(i);
        const auto couplings = problem.couplings(i);
        for (size_t k = 0; k < neighbors.size(); ++k) {
            const int j = neighbors[k];
            if (j < i) continue;
            const int64_t value = whole(couplings[k]);
            if (value < 0) linear[static_cast<size_t>(j)] += value;
            if (value != 0)
                network.add_product(std::abs(value), literal(i, value > 0), literal(j, true));
        }
    }
    for (int i = 0; i < n; ++i) network.add_linear(linear[static_cast<size_t>(i)], i);
    return network;
}

}  // namespace

RoofDual roof_dual(const qubo::Sparse& problem, const Watch& watch) {
    const int n = problem.variables();
    // A power of two: dividing by it is exact.
    const double unit =
        std::exp2(std::ceil(std::log2(std::max(sum_of_sizes(problem), 1e-200))) - kUnitBits);
    Network network = network_of(problem, unit);
    RoofDual result{0, std::vector<int8_t>(static_cast<size_t>(n), -1), network.run(watch)};
    const double value = network.value() * unit;
    // The three roundings of this sum.
    const double margin = 2 * kEpsilon * (std::abs(problem.offset()) + std::abs(value));
    result.bound = problem.offset() + value - margin;
    if (!result.complete) return result;
    const auto reached = network.reached();
    for (int i = 0; i < n; ++i) {
        const auto node = static_cast<size_t>(literal(i, true));
        if (reached[node] != reached[node + 1])
            result.persistent[static_cast<size_t>(i)] = reached[node] ? 1 : 0;
    }
    return result;
}

uint64_t roof_dual_bytes(int variables, uint64_t pairs) {
    const uint64_t arcs = 4 * (pairs + static_cast<uint64_t>(variables));
    return arcs * (16 + 20) + static_cast<uint64_t>(variables) * 80;
}

}  // namespace adiabat::anneal
