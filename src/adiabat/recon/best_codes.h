// SPDX-License-Identifier: Apache-2.0
#pragma once

// The better of several codes for each filter, by the error under the moments:
//
//   |error of filter f| = s^2 c H c' - 2 s c C_f' + variance of t_f,    s = c C_f' / c H c',
//
// the scale the least-squares one for the codes, as the file will hold it (float), and no smaller
// than is allowed. O(F D^2) an offer.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/recon/moments.h"

namespace adiabat::recon {

struct RoundedFilters {
    std::vector<int8_t> codes;  // [F, D]
    std::vector<float> scales;  // [F], > 0
};

// As the layer will compute: scale * code, [F, D].
Matrix values_of(const RoundedFilters& rounded);
// The codes alone, [F, D].
Matrix codes_of(const RoundedFilters& rounded);

class BestCodes {
  public:
    // Scale f is at least least_scales[f].
    BestCodes(const Moments& moments, std::span<const float> least_scales);

    // Keeps the codes [F, D] of the filters for which they are better. scales[f] > 0 counts where
    // the codes have no least-squares scale.
    void offer(const Matrix& codes, const Vector& scales);

    // Of each filter, less its target's variance; infinite before the first offer.
    const Vector& errors() const { return least_; }
    // Something was offered.
    const RoundedFilters& best() const { return best_; }

  private:
    const Moments& moments_;
    std::span<const float> least_scales_;
    Vector least_;
    RoundedFilters best_;
};

}  // namespace adiabat::recon
