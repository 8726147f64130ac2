// SPDX-License-Identifier: Apache-2.0
#pragma once

// The size of the file that a plan would be written as, to the byte, without writing it.
//
// What layers and the rest take is known from measured parts (parts_of_file.h), for every set of
// residual branches that go: a set is measured when it is first met. O(layers + constants that are
// cut) a plan, O(nodes) a new set.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/apply/parts_of_file.h"

namespace adiabat::apply {

class FileSize {
  public:
    // Both must outlive it; the graph has been prepared (prepare.h). Throws InputError where the
    // network cannot be quantized (quantize.h).
    FileSize(const net::Graph& graph, const plan::Network& network, onnx::Storage storage);
    FileSize(const FileSize&) = delete;
    FileSize& operator=(const FileSize&) = delete;

    // Of a plan with `cut` groups cut, one entry a family, and `bits`, one entry a tensor.
    // Allocates nothing but where it meets a layer in a state, a float activation, or a set of
    // branches, for the first time. Not to be called from two threads at once.
    int64_t bytes(std::span<const int64_t> cut, std::span<const int> bits) const;
    int64_t bytes(const plan::Plan& plan) const { return bytes(plan::cut_counts(plan), plan.bits); }
    // The same as a sum of what is there for one layer or activation alone, and at most all else:
    // of `bits` those of layers that are not decided are below 0, and the constants they would
    // share with none are not counted. With all of them decided the sum is short of bytes() by no
    // more than the 9 bytes that say how long the graph is, where branches may go the digits by
    // which names are longer where they have not, and where activations are decided what decodes
    // the biases of layers: those that read a float one have less. The more layers are gone, the
    // less all else is.
    int64_t layer_bytes(size_t tensor, std::span<const int64_t> cut, int bits) const;
    int64_t other_bytes(std::span<const int64_t> cut, std::span<const int> bits) const;

  private:
    const PartsOfFile& parts(std::span<const int> bits) const;

    const net::Graph& graph_;
    const plan::Network& network_;
    onnx::Storage storage_;
    mutable MeasuredLayers measured_;
    PartsOfFile whole_;  // where nothing is gone
    mutable std::map<std::vector<bool>, std::unique_ptr<const PartsOfFile>> known_;
};

}  // namespace adiabat::apply
