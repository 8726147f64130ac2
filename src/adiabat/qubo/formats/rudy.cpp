// SPDX-License-Identifier: Apache-2.0
//
// Graphs as rudy writes them (Gset): a line "n m", then m weighted edges "i j w". Two meanings:
//
//     rudy        E(s) = -cut = -sum_{i<j} w_ij (1 - s_i s_j) / 2: the maximum cut, minimized
//     rudy-ising  E(s) = sum_{i<j} w_ij s_i s_j
//
// Both know pairs alone: the writers refuse problems in which a spin has a field.
//
// Source: G. Rinaldi, "Rudy, a graph generator" (1998); the instances of C. Helmberg and F. Rendl,
// "A spectral bundle method for semidefinite programming" (2000), known as Gset.

#include <cmath>

#include "adiabat/qubo/formats/counted.h"
#include "adiabat/qubo/formats/readers.h"

namespace adiabat::qubo::formats {

namespace {

// Fields and offsets below this share of the couplings around are what rounding left of zero.
constexpr double kRounding = 1e-10;

// The couplings of spins, and the offset.
Listed couplings_of(const Problem& problem, const char* format) {
    refuse_constraints(problem, format);
    Ising ising = to_ising(pairs_of(problem));
    std::vector<double> around(ising.h.size(), 0.0);
    for (const auto& [i, j, value] : ising.couplings) {
        around[static_cast<size_t>(i)] += std::abs(value);
        around[static_cast<size_t>(j)] += std::abs(value);
    }
    for (size_t i = 0; i < ising.h.size(); ++i) {
        if (std::abs(ising.h[i]) <= kRounding * around[i]) continue;
        throw InputError(
            "{} holds couplings of spins alone, variable {} has a field of {}: expected another "
            "format",
            format, problem.name(static_cast<int>(i)), ising.h[i]);
    }
    return {{}, std::move(ising.couplings), ising.offset};
}

// w is `weight` times J; `share` times the sum of w is part of the energy beside the pairs.
std::string write_graph(const Problem& problem, const Listed& list, double weight, double share) {
    double offset = list.offset, size = 0;
    for (const Edge& edge : list.pairs) {
        offset -= share * weight * edge.value;
        size += std::abs(edge.value);
    }
    if (std::abs(offset) <= kRounding * size) offset = 0;
    std::string text = counted_header(problem.variables(), list.pairs.size(), offset);
    for (const auto& [i, j, value] : list.pairs)
        append_all(text, i + 1, " ", j + 1, " ", weight * value, "\n");
    return text;
}

}  // namespace

Problem read_rudy(const Source& source, const ReadOptions&) {
    Pairs pairs = read_counted(source, false);
    pairs.spins = true;
    for (Edge& edge : pairs.edges) {
        edge.value /= 2;
        pairs.offset -= edge.value;
    }
    return problem_of(source, std::move(pairs));
}

std::string write_rudy(const Problem& problem) {
    return write_graph(problem, couplings_of(problem, "rudy"), 2, -0.5);
}

Problem read_rudy_ising(const Source& source, const ReadOptions&) {
    Pairs pairs = read_counted(source, false);
    pairs.spins = true;
    return problem_of(source, std::move(pairs));
}

std::string write_rudy_ising(const Problem& problem) {
    return write_graph(problem, couplings_of(problem, "rudy-ising"), 1, 0);
}

}  // namespace adiabat::qubo::formats
