// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/temperature_ladder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/natural_range.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kExchangeStream = 0x5A60, kClusterStream = 0x5A61;
// So much rejection is assumed between rungs whatever was measured: rungs that always exchange must
// not all collapse onto the others.
constexpr double kLeastRejection = 0.02;

uint32_t word_of(const LadderKey& key, uint32_t stream, uint32_t place, uint32_t round) {
    return philox({place, round, key.first_replica, stream},
                  {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)})[0];
}

}  // namespace

std::vector<double> geometric_betas(double lowest, double highest, int count) {
    std::vector<double> betas;
    for (int k = 0; k < count; ++k)
        betas.push_back(beta_at({lowest, highest}, Shape::kGeometric, k, count));
    return betas;
}

std::vector<double> even_betas(std::span<const double> betas, std::span<const double> rates) {
    std::vector<double> rejected(betas.size(), 0.0);
    for (size_t k = 0; k + 1 < betas.size(); ++k)
        rejected[k + 1] = rejected[k] + std::max(kLeastRejection, 1 - rates[k]);
    std::vector<double> placed(betas.begin(), betas.end());
    size_t segment = 1;
    for (size_t k = 1; k + 1 < betas.size(); ++k) {
        const double wanted =
            rejected.back() * static_cast<double>(k) / static_cast<double>(betas.size() - 1);
        while (rejected[segment] < wanted) ++segment;
        const double part =
            (wanted - rejected[segment - 1]) / (rejected[segment] - rejected[segment - 1]);
        placed[k] = betas[segment - 1] + part * (betas[segment] - betas[segment - 1]);
    }
    return placed;
}

TemperatureLadder::TemperatureLadder(const qubo::Problem& problem, const Model& model,
                                     std::vector<double> betas, int copies, const LadderKey& key)
    : sparse_(problem.constraints.empty() ? std::get_if<qubo::Sparse>(&problem.form) : nullptr),
      betas_(std::move(betas)),
      copies_(copies),
      key_(key),
      walkers_(model.walkers(temperatures() * copies, key.seed, key.first_replica)),
      replica_at_(static_cast<size_t>(temperatures() * copies)),
      replica_betas_(replica_at_.size()),
      accepted_(betas_.size()),
      tried_(betas_.size()) {
    ADIABAT_CHECK(std::ranges::is_sorted(betas_) && !betas_.empty(), "betas do not ascend");
    std::iota(replica_at_.begin(), replica_at_.end(), 0);
}

void TemperatureLadder::sweep(const Watch& watch) {
    for (int t = 0; t < temperatures(); ++t)
        for (int c = 0; c < copies_; ++c)
            replica_betas_[static_cast<size_t>(replica(t, c))] = betas_[static_cast<size_t>(t)];
    walkers_->sweep(replica_betas_, sweeps_++, watch);
}

void TemperatureLadder::exchange() {
    const int first = static_cast<int>(exchanges_ % 2);
    for (int t = first; t + 1 < temperatures(); t += 2)
        for (int c = 0; c < copies_; ++c) exchange_pair(t, c);
    ++exchanges_;
}

void TemperatureLadder::exchange_pair(int lower, int copy) {
    const auto k = static_cast<size_t>(lower);
    const auto at = at_of(lower, copy);
    int &a = replica_at_[at], &b = replica_at_[at + static_cast<size_t>(copies_)];
    // Below zero where the hotter replica, a, is the lower one.
    const double uphill = (betas_[k + 1] - betas_[k]) * (walkers_->energy(a) - walkers_->energy(b));
    accepted_[k] += uphill <= 0 ? 1.0 : std::exp(-uphill);
    tried_[k] += 1;
    if (uphill <
        double{threshold_of(word_of(key_, kExchangeStream, static_cast<uint32_t>(at), exchanges_))})
        std::swap(a, b);
}

void TemperatureLadder::move_clusters() {
    if (!sparse_ || copies_ < 2 || sparse_->variables() == 0) return;
    for (int t = 0; t < temperatures(); ++t) {
        // Neighbors on the ring of copies, starting one further every time: all of them mix.
        const int shift = static_cast<int>(cluster_rounds_ % static_cast<uint32_t>(copies_));
        for (int c = 0; c + 1 < copies_; c += 2) {
            const int a = (c + shift) % copies_, b = (c + 1 + shift) % copies_;
            const auto place = static_cast<uint32_t>(t * copies_ + c);
            move_cluster(replica(t, a), replica(t, b),
                         word_of(key_, kClusterStream, place, cluster_rounds_));
        }
    }
    ++cluster_rounds_;
}

void TemperatureLadder::move_cluster(int a, int b, uint32_t word) {
    const std::vector<uint8_t> x = walkers_->state(a);
    std::vector<uint8_t> differs = walkers_->state(b);
    std::vector<int> differing;
    for (size_t i = 0; i < x.size(); ++i) {
        differs[i] ^= x[i];
        if (differs[i]) differing.push_back(static_cast<int>(i));
    }
    if (differing.empty()) return;
    std::vector<int> cluster{differing[(uint64_t{word} * differing.size()) >> 32]};
    differs[static_cast<size_t>(cluster[0])] = 0;
    for (size_t k = 0; k < cluster.size(); ++k) {
        for (const int j : sparse_->neighbors(cluster[k])) {
            if (!differs[static_cast<size_t>(j)]) continue;
            differs[static_cast<size_t>(j)] = 0;
            cluster.push_back(j);
        }
    }
    if (cluster.size() == differing.size()) return;
    for (const int i : cluster) {
        walkers_->flip(a, i);
        walkers_->flip(b, i);
    }
}

std::vector<double> TemperatureLadder::exchange_rates() const {
    std::vector<double> rates;
    for (size_t k = 0; k + 1 < betas_.size(); ++k)
        rates.push_back(tried_[k] > 0 ? accepted_[k] / tried_[k] : 1.0);
    return rates;
}

void TemperatureLadder::place_evenly() {
    betas_ = even_betas(betas_, exchange_rates());
    std::ranges::fill(accepted_, 0.0);
    std::ranges::fill(tried_, 0.0);
}

}  // namespace adiabat::anneal
