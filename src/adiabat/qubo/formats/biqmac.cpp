// SPDX-License-Identifier: Apache-2.0
//
// Biq Mac's sparse matrices: a line "n m", then m entries "i j q" of a symmetric Q, of which one of
// (i, j) and (j, i) is listed and both hold:
//
//     E(x) = x'Qx = sum_i q_ii x_i + 2 sum_{i<j} q_ij x_i x_j,   x in {0, 1}, to be minimized.
//
// Source: A. Wiegele, "Biq Mac Library" (2007): .sparse files; the input of the Biq Mac solver (F.
// Rendl, G. Rinaldi, A. Wiegele, 2010).

#include "adiabat/qubo/formats/counted.h"
#include "adiabat/qubo/formats/readers.h"

namespace adiabat::qubo::formats {

Problem read_biqmac(const Source& source, const ReadOptions&) {
    Pairs pairs = read_counted(source, true);
    for (auto& [i, j, value] : pairs.edges) value *= i == j ? 1 : 2;
    return problem_of(source, std::move(pairs));
}

std::string write_biqmac(const Problem& problem) {
    refuse_constraints(problem, "biqmac");
    const Listed list = list_of(problem, false);
    size_t entries = list.pairs.size();
    for (const double value : list.linear) entries += value != 0;
    std::string text = counted_header(problem.variables(), entries, list.offset);
    for (int i = 0; i < problem.variables(); ++i) {
        const double value = list.linear[static_cast<size_t>(i)];
        if (value != 0) append_all(text, i + 1, " ", i + 1, " ", value, "\n");
    }
    for (const auto& [i, j, value] : list.pairs)
        append_all(text, i + 1, " ", j + 1, " ", value / 2, "\n");
    return text;
}

}  // namespace adiabat::qubo::formats
