// SPDX-License-Identifier: Apache-2.0
#pragma once

// A Hamiltonian: plans as assignments of binary variables with a quadratic energy. What the budgets
// say is no part of it.
//
// Every channel group that may go has one variable, 1 where it goes. A layer's width is a word of
// the layer's bit variables: one-hot (one variable a width, exactly one set) or binary-coded; each
// allowed width has one word at least, the first of which is used. An activation that may be coded
// or float has a word too. A residual branch that may go
// has one variable, 1 where it does: what else is said of it then counts for nothing, and the
// plan's own assignment says that of its groups none is cut and that its layers are as wide as they
// may be. Assignments that spell no word mean no plan; the energy of those that do is what plans
// are compared by.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/plan/plan.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::plan {

struct Encoding {
    // The width `bits` is spelled by bit variable first + k having bit k of `pattern`.
    struct Word {
        int bits = 0;
        uint32_t pattern = 0;

        bool operator==(const Word&) const = default;
    };
    // Variables first .. first + count - 1; count is 0 where the layer has one width only.
    struct LayerBits {
        int first = 0, count = 0;
        std::vector<Word> words;  // ascending bits, a width's preferred word first

        // The index of bit variable k.
        size_t at(int k) const { return static_cast<size_t>(first) + static_cast<size_t>(k); }
    };

    // Of a layer's words, those that spell different widths: the first of each, ascending.
    static std::vector<Word> widths(const LayerBits& layer);

    std::vector<int> first_cut;     // variable of member 0, one a family; members follow
    std::vector<LayerBits> layers;  // one a tensor of the network: layers, then activations
    std::vector<int> branches;      // variables, one a branch of the network; empty where all stay
    int variables = 0;

    int cut_variable(size_t family, size_t member) const {
        return first_cut[family] + static_cast<int>(member);
    }
    // The first word of that width; throws InternalError where there is none.
    const Word& word(size_t layer, int bits) const;
};

// Cuts of all families in order, then one variable a width of each tensor, in the order of
// network.widths(), then one a branch.
Encoding one_hot_encoding(const Network& network);

// The plan as an assignment, and back. Decoding takes for a pattern that is no word the nearest by
// Hamming distance, of these the widest (one-hot: the widest that is set), and revives the groups
// of least `revival` (one a variable, of which those of cuts count; e.g. -energy of cutting it)
// where a family would keep fewer than it must or a number that alignment forbids.
std::vector<uint8_t> encode(const Network& network, const Encoding& encoding, const Plan& plan);
Plan decode(const Network& network, const Encoding& encoding, std::span<const uint8_t> assignment,
            std::span<const double> revival);

// What each variable means: "cut conv1 12" is group 12 of the family that conv1 makes first,
// "bits conv1 4" a width of a one-hot layer, "bits conv1 #0" bit 0 of another's words, "activation
// relu1 8" that what relu1 makes is coded in 8 bits, "drop add1" that the branch that add1 adds
// goes.
std::vector<std::string> variable_names(const Network& network, const Encoding& encoding);

struct Hamiltonian {
    std::string name;  // "measured", "l1"
    Encoding encoding;
    // One-hot words are its groups; named by variable_names().
    qubo::Problem problem;

    double energy(const Network& network, const Plan& plan) const {
        return problem.energy(encode(network, encoding, plan));
    }
};

}  // namespace adiabat::plan
