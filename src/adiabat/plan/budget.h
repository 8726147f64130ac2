// SPDX-License-Identifier: Apache-2.0
#pragma once

// Budgets: exact limits on what a plan costs.
//
// A budget is kept or refused, never approached: a plan is feasible where the exact cost of every
// budgeted quantity is at or below its limit. What can be reached at all is known before the
// search.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/plan/plan.h"

namespace adiabat::plan {

enum class Quantity { kFile, kBytes };

std::string_view name_of(Quantity quantity);

// What the network costs before it is touched, for limits given in % or x.
struct Originals {
    int64_t file = 0;   // bytes of the ONNX file
    int64_t bytes = 0;  // of the fp32 parameters
};

struct Budget {
    Quantity quantity = Quantity::kFile;
    int64_t limit = 0;  // bytes
};

// "file=175KB", "bytes=30%", "file=8x,bytes=131072": KB is 1000 bytes, KiB 1024, % of the original,
// x times smaller than it. Throws InputError that names what is wrong and what would be right.
std::vector<Budget> parse_budgets(std::string_view text, const Originals& originals);

// The exact cost of a plan, one function a quantity.
struct CostFunctions {
    std::function<int64_t(const Plan&)> file;
    std::function<int64_t(const Plan&)> bytes;

    int64_t cost(Quantity quantity, const Plan& plan) const {
        return quantity == Quantity::kFile ? file(plan) : bytes(plan);
    }
};

bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs, const Plan& plan);

// Smallest: the least cost that descent over bits and kept counts finds, from everything cut and
// the lowest bits. Middle: nothing cut, 4 bits. Largest: nothing cut, 8 bits (more is never
// written).
struct Reachable {
    Quantity quantity = Quantity::kFile;
    int64_t smallest = 0, middle = 0, largest = 0;
    Plan smallest_plan;
};

Reachable reachable(const Network& network, const CostFunctions& costs, Quantity quantity);

// Throws InputError that names the nearest reachable budget where one cannot be kept.
void require_satisfiable(const Network& network, const CostFunctions& costs,
                         const std::vector<Budget>& budgets);

}  // namespace adiabat::plan
