// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat {
namespace {

TEST(Threads, CoverEachIndexOnce) {
    for (const int threads : {0, 1, 2, 3, 8}) {
        for (const int64_t n : {0, 1, 2, 7, 8, 1000}) {
            std::vector<int> seen(static_cast<size_t>(n));
            std::atomic<int64_t> shortest = n, longest = 0;
            parallel_for(n, threads, [&](int64_t begin, int64_t end, int worker) {
                EXPECT_GE(worker, 0);
                EXPECT_LT(worker, std::min<int64_t>(n, thread_count(threads)));
                EXPECT_LT(begin, end);
                for (int64_t k = begin; k < end; ++k) ++seen[static_cast<size_t>(k)];
                if (worker == 0) longest = end - begin;
                if (end == n) shortest = end - begin;
            });
            EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), n);
            EXPECT_LE(longest - shortest, 1);
        }
    }
}

TEST(Threads, CarryOutTheLowestWorkersException) {
    std::atomic<int> ended = 0;
    try {
        parallel_for(4, 4, [&](int64_t, int64_t, int worker) {
            ++ended;
            if (worker >= 2) throw InputError("worker {}", worker);
        });
        FAIL();
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(), "worker 2");
    }
    EXPECT_EQ(ended, 4);
}

}  // namespace
}  // namespace adiabat
