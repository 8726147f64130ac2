// SPDX-License-Identifier: Apache-2.0
#pragma once

// What slices of a batch, finished in any order by several workers, are put together into: results
// side by side, and sums in the order of the slices' numbers, so that they do not depend on who was
// first.

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/torch/tensors.h"

namespace adiabat::torch {

// Adds up tensors that arrive in any order in the order of their number.
class OrderedSum {
  public:
    void add(int64_t number, std::vector<at::Tensor> terms) {
        const std::lock_guard lock(mutex_);
        waiting_.emplace(number, std::move(terms));
        for (auto it = waiting_.find(next_); it != waiting_.end(); it = waiting_.find(++next_)) {
            if (sums_.empty()) sums_.resize(it->second.size());
            for (size_t k = 0; k < sums_.size(); ++k) {
                const at::Tensor& term = it->second[k];
                if (term.defined()) sums_[k] = sums_[k].defined() ? sums_[k] + term : term;
            }
            waiting_.erase(it);
        }
    }
    const std::vector<at::Tensor>& sums() const { return sums_; }

  private:
    std::mutex mutex_;
    std::map<int64_t, std::vector<at::Tensor>> waiting_;
    std::vector<at::Tensor> sums_;
    int64_t next_ = 0;
};

// Results of all slices, written side by side; into tensors of an earlier run where they fit, since
// memory that is new to the process costs more than what is written into it.
class Collector {
  public:
    Collector(std::vector<net::DType> types, int64_t batch, std::vector<net::Tensor> reuse = {})
        : types_(std::move(types)),
          batch_(batch),
          results_(std::move(reuse)),
          ready_(types_.size()),
          mutexes_(types_.size()) {
        results_.resize(types_.size());
    }

    // Rows begin..begin+rows of result k.
    void put(size_t k, const at::Tensor& part, int64_t begin, int64_t rows) {
        ADIABAT_CHECK(part.dim() > 0 && part.size(0) == rows, "a slice of {} images gave {} rows",
                      rows, part.dim() > 0 ? part.size(0) : -1);
        {
            const std::lock_guard lock(mutexes_[k]);
            net::Shape shape(part.sizes().begin(), part.sizes().end());
            shape[0] = batch_;
            if (!ready_[k]) make(k, type(k, part), std::move(shape));
        }
        if (net::bits_of(results_[k].type) < 8 && rows != batch_) {
            throw InputError("a value of {} cannot be fetched image by image",
                             net::name_of(results_[k].type));
        }
        const size_t row = results_[k].bytes.size() / static_cast<size_t>(batch_);
        write_elements(part, results_[k].type,
                       results_[k].bytes.data() + static_cast<size_t>(begin) * row);
    }

    void put_whole(size_t k, const at::Tensor& value) {
        make(k, type(k, value), {value.sizes().begin(), value.sizes().end()});
        write_elements(value, results_[k].type, results_[k].bytes.data());
    }

    std::vector<net::Tensor> take() { return std::move(results_); }

  private:
    void make(size_t k, net::DType type, net::Shape shape) {
        ready_[k] = 1;
        if (results_[k].type == type && results_[k].shape == shape) return;
        results_[k] = net::Tensor();  // before there is another
        results_[k] = net::Tensor(type, std::move(shape));
    }

    net::DType type(size_t k, const at::Tensor& value) const {
        return types_[k] == net::DType::kUndefined ? natural_type(value) : types_[k];
    }

    std::vector<net::DType> types_;
    int64_t batch_;
    std::vector<net::Tensor> results_;
    std::vector<uint8_t> ready_;
    std::vector<std::mutex> mutexes_;  // one a result: making it is slow
};

}  // namespace adiabat::torch
