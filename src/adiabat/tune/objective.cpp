// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/objective.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"

namespace adiabat::tune {

namespace {

struct Softmax {
    std::vector<double> probabilities, logs;
};

Softmax softmax(std::span<const float> scores, double temperature) {
    const auto top = static_cast<double>(*std::max_element(scores.begin(), scores.end()));
    Softmax result;
    double sum = 0;
    for (float score : scores) {
        result.logs.push_back((static_cast<double>(score) - top) / temperature);
        sum += std::exp(result.logs.back());
    }
    for (double& x : result.logs) {
        x -= std::log(sum);
        result.probabilities.push_back(std::exp(x));
    }
    return result;
}

std::span<const float> row(const net::Tensor& tensor, int64_t n) {
    const auto width = static_cast<size_t>(tensor.size() / tensor.shape[0]);
    return tensor.as<float>().subspan(static_cast<size_t>(n) * width, width);
}

double divergence(const Softmax& p, const std::vector<double>& logs) {
    double sum = 0;
    for (size_t k = 0; k < logs.size(); ++k) {
        if (p.probabilities[k] > 0) sum += p.probabilities[k] * (p.logs[k] - logs[k]);
    }
    return sum;
}

size_t label_of(std::span<const int32_t> labels, int64_t n) {
    ADIABAT_CHECK(n < std::ssize(labels), "{} labels", labels.size());
    return static_cast<size_t>(labels[static_cast<size_t>(n)]);
}

double variance(std::span<const float> values) {
    double mean = 0, sum = 0;
    for (float x : values) mean += static_cast<double>(x) / static_cast<double>(values.size());
    for (float x : values) sum += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Mean T^2 divergence of the sample's probabilities from their mean.
double of_mean_probabilities(const net::Tensor& scores, double temperature) {
    const int64_t images = scores.shape[0];
    std::vector<Softmax> all;
    std::vector<double> logs(static_cast<size_t>(scores.shape[1]), 0.0);
    for (int64_t n = 0; n < images; ++n) {
        all.push_back(softmax(row(scores, n), temperature));
        for (size_t k = 0; k < logs.size(); ++k) {
            logs[k] += all.back().probabilities[k] / static_cast<double>(images);
        }
    }
    for (double& x : logs) x = std::log(x);
    double sum = 0;
    for (const Softmax& p : all) sum += divergence(p, logs);
    return temperature * temperature * sum / static_cast<double>(images);
}

}  // namespace

Objective::Objective(std::span<const net::Tensor> sample, const ObjectiveOptions& options)
    : options_(options) {
    ADIABAT_CHECK(!sample.empty(), "a network without outputs");
    for (const net::Tensor& output : sample) {
        ADIABAT_CHECK(output.size() > 0, "an output is empty");
        are_scores_.push_back(output.rank() == 2 && output.shape[1] >= 2);
        const double spread = variance(output.as<float>());
        variances_.push_back(spread > 0 ? spread : 1);
        of_nothing_ +=
            are_scores_.back() ? of_mean_probabilities(output, options.temperature) : 1.0;
    }
}

double Objective::loss(std::span<const net::Tensor> outputs, std::span<const net::Tensor> targets,
                       std::span<const int32_t> labels) const {
    const double t = options_.temperature, a = options_.label_weight;
    double total = 0;
    for (size_t o = 0; o < outputs.size(); ++o) {
        ADIABAT_CHECK(outputs[o].shape == targets[o].shape, "outputs of {} and {}",
                      net::to_string(outputs[o].shape), net::to_string(targets[o].shape));
        double sum = 0;
        if (!are_scores_[o]) {
            const auto z = outputs[o].as<float>(), y = targets[o].as<float>();
            for (size_t k = 0; k < z.size(); ++k) {
                const double error = static_cast<double>(z[k]) - static_cast<double>(y[k]);
                sum += error * error;
            }
            total += sum / (variances_[o] * static_cast<double>(z.size()));
            continue;
        }
        const int64_t images = outputs[o].shape[0];
        for (int64_t n = 0; n < images; ++n) {
            const auto z = row(outputs[o], n);
            sum += (1 - a) * t * t * divergence(softmax(row(targets[o], n), t), softmax(z, t).logs);
            if (a > 0) sum -= a * softmax(z, 1).logs.at(label_of(labels, n));
        }
        total += sum / static_cast<double>(images);
    }
    return total;
}

std::vector<net::Tensor> Objective::gradient(std::span<const net::Tensor> outputs,
                                             std::span<const net::Tensor> targets,
                                             std::span<const int32_t> labels,
                                             int64_t images) const {
    const double t = options_.temperature, a = options_.label_weight;
    const double share = 1 / static_cast<double>(images);
    std::vector<net::Tensor> result;
    for (size_t o = 0; o < outputs.size(); ++o) {
        result.emplace_back(net::DType::kFloat, outputs[o].shape);
        const std::span<float> to = result.back().as<float>();
        const int64_t count = outputs[o].shape.at(0);
        if (!are_scores_[o]) {
            const auto z = outputs[o].as<float>(), y = targets[o].as<float>();
            const double factor = 2 * share * static_cast<double>(count) /
                                  (variances_[o] * static_cast<double>(z.size()));
            for (size_t k = 0; k < z.size(); ++k) {
                to[k] = static_cast<float>(factor *
                                           (static_cast<double>(z[k]) - static_cast<double>(y[k])));
            }
            continue;
        }
        size_t at = 0;
        for (int64_t n = 0; n < count; ++n) {
            const auto z = row(outputs[o], n);
            const auto p = softmax(row(targets[o], n), t).probabilities;
            const auto q = softmax(z, t).probabilities;
            const auto plain = a > 0 ? softmax(z, 1).probabilities : q;
            const size_t label = a > 0 ? label_of(labels, n) : z.size();
            for (size_t k = 0; k < z.size(); ++k, ++at) {
                const double of_label = plain[k] - (k == label ? 1 : 0);
                to[at] = static_cast<float>(share * ((1 - a) * t * (q[k] - p[k]) + a * of_label));
            }
        }
    }
    return result;
}

}  // namespace adiabat::tune
