// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/rank_update.h"

#include <algorithm>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/recon/rank_update.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace adiabat::recon::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kRowsPacked = 192;
constexpr size_t kTile = 4;  // columns, which are broadcast, against a panel's

using Floats = hn::ScalableTag<float>;

class Update {
  public:
    Update(const float* z, size_t rows, size_t columns, float* sums)
        : z_(z),
          rows_(rows),
          columns_(columns),
          width_(std::max(kTile, 2 * hn::Lanes(Floats()))),
          panels_((columns + width_ - 1) / width_),
          sums_(sums),
          packed_(hwy::AllocateAligned<float>(panels_ * width_ * kRowsPacked)) {}

    void run() {
        for (size_t begin = 0; begin < rows_; begin += kRowsPacked) {
            count_ = std::min(kRowsPacked, rows_ - begin);
            pack(begin);
            for (size_t panel = 0; panel < panels_; ++panel) {
                for (size_t i = panel * width_; i < columns_; i += kTile) add_tile(panel, i);
            }
        }
    }

  private:
    float* panel(size_t number) const { return packed_.get() + number * width_ * count_; }

    void pack(size_t begin) {
        for (size_t p = 0; p < panels_; ++p) {
            const size_t first = p * width_, there = std::min(width_, columns_ - first);
            float* to = panel(p);
            for (size_t k = 0; k < count_; ++k, to += width_) {
                const float* const from = z_ + (begin + k) * columns_ + first;
                std::copy_n(from, there, to);
                std::fill(to + there, to + width_, 0.0f);
            }
        }
    }

    // Rows i .. i + 3 of the sums, in the columns of a panel.
    void add_tile(size_t number, size_t i) {
        const Floats d;
        const size_t lanes = hn::Lanes(d), j = number * width_;
        for (size_t part = 0; part < width_; part += 2 * lanes) {
            const float* x = panel(i / width_) + i % width_;
            const float* y = panel(number) + part;
            auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, e0 = a0, e1 = a0;
            for (size_t k = 0; k < count_; ++k, x += width_, y += width_) {
                const auto left = hn::LoadU(d, y);
                const auto right = hn::LoadU(d, y + lanes);
                const auto first = hn::Set(d, x[0]), second = hn::Set(d, x[1]),
                           third = hn::Set(d, x[2]), fourth = hn::Set(d, x[3]);
                a0 = hn::MulAdd(first, left, a0);
                a1 = hn::MulAdd(first, right, a1);
                b0 = hn::MulAdd(second, left, b0);
                b1 = hn::MulAdd(second, right, b1);
                c0 = hn::MulAdd(third, left, c0);
                c1 = hn::MulAdd(third, right, c1);
                e0 = hn::MulAdd(fourth, left, e0);
                e1 = hn::MulAdd(fourth, right, e1);
            }
            store(i, j + part, a0, a1);
            store(i + 1, j + part, b0, b1);
            store(i + 2, j + part, c0, c1);
            store(i + 3, j + part, e0, e1);
        }
    }

    template <typename Vector>
    void store(size_t i, size_t j, Vector left, Vector right) {
        if (i >= columns_) return;
        const Floats d;
        const size_t lanes = hn::Lanes(d);
        float* const to = sums_ + i * columns_ + j;
        if (j + 2 * lanes <= columns_) {
            hn::StoreU(hn::Add(hn::LoadU(d, to), left), d, to);
            hn::StoreU(hn::Add(hn::LoadU(d, to + lanes), right), d, to + lanes);
            return;
        }
        HWY_ALIGN float both[2 * hn::MaxLanes(Floats())];
        hn::Store(left, d, both);
        hn::Store(right, d, both + lanes);
        for (size_t k = 0; j + k < columns_; ++k) to[k] += both[k];
    }

    const float* z_;
    size_t rows_, columns_, width_, panels_, count_ = 0;
    float* sums_;
    hwy::AlignedFreeUniquePtr<float[]> packed_;
};

void add_some(const float* z, size_t rows, size_t columns, float* sums) {
    Update(z, rows, columns, sums).run();
}

}  // namespace adiabat::recon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::recon {

HWY_EXPORT(add_some);

void add_products(std::span<const float> z, int64_t columns, std::span<float> sums) {
    if (columns <= 0) return;
    const auto width = static_cast<size_t>(columns);
    HWY_DYNAMIC_DISPATCH(add_some)(z.data(), z.size() / width, width, sums.data());
}

void add_products_naive(std::span<const float> z, int64_t columns, std::span<float> sums) {
    if (columns <= 0) return;
    const auto width = static_cast<size_t>(columns);
    for (size_t k = 0; k + width <= z.size(); k += width) {
        for (size_t i = 0; i < width; ++i) {
            for (size_t j = 0; j < width; ++j) sums[i * width + j] += z[k + i] * z[k + j];
        }
    }
}

}  // namespace adiabat::recon
#endif
