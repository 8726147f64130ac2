// SPDX-License-Identifier: Apache-2.0

// Cbc, the mixed-integer solver of COIN-OR, through its C interface. Source: J. Forrest,
// R. Lougee-Heimer, "CBC user guide" (2005).

#include "adiabat/plan/program/plugin.h"

#include <coin/Cbc_C_Interface.h>

#include <string>

extern "C" __attribute__((visibility("default"))) void adiabat_program_1(
    const adiabat::plan::LinearProgram& program, adiabat::plan::ProgramResult& result) {
    Cbc_Model* const model = Cbc_newModel();
    Cbc_setParameter(model, "logLevel", "0");
    Cbc_setParameter(model, "threads", "0");
    Cbc_setParameter(model, "seconds", std::to_string(program.seconds).c_str());
    Cbc_setParameter(model, "ratioGap", "0");
    Cbc_setParameter(model, "allowableGap", "1e-9");
    for (size_t k = 0; k < program.columns.size(); ++k) {
        const auto& column = program.columns[k];
        Cbc_addCol(model, ("x" + std::to_string(k)).c_str(), column.lower, column.upper,
                   column.cost, column.is_whole ? 1 : 0, 0, nullptr, nullptr);
    }
    for (size_t k = 0; k < program.rows.size(); ++k) {
        const auto& row = program.rows[k];
        Cbc_addRow(model, ("r" + std::to_string(k)).c_str(), static_cast<int>(row.columns.size()),
                   row.columns.data(), row.coefficients.data(), row.sense, row.right);
    }
    Cbc_solve(model);
    result.is_optimal = Cbc_isProvenOptimal(model) != 0;
    result.is_infeasible = Cbc_isProvenInfeasible(model) != 0;
    result.bound = Cbc_getBestPossibleObjValue(model);
    if (const double* const best = Cbc_bestSolution(model)) {
        result.x.assign(best, best + program.columns.size());
    }
    Cbc_deleteModel(model);
}
