// SPDX-License-Identifier: Apache-2.0
#pragma once

// Samplers that are wrong on purpose, to see that a test finds it: a model whose walkers walk at
// another temperature than they are told, tell another energy than they have, or flip what others
// ask for in every second replica alone.

#include <memory>
#include <utility>
#include <vector>

#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal::testing {

struct Spoiled {
    double beta = 1;          // sweeps at so many times beta
    double energy = 1;        // tells so many times the energy: exchanges are accepted by it
    bool lone_flips = false;  // of the two replicas of a cluster move one is flipped
};

class SpoiledWalkers final : public Walkers {
  public:
    SpoiledWalkers(std::unique_ptr<Walkers> sound, const Spoiled& spoiled)
        : sound_(std::move(sound)), spoiled_(spoiled) {}

    int replicas() const override { return sound_->replicas(); }
    void set_state(int replica, std::span<const uint8_t> x) override {
        sound_->set_state(replica, x);
    }
    void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) override {
        betas_.assign(betas.begin(), betas.end());
        for (double& beta : betas_) beta *= spoiled_.beta;
        sound_->sweep(betas_, sweep, watch);
    }
    double energy(int replica) const override { return spoiled_.energy * sound_->energy(replica); }
    std::vector<uint8_t> state(int replica) const override { return sound_->state(replica); }
    double best_energy(int replica) const override { return sound_->best_energy(replica); }
    std::vector<uint8_t> best(int replica) const override { return sound_->best(replica); }
    void flip(int replica, int variable) override {
        if (!spoiled_.lone_flips || replica % 2 == 0) sound_->flip(replica, variable);
    }
    double change(int replica, int variable) const override {
        return sound_->change(replica, variable);
    }
    void copy(int from, int to) override { sound_->copy(from, to); }
    int64_t flips() const override { return sound_->flips(); }

  private:
    std::unique_ptr<Walkers> sound_;
    Spoiled spoiled_;
    std::vector<double> betas_;
};

// Keeps a reference to the sound one.
class SpoiledModel final : public Model {
  public:
    SpoiledModel(const Model& sound, const Spoiled& spoiled) : sound_(sound), spoiled_(spoiled) {}

    int variables() const override { return sound_.variables(); }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override {
        return std::make_unique<SpoiledWalkers>(sound_.walkers(replicas, seed, first_replica),
                                                spoiled_);
    }
    int replicas_together() const override { return sound_.replicas_together(); }
    uint64_t memory_bytes() const override { return sound_.memory_bytes(); }
    uint64_t walker_bytes(int replicas) const override { return sound_.walker_bytes(replicas); }

  private:
    const Model& sound_;
    Spoiled spoiled_;
};

}  // namespace adiabat::anneal::testing
