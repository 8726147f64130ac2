// SPDX-License-Identifier: Apache-2.0
#pragma once

// A written network as training sees it, and trained numbers as the written network has them.
//
// Trained are, of every Conv, ConvTranspose, Gemm and MatMul with a weight of its own, the weight,
// its scales where it is coded, and the bias; and the scales of coded activations. In the training
// graph weights and biases are float constants: what the codes decode to. They are the rounded
// values of float weights that are kept outside and trained (learned_scale.h); gradients pass
// through the graph's QuantizeLinear where codes do not saturate. Zero points, bit widths and the
// filters that are there stay as they are.
//
// Units (descent.h): of a weight the root mean square of its filter, so that steps are the same
// share of weights in whatever layer a folded batch norm has put its factors; of a bias the norm
// |w_f|; of a scale the scale.
//
// Back in the file: codes are rounded, biases in units of input scale x weight scale; each number
// stands where one stood before, so that the file has the same bytes but for these. O(parameters).
//
// Source: S. Esser et al. (ICLR 2020) on learned scales; T. Salimans and D. Kingma, "Weight
// normalization" (NeurIPS 2016), on steps that are shares of filters.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/net/graph.h"
#include "adiabat/tune/descent.h"
#include "adiabat/tune/learned_scale.h"

namespace adiabat::tune {

struct StudentOptions {
    bool scales = true;       // of weights are learned
    bool activations = true;  // so are those of activations
};

class Student {
  public:
    // `written` as it was read from its file, `network` the same simplified (net/simplify.h).
    // Throws InputError where no weight is coded, or codes are stored otherwise than
    // onnx/self_decoding.h writes them.
    Student(net::Graph written, net::Graph network, const StudentOptions& options = {});

    const net::Graph& network() const { return network_; }    // as given: codes, integer kernels
    const net::Graph& training() const { return training_; }  // float weights and biases
    const std::vector<std::string>& names() const { return names_; }  // of the trained layers

    // All that is trained, as the file has it.
    const std::vector<Block>& start() const { return start_; }

    // Makes a session on training() compute with these numbers.
    void load(std::span<const Block> blocks, net::Session& session) const;
    // The constants of training() whose gradients are needed, and what those are for the blocks.
    std::vector<net::ValueId> wanted() const;
    std::vector<std::vector<float>> gradients(std::span<const Block> blocks,
                                              std::vector<net::Tensor> of_wanted) const;

    // Makes a session on network() compute what the written file will, to the bit.
    void store(std::span<const Block> blocks, net::Session& session) const;
    // The graph to write.
    net::Graph written(std::span<const Block> blocks) const;

  private:
    static constexpr size_t kNone = ~size_t{0};

    // A weight or a bias. Values are of network_, `trained` of training_; blocks by number.
    struct Parameter {
        net::ValueId trained = net::kNoValue;
        net::ValueId codes = net::kNoValue;   // or the float constant
        net::ValueId scales = net::kNoValue;  // kNoValue where it is float
        Grid grid;
        int zero_point = 0;
        size_t values_block = kNone, scales_block = kNone;
    };
    struct Layer {
        Parameter weight, bias;  // the bias' trained is kNoValue where there is none
        net::ValueId input_scale = net::kNoValue;  // in units of which and the weight's a bias is
        size_t input_block = kNone;
    };
    struct Activation {
        net::ValueId scale = net::kNoValue, trained = net::kNoValue;
        size_t block = kNone;
    };
    struct Changed {
        net::ValueId id = net::kNoValue;  // of network_
        net::Tensor tensor;
    };

    class Finder;

    std::vector<float> rounded(const Parameter& weight, std::span<const Block> blocks) const;
    void change_weight(const Parameter& weight, std::span<const Block> blocks,
                       std::vector<Changed>& to) const;
    void change_bias(const Layer& layer, std::span<const Block> blocks,
                     std::vector<Changed>& to) const;
    std::vector<Changed> changed(std::span<const Block> blocks) const;

    net::Graph written_, network_, training_;
    std::vector<Layer> layers_;
    std::vector<Activation> activations_;
    std::vector<std::string> names_;
    std::vector<Block> start_;
};

}  // namespace adiabat::tune
