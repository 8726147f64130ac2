// SPDX-License-Identifier: Apache-2.0
#pragma once

// Replicas of a problem at a ladder of temperatures, some copies at each, which exchange their
// temperatures and, within a temperature, clusters of variables.
//
// Neighbors at beta_a, beta_b exchange with min(1, exp((beta_a - beta_b)(E_a - E_b))), even and odd
// pairs of the ladder in turn. Two copies at one temperature differ in a set of variables; a
// connected part of it, grown from a random member along the couplings, is flipped in both: their
// energies change by opposite amounts, so that the move is always accepted (Houdayer's cluster). A
// part that is the whole set would only swap the two copies and is left alone. Every move leaves
// the product of the Boltzmann distributions unchanged.
//
// Rungs are placed where exchange rates are even: rejection rates of neighbors add up to a function
// of beta that is near independent of the ladder, and the rungs are set at equal steps of it.
//
// Source: R. Swendsen, J. Wang (1986); K. Hukushima, K. Nemoto (1996); J. Houdayer (2001); N.
// Rathore, M. Chopra, J. de Pablo (2005); Z. Zhu, A. Ochoa, H. Katzgraber, "Efficient cluster
// algorithm for spin glasses in any space dimension" (2015); S. Syed, A. Bouchard-Cote, G.
// Deligiannidis, A. Doucet, "Non-reversible parallel tempering" (2022).

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

// Which random numbers decide.
struct LadderKey {
    uint64_t seed = 0;
    uint32_t first_replica = 0;
};

class TemperatureLadder {
  public:
    // `betas` ascend. `problem`: where it is sparse and has no constraints, copies exchange
    // clusters. Keeps a reference to it.
    TemperatureLadder(const qubo::Problem& problem, const Model& model, std::vector<double> betas,
                      int copies, const LadderKey& key);

    int temperatures() const { return static_cast<int>(betas_.size()); }
    int copies() const { return copies_; }
    std::span<const double> betas() const { return betas_; }
    Walkers& walkers() { return *walkers_; }
    // The replica that is now copy `copy` at a temperature.
    int replica(int temperature, int copy) const { return replica_at_[at_of(temperature, copy)]; }

    void sweep(const Watch& watch);
    void exchange();
    void move_clusters();

    // Mean acceptance of the exchanges of rungs k and k + 1 since the last placing; 1 where none
    // was tried.
    std::vector<double> exchange_rates() const;
    // Places the rungs between the first and the last anew from these rates and forgets them.
    void place_evenly();

  private:
    size_t at_of(int temperature, int copy) const {
        return static_cast<size_t>(temperature) * static_cast<size_t>(copies_) +
               static_cast<size_t>(copy);
    }
    void exchange_pair(int lower, int copy);
    void move_cluster(int a, int b, uint32_t word);

    const qubo::Sparse* sparse_;  // null: no clusters
    std::vector<double> betas_;
    int copies_;
    LadderKey key_;
    std::unique_ptr<Walkers> walkers_;
    std::vector<int> replica_at_;        // of temperature * copies + copy
    std::vector<double> replica_betas_;  // of each replica
    std::vector<double> accepted_, tried_;
    uint32_t sweeps_ = 0, exchanges_ = 0, cluster_rounds_ = 0;
};

// `count` betas from lowest to highest at equal ratios.
std::vector<double> geometric_betas(double lowest, double highest, int count);
// Betas between the same ends at equal steps of the accumulated rejection (rates: one fewer).
std::vector<double> even_betas(std::span<const double> betas, std::span<const double> rates);

}  // namespace adiabat::anneal
