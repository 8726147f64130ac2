// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan under a Hamiltonian, and every change of it that explain speaks of, as documents: energies
// from the fields of the plan, costs from the exact cost functions.

#include <map>
#include <mutex>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/plan/alternatives.h"

namespace adiabat::pipeline {

class Explained {
  public:
    // Subject and Hamiltonian must outlive it. Limits below what the plan costs are raised to it.
    // In steps the Hamiltonian is one around a plan, and nothing is said of single effects.
    Explained(const Subject& subject, const plan::Hamiltonian& hamiltonian,
              std::vector<plan::Budget> budgets, const plan::Plan& plan, bool in_steps);
    Explained(const Explained&) = delete;
    Explained& operator=(const Explained&) = delete;

    double energy() const { return state_.energy(); }
    // Limits are null where the run had none.
    Json budgets(bool has_limits) const;
    Json layers();
    // What dropping each branch, or having it back, changes.
    Json branches();
    // The same of coding each activation, or leaving it float.
    Json activations();
    Json layer(size_t layer);
    Json filter(size_t layer, size_t filter);
    Json alternatives(size_t keep);

  private:
    struct Member {
        size_t layer = 0;
        std::vector<size_t> filters;
    };

    const plan::Network& network() const { return subject_.network(); }
    const plan::Encoding& encoding() const { return hamiltonian_.encoding; }
    int variable_of(net::GroupId group) const;
    Json single(int variable) const;
    bool is_cut(int variable) const { return state_.x()[static_cast<size_t>(variable)] != 0; }
    // What cutting the group adds, all else as it is.
    double marginal(int variable) const;
    // [{"layer": .., "filters": [..]}, ..]: where it is.
    Json members(net::GroupId group) const;
    // {"energy": .., "costs": {..}, "keeps": ..}: all but the last are changes.
    Json effect(const plan::Move& move);
    Json costs_json(const std::vector<int64_t>& costs) const;
    plan::Move width_move(size_t layer, int64_t to) const;
    Json width_json(size_t layer, int64_t to);
    // Of an activation that is decided; null of one that is not.
    Json activation_json(size_t activation);
    // Different groups on a layer's filter axis, by their marginal energy.
    std::vector<net::GroupId> groups_of(size_t layer) const;
    Json extreme(const std::vector<net::GroupId>& groups, size_t layer, bool cut) const;
    Json partners(int variable, bool cut) const;
    Json undo(net::GroupId group);
    Json best_swap(net::GroupId group);

    const Subject& subject_;
    const plan::Hamiltonian& hamiltonian_;
    bool in_steps_;
    std::vector<plan::Budget> budgets_;
    std::mutex lock_;
    plan::State state_;
    plan::Wall wall_;
    std::vector<int64_t> costs_;                // of the plan, one a budget
    std::vector<std::vector<Member>> members_;  // one list a group
    std::vector<std::vector<plan::Encoding::Word>> widths_;
};

}  // namespace adiabat::pipeline
