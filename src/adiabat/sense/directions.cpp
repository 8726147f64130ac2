// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/directions.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::sense {

namespace {

constexpr uint32_t kStream = 0xD19E;

// sqrt of softmax(z / T).
std::vector<double> root_probabilities(std::span<const float> z, double temperature) {
    const double top = static_cast<double>(*std::max_element(z.begin(), z.end()));
    std::vector<double> p;
    double sum = 0;
    for (float score : z) {
        p.push_back(std::exp((static_cast<double>(score) - top) / temperature));
        sum += p.back();
    }
    for (double& x : p) x = std::sqrt(x / sum);
    return p;
}

// Column j, below the last, of the reflection that takes the last unit vector to -v (|v| = 1, all
// entries positive): orthonormal, and orthogonal to v.
void basis_column(const std::vector<double>& v, size_t j, std::span<float> to) {
    // w = v + e_last, H = 1 - 2 w w' / |w|^2 with |w|^2 = 2 (1 + v_last).
    const double factor = v[j] / (1 + v.back());
    for (size_t k = 0; k < v.size(); ++k) {
        const double w = v[k] + (k + 1 == v.size() ? 1 : 0);
        to[k] = static_cast<float>((k == j ? 1 : 0) - factor * w);
    }
}

float random_sign(Random& random) { return (random() & 1) != 0 ? 1.0f : -1.0f; }

}  // namespace

Directions::Directions(std::span<const net::Tensor> sample, const DirectionOptions& how)
    : options(how) {
    ADIABAT_CHECK(!sample.empty(), "a network without outputs");
    are_scores = sample.size() == 1 && sample[0].rank() == 2 && sample[0].shape[1] >= 2;
    const int64_t classes = are_scores ? sample[0].shape[1] : 0;
    are_exact = are_scores && (how.count > 0 ? how.count >= classes - 1 : classes <= kMostExact);
    if (are_exact) {
        count = static_cast<int>(classes - 1);
    } else {
        count = how.count > 0 ? how.count : kSampled;
    }
    for (const net::Tensor& output : sample) {
        const auto values = output.as<float>();
        double sum = 0, squares = 0;
        for (float x : values) sum += static_cast<double>(x);
        const double mean = values.empty() ? 0 : sum / static_cast<double>(values.size());
        for (float x : values)
            squares += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
        const double variance = values.empty() ? 0 : squares / static_cast<double>(values.size());
        const int64_t images = output.shape.empty() ? 1 : output.shape[0];
        const auto elements =
            static_cast<double>(std::max<int64_t>(1, output.size() / std::max<int64_t>(1, images)));
        units.push_back(variance > 0 ? 1 / std::sqrt(variance * elements) : 1.0);
    }
}

std::vector<std::vector<net::Tensor>> Directions::seeds(std::span<const net::Tensor> outputs,
                                                        int64_t first_image) const {
    std::vector<std::vector<net::Tensor>> result(static_cast<size_t>(count));
    for (auto& set : result) {
        for (const net::Tensor& output : outputs)
            set.emplace_back(net::DType::kFloat, output.shape);
    }
    const double share = 1 / std::sqrt(static_cast<double>(count));
    for (size_t o = 0; o < outputs.size(); ++o) {
        const int64_t images = outputs[o].shape.at(0);
        const auto row = static_cast<size_t>(images > 0 ? outputs[o].size() / images : 0);
        for (int64_t n = 0; n < images; ++n) {
            const size_t begin = static_cast<size_t>(n) * row;
            std::vector<double> root;
            if (are_scores) {
                root = root_probabilities(outputs[o].as<float>().subspan(begin, row),
                                          options.temperature);
            }
            Random random(derived_seed(options.seed, kStream, static_cast<uint32_t>(o)), kStream,
                          static_cast<uint32_t>(first_image + n));
            for (size_t j = 0; j < result.size(); ++j) {
                const std::span<float> to = result[j][o].as<float>().subspan(begin, row);
                if (are_exact) {
                    basis_column(root, j, to);
                } else {
                    for (float& x : to) x = random_sign(random);
                }
                if (are_scores && !are_exact) {
                    double along = 0;
                    for (size_t k = 0; k < row; ++k) along += static_cast<double>(to[k]) * root[k];
                    for (size_t k = 0; k < row; ++k)
                        to[k] = static_cast<float>(share *
                                                   (static_cast<double>(to[k]) - along * root[k]));
                }
                for (size_t k = 0; k < row; ++k) {
                    const double factor = are_scores ? root[k] : share * units[o];
                    to[k] = static_cast<float>(factor * static_cast<double>(to[k]));
                }
            }
        }
    }
    return result;
}

recon::Rows along_seeds(const std::vector<std::vector<net::Tensor>>& seeds,
                        std::span<const net::Tensor> from, std::span<const net::Tensor> to) {
    const int64_t images = from[0].shape[0];
    const auto directions = std::ssize(seeds);
    recon::Rows result = recon::Rows::Zero(images * directions, 1);
    for (size_t o = 0; o < from.size(); ++o) {
        const int64_t size = from[o].size() / images;
        const auto of_image = [&](const net::Tensor& tensor, int64_t n) {
            return Eigen::Map<const Eigen::VectorXf>(tensor.as<float>().data() + n * size, size);
        };
        for (int64_t n = 0; n < images; ++n) {
            const Eigen::VectorXf change = of_image(to[o], n) - of_image(from[o], n);
            for (int64_t j = 0; j < directions; ++j) {
                result(n * directions + j, 0) +=
                    of_image(seeds[static_cast<size_t>(j)][o], n).dot(change);
            }
        }
    }
    return result;
}

net::ValueId behind_softmax(const net::Graph& graph, net::ValueId output) {
    const net::Uses uses(graph);
    for (int producer = uses.producer(output); producer >= 0; producer = uses.producer(output)) {
        const net::Node& node = graph.nodes[static_cast<size_t>(producer)];
        const bool is_behind =
            node.domain.empty() &&
            (node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "Cast");
        if (!is_behind || !net::is_real(graph.value(node.inputs[0]).type)) break;
        output = node.inputs[0];
    }
    return output;
}

std::vector<net::ValueId> sensed_outputs(const net::Graph& graph) {
    std::vector<net::ValueId> result;
    for (net::ValueId output : graph.outputs) {
        output = behind_softmax(graph, output);
        if (graph.value(output).type == net::DType::kFloat) result.push_back(output);
    }
    if (result.empty()) {
        throw InputError(
            "the network has no output of real numbers: nothing can be sensed (--hamiltonian l1 "
            "decides from the weights alone)");
    }
    return result;
}

}  // namespace adiabat::sense
