// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counter-based random numbers: Philox4x32-10.
//
// A draw is a pure function of (seed, key words, counter), so that the number a variable gets in a
// sweep of a replica does not depend on how many threads there are or in what order they run. One
// block of ten rounds gives four 32-bit words.
//
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC
// 2011).

#include <array>
#include <cstdint>

namespace adiabat {

// One Philox4x32 block: four independent uniform words from a 128-bit counter and a 64-bit key. Ten
// rounds are the authors' choice; seven are the fewest that pass BigCrush.
template <int kRounds = 10>
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter,
                                         std::array<uint32_t, 2> key) {
    for (int round = 0; round < kRounds; ++round) {
        const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
        const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
                   static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

// A sequence of draws for one (seed, stream, substream): streams are independent of each other.
// Cheap to construct; copy it to replay it. Satisfies UniformRandomBitGenerator.
class Random {
  public:
    using result_type = uint32_t;

    explicit Random(uint64_t seed, uint32_t stream = 0, uint32_t substream = 0)
        : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
          counter_{0, 0, stream, substream} {}

    static constexpr uint32_t min() { return 0; }
    static constexpr uint32_t max() { return ~uint32_t{0}; }

    uint32_t operator()() {
        if (used_ == 4) {
            words_ = philox(counter_, key_);
            used_ = 0;
            if (++counter_[0] == 0) ++counter_[1];
        }
        return words_[used_++];
    }

    // Uniform in [0, 1), 24 bits.
    float uniform_float() { return static_cast<float>((*this)() >> 8) * 0x1p-24f; }

    // Uniform in [0, 1), 53 bits.
    double uniform() {
        const uint64_t high = (*this)() >> 5, low = (*this)() >> 6;
        return static_cast<double>((high << 26) | low) * 0x1p-53;
    }

    // Uniform in 0..bound-1 without bias (Lemire, 2019); bound > 0.
    uint32_t below(uint32_t bound) {
        uint64_t product = uint64_t{(*this)()} * bound;
        if (static_cast<uint32_t>(product) < bound) {
            const uint32_t threshold = (0u - bound) % bound;
            while (static_cast<uint32_t>(product) < threshold)
                product = uint64_t{(*this)()} * bound;
        }
        return static_cast<uint32_t>(product >> 32);
    }

    // Standard normal (Box and Muller, 1958; the second of each pair is dropped to stay stateless).
    double normal();

  private:
    std::array<uint32_t, 2> key_;
    std::array<uint32_t, 4> counter_;
    std::array<uint32_t, 4> words_{};
    int used_ = 4;
};

// A seed of its own for part `part` of a computation that has one seed: neither neighboring parts
// nor neighboring seeds share their draws.
inline uint64_t derived_seed(uint64_t seed, uint32_t stream, uint32_t part) {
    Random random(seed, stream, part);
    const uint64_t high = random();
    return high << 32 | random();
}

}  // namespace adiabat
