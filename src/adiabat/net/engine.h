// SPDX-License-Identifier: Apache-2.0
#pragma once

// Engine: the interface through which anyone runs a network. Plain buffers in and out; the
// implementation (LibTorch, in `torch/`) is a plug-in that pipeline loads on first use.
//
// A session holds one graph. A run feeds some values and fetches others: only the nodes between
// them are evaluated, so that capturing an activation is fetching it, and re-running a suffix is
// feeding what stands before it. Float graphs are evaluated in float32. Quantized graphs
// (QuantizeLinear / DequantizeLinear around an operator) are evaluated as the runtime's integer
// kernels do: exact integer sums, one float multiplication, rounding half to even, saturation; so a
// code differs from the runtime's by one at most.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/net/tensor.h"

namespace adiabat::net {

struct EngineOptions {
    int threads = 0;  // 0: as many as there are cores
};

// A value and what it holds. All fed values and fetched ones have the same leading dimension, the
// batch, unless they are constants.
struct Feed {
    ValueId value = kNoValue;
    const Tensor* tensor = nullptr;
};

struct Gradients {
    std::vector<Tensor> fetched;    // the values of the outputs whose gradient was seeded
    std::vector<Tensor> gradients;  // one a requested value, of that value's shape
};

struct ManyGradients {
    std::vector<Tensor> fetched;                 // the values asked for besides
    std::vector<std::vector<Tensor>> gradients;  // [j][k]: of seeds[j], at wanted[k]
};

// Seeds that depend on what the outputs are: from the outputs of images first, first + 1 .. their
// seeds, of the same shapes. Called from several threads at once, for different images.
using SeedMaker =
    std::function<std::vector<Tensor>(std::span<const Tensor> outputs, int64_t first)>;

class Session {
  public:
    virtual ~Session() = default;

    // The graph as it was opened.
    virtual const Graph& graph() const = 0;

    // Evaluates what `fetches` need from `feeds`; returns them in order. The batch is the leading
    // dimension of the feeds; it is worked through in slices on all threads, the result is
    // independent of their number. Throws InputError where a needed input is not fed or has another
    // shape than the graph says.
    virtual std::vector<Tensor> run(std::span<const Feed> feeds,
                                    std::span<const ValueId> fetches) = 0;

    // Backward pass: d (sum over outputs o of <seeds[o], o>) / d wanted, for every wanted value (an
    // activation between feeds and outputs, a feed, or a float constant, whose gradient is summed
    // over the batch). Quantizing nodes pass the gradient straight through where the code is not
    // saturated, and nothing where it is (a ReLU absorbed by a zero point of 0 needs that).
    // seeds[k] has the shape of outputs[k].
    virtual Gradients gradients(std::span<const Feed> feeds, std::span<const ValueId> outputs,
                                std::span<const Tensor> seeds, std::span<const ValueId> wanted) = 0;

    // The same with seeds made of the outputs on the way, which are float: a loss that is a sum
    // over images, in one forward and one backward pass.
    virtual Gradients gradients_of_loss(std::span<const Feed> feeds,
                                        std::span<const ValueId> outputs, const SeedMaker& seeds,
                                        std::span<const ValueId> wanted) = 0;

    // The same for many sets of seeds over one forward pass: gradients[j][k] is what gradients()
    // gives for seeds[j] at wanted[k]. seeds[j][k] has the shape of outputs[k]; `fetches` are any
    // values, constants too, returned besides. All of seeds x wanted is held until it returns, so
    // feed a batch that one can afford; of activations, only those of the slices being worked on.
    // Tensors of `reuse`, an earlier result, are overwritten where their shapes fit: memory new to
    // the process is a good part of the time.
    virtual ManyGradients gradients_of_many(std::span<const Feed> feeds,
                                            std::span<const ValueId> outputs,
                                            std::span<const std::vector<Tensor>> seeds,
                                            std::span<const ValueId> wanted,
                                            std::span<const ValueId> fetches,
                                            ManyGradients reuse = {}) = 0;

    // Replaces a constant of the graph for the runs that follow; type and shape must be the same.
    virtual void set_constant(ValueId id, const Tensor& tensor) = 0;
};

class Engine {
  public:
    virtual ~Engine() = default;

    virtual std::string name() const = 0;  // "LibTorch 1.13.1"

    // The operators it can run, sorted.
    virtual std::vector<std::string> operators() const = 0;

    // Prepares a graph, whose shapes have been inferred. Throws InputError that names every
    // operator of the graph it cannot run, all at once.
    virtual std::unique_ptr<Session> open(const Graph& graph, const EngineOptions& options) = 0;
};

// What the plug-in exports under the name kEngineEntry, as `extern "C"`. The caller owns the
// result. `abi` is the caller's kEngineAbi; the plug-in returns null where it was built for
// another.
inline constexpr int kEngineAbi = 3;
inline constexpr const char* kEngineEntry = "adiabat_make_engine";
using EngineFactory = Engine* (*)(int abi);

}  // namespace adiabat::net
