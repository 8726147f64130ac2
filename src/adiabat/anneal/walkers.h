// SPDX-License-Identifier: Apache-2.0
#pragma once

// Metropolis walks by single flips over a problem of any form, as fast as the machine allows.
//
// A Model is a problem made ready once (rows in fixed point, a layout for lanes), shared by all
// threads; Walkers are a few replicas of it that one thread moves. A sweep proposes every variable
// once, in order; proposal (replica, sweep, variable) is accepted where beta dE < t, t = -ln u, u a
// function of (seed, replica, sweep, variable) alone (kernels/draws.h). Fields are whole numbers of
// a unit 2^-k (dense, sparse: no drift, the same on every instruction set) or floats in an order
// that all instruction sets share (factored). With fields rounded to the unit the walk is a walk of
// a problem whose coefficients are; reported energies never come from here.
//
// A proposal costs O(1) dense and sparse, O(rank) factored; an accepted flip O(n), O(degree),
// O(rank). Techniques exchange temperatures by giving each replica its own beta.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class Walkers {
  public:
    virtual ~Walkers() = default;

    virtual int replicas() const = 0;
    // Starts a replica anew: state, fields, energy; its best is the state.
    virtual void set_state(int replica, std::span<const uint8_t> x) = 0;
    // One sweep of all replicas, replica r at betas[r]. Ends early, in a valid state, where the
    // watch is over.
    virtual void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) = 0;
    // Current energy (to the unit's precision).
    virtual double energy(int replica) const = 0;
    virtual std::vector<uint8_t> state(int replica) const = 0;
    // The first of the lowest states that sweeps ended in or went through since set_state.
    virtual double best_energy(int replica) const = 0;
    virtual std::vector<uint8_t> best(int replica) const = 0;
    // Flips one variable (cluster moves).
    virtual void flip(int replica, int variable) = 0;
    // dE of flipping it.
    virtual double change(int replica, int variable) const = 0;
    // Makes replica `to` a copy of replica `from`, best included (population annealing).
    virtual void copy(int from, int to) = 0;
    // Accepted flips of all replicas so far.
    virtual int64_t flips() const = 0;
};

class Model {
  public:
    virtual ~Model() = default;
    virtual int variables() const = 0;
    // Replicas numbered first_replica, first_replica + 1, ...: the numbers key their random draws.
    // They keep a reference to the model.
    virtual std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                             uint32_t first_replica) const = 0;
    // How many replicas are best moved together (lanes); techniques give threads multiples of it.
    virtual int replicas_together() const = 0;
    // Bytes of the model, and of `replicas` walkers.
    virtual uint64_t memory_bytes() const = 0;
    virtual uint64_t walker_bytes(int replicas) const = 0;
};

// Flips alone; or, after the flips of a sweep, as many pair moves, the first variable drawn and its
// partner chosen among all by a heat bath (kernels/dense_pairs.h): O(n) each, for problems whose
// terms nearly cancel. Where there are constraints pairs are always moved: with partners drawn, or
// by heat bath.
enum class Moves { kFlips, kPairs };

// The model that suits a problem's form. Keeps a reference to `problem`. Problems with constraints
// get walks that keep them (constrained_walkers.h): flips inside budgets, swaps, one-hot steps.
// `expected_replicas` decides whether lanes pay. Null where the watch was over before it was made:
// then a technique returns its start.
std::unique_ptr<const Model> make_model(const qubo::Problem& problem, int expected_replicas,
                                        const Watch& watch, Moves moves = Moves::kFlips);

}  // namespace adiabat::anneal
