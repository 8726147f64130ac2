// SPDX-License-Identifier: Apache-2.0
#pragma once

// Loops over contiguous ranges, one a worker. What a body computes must not depend on where the
// ranges are cut: then results are the same for any number of threads.

#include <cstdint>
#include <functional>

namespace adiabat {

// The number of workers that `threads` asks for: itself, or the number of hardware threads for 0
// and less.
int thread_count(int threads);

// Calls body(begin, end, worker) for ranges that cover 0..n-1 once, in min(n,
// thread_count(threads)) workers numbered from 0, and waits for all; the caller's thread is worker
// 0. Ranges differ in length by one at most. If bodies throw, the exception of the lowest worker is
// thrown after all have ended.
void parallel_for(int64_t n, int threads,
                  const std::function<void(int64_t begin, int64_t end, int worker)>& body);

}  // namespace adiabat
