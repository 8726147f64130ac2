// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/metropolis_walk.h"

#include <algorithm>
#include <array>
#include <limits>

#include "adiabat/anneal/metropolis.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define ADIABAT_HAS_AVX2 1
#endif
#define ADIABAT_INLINE __attribute__((always_inline)) inline

namespace adiabat::anneal {

namespace {

constexpr size_t kBlock = 16;
constexpr int64_t kFlipsPerVariableBetweenRefreshes = 16;

constexpr size_t padded(size_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

}  // namespace

// The loops of a sweep, to be inlined into one function a target.
struct SweepBody {
    // Whether any proposal of the block could be accepted.
    static ADIABAT_INLINE bool any_within(const double* sign, const double* field, double limit) {
        int64_t any = 0;
        for (size_t k = 0; k < kBlock; ++k) any |= sign[k] * field[k] <= limit ? 1 : 0;
        return any != 0;
    }

    // proposal_words of the block's four groups, side by side.
    static ADIABAT_INLINE void draw(const SweepKey& key, uint32_t block, uint32_t* words) {
        uint64_t c0[4], c1[4], c2[4], c3[4];
        for (uint32_t g = 0; g < 4; ++g) {
            c0[g] = 4 * block + g;
            c1[g] = key.sweep;
            c2[g] = key.replica;
            c3[g] = kProposalStream;
        }
        auto k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
        for (int round = 0; round < 10; ++round) {
            for (int g = 0; g < 4; ++g) {
                const uint64_t a = 0xD2511F53u * c0[g], b = 0xCD9E8D57u * c2[g];
                c0[g] = (b >> 32) ^ c1[g] ^ k0;
                c1[g] = b & 0xFFFFFFFFu;
                c2[g] = (a >> 32) ^ c3[g] ^ k1;
                c3[g] = a & 0xFFFFFFFFu;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        for (int g = 0; g < 4; ++g) {
            words[4 * g] = static_cast<uint32_t>(c0[g]);
            words[4 * g + 1] = static_cast<uint32_t>(c1[g]);
            words[4 * g + 2] = static_cast<uint32_t>(c2[g]);
            words[4 * g + 3] = static_cast<uint32_t>(c3[g]);
        }
    }

    static ADIABAT_INLINE void flip(MetropolisWalk& walk, size_t i, double change) {
        const double energy = walk.energy_ + change;
        if (energy < walk.best_energy_ - walk.tolerance_) {
            walk.best_energy_ = energy;
            walk.at_best_ = true;
        } else if (walk.at_best_) {  // leaving it: now it must be copied
            walk.best_sign_ = walk.sign_;
            walk.at_best_ = false;
        }
        walk.energy_ = energy;
        const double sign = walk.sign_[i];
        walk.sign_[i] = -sign;
        const auto row = walk.problem_.row(static_cast<int>(i));
        const double* const source = row.data();
        double* const target = walk.field_.data();
        const size_t n = row.size();
        for (size_t j = 0; j < n; ++j) target[j] += sign * source[j];
        ++walk.flips_;
    }

    static ADIABAT_INLINE void run(MetropolisWalk& walk, double beta, const SweepKey& key) {
        const double limit = kMostUphill / beta;
        const double* const sign = walk.sign_.data();
        const double* const field = walk.field_.data();
        const size_t blocks = walk.sign_.size() / kBlock;
        for (size_t block = 0; block < blocks; ++block) {
            const size_t first = block * kBlock;
            if (!any_within(sign + first, field + first, limit)) continue;
            alignas(32) uint32_t words[kBlock];
            draw(key, static_cast<uint32_t>(block), words);
            for (size_t k = 0; k < kBlock; ++k) {
                const double change = sign[first + k] * field[first + k];
                if (change > limit || !accepts_quickly(beta * change, words[k])) continue;
                flip(walk, first + k, change);
            }
        }
    }
};

namespace {

void sweep_baseline(MetropolisWalk& walk, double beta, const SweepKey& key) {
    SweepBody::run(walk, beta, key);
}

#ifdef ADIABAT_HAS_AVX2
__attribute__((target("avx2"))) void sweep_avx2(MetropolisWalk& walk, double beta,
                                                const SweepKey& key) {
    SweepBody::run(walk, beta, key);
}
const bool kAvx2 = __builtin_cpu_supports("avx2");
#endif

std::vector<uint8_t> assignment(const std::vector<double>& sign, size_t n) {
    std::vector<uint8_t> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = sign[i] < 0;
    return x;
}

}  // namespace

MetropolisWalk::MetropolisWalk(const qubo::Dense& problem, std::span<const uint8_t> start,
                               double tolerance)
    : problem_(problem),
      tolerance_(tolerance),
      field_(padded(start.size()), std::numeric_limits<double>::infinity()),
      sign_(padded(start.size()), 1.0) {
    for (size_t i = 0; i < start.size(); ++i) sign_[i] = start[i] ? -1.0 : 1.0;
    refresh();
    best_energy_ = energy_;
}

void MetropolisWalk::refresh() {
    const auto x = state();
    std::ranges::copy(problem_.fields(x), field_.begin());
    energy_ = problem_.energy(x);
    flips_at_refresh_ = flips_;
}

void MetropolisWalk::sweep(double beta, const SweepKey& key) {
#ifdef ADIABAT_HAS_AVX2
    if (kAvx2 && widest_) {
        sweep_avx2(*this, beta, key);
    } else {
        sweep_baseline(*this, beta, key);
    }
#else
    sweep_baseline(*this, beta, key);
#endif
    if (flips_ - flips_at_refresh_ >= kFlipsPerVariableBetweenRefreshes * problem_.variables()) {
        refresh();
    }
}

std::vector<uint8_t> MetropolisWalk::state() const {
    return assignment(sign_, static_cast<size_t>(problem_.variables()));
}

std::vector<uint8_t> MetropolisWalk::best() const {
    return assignment(at_best_ ? sign_ : best_sign_, static_cast<size_t>(problem_.variables()));
}

uint64_t MetropolisWalk::memory_bytes(int variables) {
    return 3 * sizeof(double) * padded(static_cast<size_t>(variables)) + sizeof(MetropolisWalk);
}

}  // namespace adiabat::anneal
