// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/augment.h"

#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::tune {

namespace {

constexpr uint32_t kStream = 0xF11B;

// One channel of one image: to[y][x] = from[y + down][x + right], mirrored first.
struct Move {
    int64_t down = 0, right = 0;
    bool is_mirrored = false;

    void apply(const float* from, float* to, int64_t height, int64_t width, float fill) const {
        for (int64_t y = 0; y < height; ++y) {
            const int64_t row = y + down;
            for (int64_t x = 0; x < width; ++x) {
                const int64_t shifted = x + right;
                const int64_t column = is_mirrored ? width - 1 - shifted : shifted;
                const bool is_there = row >= 0 && row < height && shifted >= 0 && shifted < width;
                to[y * width + x] = is_there ? from[row * width + column] : fill;
            }
        }
    }
};

}  // namespace

void augment(net::Tensor& images, std::span<const int64_t> numbers, const Augmentation& how,
             std::span<const float> fill, uint64_t seed, uint32_t epoch) {
    if (!how.flip && how.pad == 0) return;
    ADIABAT_CHECK(images.rank() == 4 && images.shape[0] == std::ssize(numbers), "{} numbers for {}",
                  numbers.size(), net::to_string(images.shape));
    const int64_t channels = images.shape[1], height = images.shape[2], width = images.shape[3];
    ADIABAT_CHECK(std::ssize(fill) == channels, "{} fills for {} channels", fill.size(), channels);
    const uint64_t of_epoch = derived_seed(seed, kStream, epoch);
    std::vector<float> before(static_cast<size_t>(height * width));
    float* at = images.as<float>().data();
    for (int64_t number : numbers) {
        Random random(of_epoch, kStream, static_cast<uint32_t>(number));
        Move move;
        if (how.pad > 0) {
            const auto shifts = static_cast<uint32_t>(2 * how.pad + 1);
            move.down = int64_t{random.below(shifts)} - how.pad;
            move.right = int64_t{random.below(shifts)} - how.pad;
        }
        move.is_mirrored = how.flip && (random() & 1) != 0;
        for (int64_t c = 0; c < channels; ++c, at += height * width) {
            before.assign(at, at + height * width);
            move.apply(before.data(), at, height, width, fill[static_cast<size_t>(c)]);
        }
    }
}

}  // namespace adiabat::tune
