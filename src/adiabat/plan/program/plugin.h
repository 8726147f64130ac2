// SPDX-License-Identifier: Apache-2.0
#pragma once

// What passes between integer programs and their plug-in, libadiabat_program.so: the one file that
// uses Cbc, opened on first use.

#include <vector>

namespace adiabat::plan {

// min cost.x  with rows of x, lower <= x <= upper, some whole.
struct LinearProgram {
    struct Column {
        double cost = 0, lower = 0, upper = 1;
        bool is_whole = true;
    };
    struct Row {
        std::vector<int> columns;
        std::vector<double> coefficients;
        char sense = 'L';  // L at most, G at least, E equal to
        double right = 0;
    };
    std::vector<Column> columns;
    std::vector<Row> rows;
    double seconds = 60;
};

struct ProgramResult {
    std::vector<double> x;  // one a column, or none where nothing was found in time
    double bound = 0;       // no solution is lower
    bool is_optimal = false, is_infeasible = false;
};

using ProgramEntry = void (*)(const LinearProgram&, ProgramResult&);
inline constexpr const char* kProgramEntry = "adiabat_program_1";

}  // namespace adiabat::plan
