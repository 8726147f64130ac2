// SPDX-License-Identifier: Apache-2.0
#pragma once

// Slices of a batch: how many images go through the network together, and the workers that share
// the slices, each on one thread. Slices depend on the graph and the batch alone, so that results
// are the same for any number of workers.

#include <algorithm>
#include <atomic>

#include "adiabat/base/threads.h"
#include "adiabat/net/graph.h"
#include "adiabat/torch/pch.h"

// As omp.h has them, which clang does not come with.
extern "C" {
void omp_set_num_threads(int threads);
int omp_get_max_threads();
}

namespace adiabat::torch {

// An activation of a slice should fit the second-level cache twice; below a few images the overhead
// of a call shows, and many slices are needed to keep all workers busy.
constexpr int64_t kBytesOfActivation = int64_t{1} << 21;
constexpr int64_t kLeastImages = 8, kMostImages = 32;

// Bytes of the largest activation of one image.
inline int64_t largest_activation(const net::Graph& graph) {
    int64_t largest = 1;
    for (const net::Value& value : graph.values) {
        if (value.constant || !value.shape || value.shape->empty()) continue;
        int64_t bytes = 4;
        for (size_t k = 1; k < value.shape->size(); ++k)
            bytes *= std::max<int64_t>(1, (*value.shape)[k]);
        largest = std::max(largest, bytes);
    }
    return largest;
}

inline int64_t images_a_slice(const net::Graph& graph, int64_t batch) {
    const int64_t most =
        std::clamp<int64_t>(kBytesOfActivation / largest_activation(graph), 1, kMostImages);
    return std::min(most, std::clamp((batch + 31) / 32, kLeastImages, kMostImages));
}

// Whether a constant is larger than the batch's largest activation: oneDNN lays weights out anew in
// each call, so that slices of a forward pass would do more of that than of their own work.
inline bool weights_outweigh(const net::Graph& graph, int64_t batch) {
    int64_t constant = 0;
    for (const net::Value& value : graph.values) {
        if (value.constant) constant = std::max(constant, std::ssize(value.constant->bytes));
    }
    return constant > batch * largest_activation(graph);
}

// Sets the threads that one LibTorch call uses, on this thread, for the lifetime of the object.
// LibTorch and oneDNN ask OpenMP, whose number is each thread's own. (at::set_num_threads would
// make a pool of XNNPACK's anew each time, whose threads nobody uses and which spin for a while.)
class CallThreads {
  public:
    explicit CallThreads(int threads) : before_(omp_get_max_threads()) {
        omp_set_num_threads(threads);
    }
    ~CallThreads() { omp_set_num_threads(before_); }
    CallThreads(const CallThreads&) = delete;
    CallThreads& operator=(const CallThreads&) = delete;

  private:
    int before_;
};

struct Slice {
    int64_t number, begin, rows;
};

struct Slicing {
    const net::Graph& graph;
    bool sliceable;  // otherwise the batch is one slice, computed on all threads
    int64_t batch;
    int threads;
};

template <typename Body>
void for_slices(const Slicing& slicing, const Body& body) {
    const int64_t batch = slicing.batch;
    if (!slicing.sliceable) {
        const CallThreads threads(slicing.threads);
        body(Slice{0, 0, batch});
        return;
    }
    const int64_t images = images_a_slice(slicing.graph, batch);
    const int64_t count = (batch + images - 1) / images;
    const auto workers = std::min<int64_t>(count, slicing.threads);
    std::atomic<int64_t> next = 0;
    parallel_for(workers, slicing.threads, [&](int64_t, int64_t, int) {
        const CallThreads threads(1);
        for (int64_t k = next++; k < count; k = next++) {
            body(Slice{k, k * images, std::min(images, batch - k * images)});
        }
    });
}

}  // namespace adiabat::torch
