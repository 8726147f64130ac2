// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/write.h"

#include <charconv>

#include "adiabat/base/errors.h"

namespace adiabat::qubo::formats {

namespace {

template <typename... Form>
void append_chars(std::string& text, Form... form) {
    char digits[512];  // the smallest double without an exponent takes 342
    const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), form...);
    ADIABAT_CHECK(error == std::errc{}, "a number of more than {} digits", sizeof(digits));
    text.append(digits, end);
}

}  // namespace

void append(std::string& text, double value) { append_chars(text, value); }
void append_fixed(std::string& text, double value) {
    append_chars(text, value, std::chars_format::fixed);
}
void append(std::string& text, int value) { append_chars(text, value); }

void refuse_constraints(const Problem& problem, const char* format) {
    const Constraints& constraints = problem.constraints;
    if (constraints.empty()) return;
    throw InputError(
        "{} holds no constraints, the problem has {} budgets, {} groups and {} fixed variables: "
        "expected json or lp",
        format, constraints.budgets.size(), constraints.groups.size(), constraints.fixed.size());
}

Sparse pairs_of(const Problem& problem) {
    const auto* const factored = std::get_if<Factored>(&problem.form);
    if (factored && factored->variables() > kMaxDenseVariables) {
        throw InputError(
            "a factored problem of {} variables is too large for a format of pairs (up to {}): "
            "expected json",
            factored->variables(), kMaxDenseVariables);
    }
    return sparse_of(problem);
}

Listed list_of(const Problem& problem, bool spins) {
    const Sparse sparse = pairs_of(problem);
    if (spins && problem.spins) {
        Ising ising = to_ising(sparse);
        return {std::move(ising.h), std::move(ising.couplings), ising.offset};
    }
    Listed list;
    list.linear.assign(sparse.linear().begin(), sparse.linear().end());
    list.offset = sparse.offset();
    list.pairs.reserve(sparse.pairs());
    for (int i = 0; i < sparse.variables(); ++i) {
        const auto row = sparse.neighbors(i);
        const auto values = sparse.couplings(i);
        for (size_t k = 0; k < row.size(); ++k) {
            if (row[k] > i) list.pairs.push_back({i, row[k], values[k]});
        }
    }
    return list;
}

}  // namespace adiabat::qubo::formats
