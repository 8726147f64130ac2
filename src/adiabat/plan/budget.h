// SPDX-License-Identifier: Apache-2.0
#pragma once

// Budgets: exact limits on what a plan costs.
//
//   file         bytes of the ONNX file as it is written (apply/file_size.h)
//   bytes        of codes, scales and biases               (this and the rest: net/cost.h)
//   params       weights and biases that stay
//   macs         multiply-accumulates of one image
//   bops         macs x weight bits x activation bits
//   activations  the most bytes of activations that one image needs at once
//   float        the multiply-accumulates whose kernels run in float
//
// A budget is kept or refused, never approached: a plan is feasible where the exact cost of every
// budgeted quantity is at or below its limit. What can be reached at all is known before the
// search (reachable.h).
//
// A cost depends on no more than how many groups of each family are cut and how many bits each
// tensor has; searches evaluate it from these alone, without an allocation, a million times.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adiabat/plan/plan.h"

namespace adiabat::plan {

enum class Quantity { kFile, kBytes, kParams, kMacs, kBops, kActivations, kFloat };

inline constexpr std::array<Quantity, 7> kQuantities = {
    Quantity::kFile, Quantity::kBytes,       Quantity::kParams, Quantity::kMacs,
    Quantity::kBops, Quantity::kActivations, Quantity::kFloat};

std::string_view name_of(Quantity quantity);
// Throws InputError that begins with `where` for a name that is none.
Quantity parse_quantity(std::string_view name, std::string_view where);

// The quantity in a network's cost; not for the file, which is no part of it.
int64_t value_of(Quantity quantity, const net::Cost& cost);

// What the network costs before it is touched, in fp32, for limits given in % or x.
struct Originals {
    int64_t file = 0;  // bytes of the ONNX file
    net::Cost network;

    int64_t of(Quantity quantity) const {
        return quantity == Quantity::kFile ? file : value_of(quantity, network);
    }
};

struct Budget {
    Quantity quantity = Quantity::kFile;
    int64_t limit = 0;  // bytes, or a count

    // What costs are relative to; none may be allowed.
    double unit() const { return static_cast<double>(std::max<int64_t>(limit, 1)); }
};

// "file=175KB", "macs=60%,bytes=8x", "bops=1.5G": of bytes KB is 1000, KiB 1024; of counts k is
// 1000, M a million, G a billion; % is of the original, x times smaller than it. Throws InputError
// that names what is wrong and what would be right.
std::vector<Budget> parse_budgets(std::string_view text, const Originals& originals);

// The exact costs of plans, by how many groups of each family are cut (`cut`, one entry a family)
// and the bits of each tensor. Whether it may be called from several threads at once is up to the
// function that gives the bytes of the file.
class CostFunctions {
  public:
    using FileBytes =
        std::function<int64_t(std::span<const int64_t> cut, std::span<const int> bits)>;
    // The file as a sum: what is there for one layer alone, and no more than all else; for that,
    // layers of kUndecided bits are not decided.
    struct FileParts {
        static constexpr int kUndecided = -1;

        std::function<int64_t(size_t layer, std::span<const int64_t> cut, int bits)> layer;
        FileBytes others;
    };

    // The network must outlive it. Without parts, a lower bound of files is 0.
    CostFunctions(const Network& network, FileBytes file, FileParts parts = {})
        : network_(&network), file_(std::move(file)), parts_(std::move(parts)) {}

    int64_t file(std::span<const int64_t> cut, std::span<const int> bits) const {
        return file_(cut, bits);
    }
    int64_t layer_file(size_t layer, std::span<const int64_t> cut, int bits) const {
        return parts_.layer ? parts_.layer(layer, cut, bits) : 0;
    }
    int64_t other_file(std::span<const int64_t> cut, std::span<const int> bits) const {
        return parts_.others ? parts_.others(cut, bits) : 0;
    }
    // Everything but the file.
    net::Cost network(std::span<const int64_t> cut, std::span<const int> bits) const {
        return network_->costs.cost(cut, bits);
    }
    int64_t cost(Quantity quantity, std::span<const int64_t> cut, std::span<const int> bits) const {
        return quantity == Quantity::kFile ? file(cut, bits)
                                           : value_of(quantity, network(cut, bits));
    }
    int64_t cost(Quantity quantity, const Plan& plan) const {
        return cost(quantity, cut_counts(plan), plan.bits);
    }

  private:
    const Network* network_;
    FileBytes file_;
    FileParts parts_;
};

// Whether every budget is kept. Evaluates the file where all else is kept, the rest once.
bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs,
                 std::span<const int64_t> cut, std::span<const int> bits);
bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs, const Plan& plan);

// What each budget costs, one entry a budget of `values`.
void costs_of(const std::vector<Budget>& budgets, const CostFunctions& costs,
              std::span<const int64_t> cut, std::span<const int> bits, std::span<int64_t> values);

}  // namespace adiabat::plan
