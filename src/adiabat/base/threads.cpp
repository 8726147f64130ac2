// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/threads.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace adiabat {

int thread_count(int threads) {
    if (threads > 0) return threads;
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(int64_t n, int threads, const std::function<void(int64_t, int64_t, int)>& body) {
    if (n <= 0) return;
    const int workers = static_cast<int>(std::min<int64_t>(n, thread_count(threads)));
    if (workers == 1) return body(0, n, 0);

    std::vector<std::exception_ptr> failures(static_cast<size_t>(workers));
    const auto work = [&](int worker) noexcept {
        const int64_t share = n / workers, rest = n % workers;
        const int64_t begin = worker * share + std::min<int64_t>(worker, rest);
        try {
            body(begin, begin + share + (worker < rest ? 1 : 0), worker);
        } catch (...) {
            failures[static_cast<size_t>(worker)] = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> others;
        for (int worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
        work(0);
    }
    for (const auto& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

}  // namespace adiabat
