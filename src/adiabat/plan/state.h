// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan under search: its assignment, energy, cut counts and widths, and moves of a few flips
// whose energy is known before they are made.
//
// A step changes one place: a family, by the least number of groups that may go or come back at
// once (alignment), a layer, to its next width, or a residual branch, which goes whole, or comes
// back as it went (as it was in the original, where it was gone in the plan that the state was set
// to) or, every other time that there is a generator, with widths and groups drawn. A move is some
// steps at different places, or a swap of a cut group against a kept one of the same family, which
// costs nothing. Which groups a step takes is decided by their energy in the move so far: the best
// of all, or the best of a few drawn. O(flips) a candidate, O(n) (fields.h) a flip that is made.

#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/plan/fields.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

enum class Place : uint8_t { kFamily, kLayer, kBranch };

// A family, a layer or a branch, by its number, and the direction: saving cuts groups, takes bits
// or the branch. Several steps at once end where the place does.
struct Step {
    Place place = Place::kFamily;
    size_t index = 0;
    bool saves = false;
    int times = 1;

    bool operator==(const Step&) const = default;
};

struct Move {
    // A family's count of cut groups, the number of a layer's width in Encoding::widths(), or
    // whether a branch is gone; what is a branch's own changes with it.
    struct Change {
        Place place = Place::kFamily;
        size_t index = 0;
        int64_t from = 0, to = 0;
    };
    std::vector<int> flips;       // variables
    std::vector<Change> changes;  // none where only groups are swapped
    double energy = 0;            // what it changes

    void clear() {
        flips.clear();
        changes.clear();
        energy = 0;
    }
};

// How a step finds its groups: the best of `draws` drawn; where there is no generator, of all, or
// of the first `draws` in the order that prefer() made (and as many more as the move has flips).
inline constexpr int kAllGroups = 1 << 30;
struct Choice {
    Random* random = nullptr;
    int draws = kAllGroups;
};

class State {
  public:
    // Both must outlive it.
    State(const Network& network, const Hamiltonian& hamiltonian, const Plan& plan);

    const Network& network() const { return network_; }
    const Hamiltonian& hamiltonian() const { return hamiltonian_; }
    double energy() const { return energy_; }
    std::span<const uint8_t> x() const { return fields_.x(); }
    std::span<const int64_t> cut() const { return cut_; }  // groups, one entry a family
    std::span<const int> bits() const { return bits_; }    // one entry a layer, kGone too
    Plan plan() const;
    void set(const Plan& plan);
    // Fields and energy anew, in double.
    void recompute() { energy_ = fields_.recompute(); }

    // All steps that any plan has, both directions.
    const std::vector<Step>& steps() const { return steps_; }
    // Families of which groups may be swapped.
    const std::vector<size_t>& families() const { return families_; }
    int64_t groups(size_t family) const { return std::ssize(order_[family]); }

    // Each appends to the move; false, and no change, where there is no such step: the place has an
    // end there, or the move has changed it already.
    bool add_step(Move& move, const Step& step, const Choice& choice) const;
    // Cuts one group and revives another.
    bool add_swap(Move& move, size_t family, const Choice& choice) const;
    // A given variable, of whatever kind.
    void add_flip(Move& move, int variable) const;

    // Puts the `few` groups first that are best to cut, and those that are best to revive.
    void prefer(size_t family, int few);
    // The groups that are cut and that are kept, as variables.
    std::span<const int> cut_variables(size_t family) const;
    std::span<const int> kept_variables(size_t family) const;

    // Cut counts and widths with the changes of a move; counts and widths of all others as they
    // are. Until the next call.
    struct Shape {
        std::span<const int64_t> cut;
        std::span<const int> bits;
        uint64_t key = 0;  // different for different shapes, but for a chance of 2^-64
    };
    Shape shape() const { return {cut_, bits_, key_}; }
    Shape shape_after(const Move& move);
    uint64_t key_after(const Move& move) const;

    void make(const Move& move);

  private:
    bool add_bits(Move& move, const Step& step) const;
    bool add_branch(Move& move, const Step& step, const Choice& choice) const;
    // body(variable) of all bit variables that differ where the layer gets that width.
    template <typename Body>
    void for_each_flip(size_t layer, int64_t width, const Body& body) const {
        uint32_t flips = patterns_[layer] ^ widths_[layer][static_cast<size_t>(width)].pattern;
        for (; flips != 0; flips &= flips - 1) {
            body(hamiltonian_.encoding.layers[layer].first + std::countr_zero(flips));
        }
    }
    bool is_gone(int branch) const { return branch >= 0 && gone_[static_cast<size_t>(branch)]; }
    int bits_of(size_t layer, int64_t width) const {
        return widths_[layer][static_cast<size_t>(width)].bits;
    }
    bool add_groups(Move& move, const Step& step, const Choice& choice) const;
    int choose(const Move& move, std::span<const int> candidates, const Choice& choice) const;
    double energy_of(const Move& move, int variable) const;
    void place(size_t family, int variable);

    const Network& network_;
    const Hamiltonian& hamiltonian_;
    Fields fields_;
    double energy_ = 0;
    std::vector<int64_t> cut_, most_cut_;
    std::vector<int> bits_;
    std::vector<int64_t> width_;  // number of each layer's width; the last where it is gone
    std::vector<uint8_t> gone_;   // one entry a branch
    // Of each branch as it went: the variables of its groups that were cut, and the numbers of its
    // layers' widths.
    struct Before {
        std::vector<int> cut;
        std::vector<int64_t> widths;
    };
    std::vector<Before> before_;
    void remember(size_t branch);
    Before drawn(size_t branch, Random& random) const;
    std::vector<std::vector<Encoding::Word>> widths_;
    std::vector<uint32_t> patterns_;       // as set now
    std::vector<std::vector<int>> order_;  // variables of each family, the cut ones first
    std::vector<int> at_, family_of_;      // of each variable: its place there; -1 for bits
    std::vector<Step> steps_;
    std::vector<size_t> families_;
    uint64_t key_ = 0;
    std::vector<int64_t> cut_after_;
    std::vector<int> bits_after_;
};

}  // namespace adiabat::plan
