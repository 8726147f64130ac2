// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/outputs.h"

#include <algorithm>
#include <cmath>

#include "adiabat/net/cast.h"
#include "adiabat/sense/directions.h"

namespace adiabat::pipeline {

namespace {

std::span<const float> row(const net::Tensor& tensor, int64_t n) {
    const auto width = static_cast<size_t>(tensor.size() / tensor.shape[0]);
    return tensor.as<float>().subspan(static_cast<size_t>(n) * width, width);
}

// Natural logarithms of the softmax.
std::vector<double> log_softmax(std::span<const float> scores, double temperature) {
    const double largest = static_cast<double>(*std::max_element(scores.begin(), scores.end()));
    double sum = 0;
    for (float score : scores)
        sum += std::exp((static_cast<double>(score) - largest) / temperature);
    std::vector<double> logs;
    for (float score : scores)
        logs.push_back((static_cast<double>(score) - largest) / temperature - std::log(sum));
    return logs;
}

}  // namespace

net::Tensor run_network(net::Session& session, const net::Tensor& images, int64_t batch,
                        StopToken stop, ProgressSink& progress) {
    const net::Graph& graph = session.graph();
    net::ValueId output = graph.outputs[0];
    if (const auto& shape = graph.value(output).shape; shape && shape->size() == 2)
        output = sense::behind_softmax(graph, output);
    const std::vector<net::ValueId> fetches = {output};
    net::Tensor all;
    for (int64_t begin = 0; begin < images.shape[0]; begin += batch) {
        if (stop.requested()) throw Interrupted();
        const net::Tensor part =
            net::as_type(net::rows_of(images, begin, std::min(batch, images.shape[0] - begin)),
                         graph.value(graph.inputs[0]).type);
        const std::vector<net::Feed> feeds = {{graph.inputs[0], &part}};
        net::Tensor outputs =
            net::as_type(std::move(session.run(feeds, fetches)[0]), net::DType::kFloat);
        if (outputs.shape.empty() || outputs.shape[0] != part.shape[0]) {
            throw InputError("output {} is {} for {} images: its first dimension must be the batch",
                             graph.value(graph.outputs[0]).name, net::to_string(outputs.shape),
                             part.shape[0]);
        }
        if (begin == 0) {
            all = std::move(outputs);
        } else {
            all.shape[0] += outputs.shape[0];
            all.bytes.insert(all.bytes.end(), outputs.bytes.begin(), outputs.bytes.end());
        }
        progress.update(static_cast<uint64_t>(begin + part.shape[0]));
    }
    return all;
}

bool is_classifier(const net::Tensor& outputs) {
    return outputs.shape.size() == 2 && outputs.shape[1] >= 2;
}

std::vector<int32_t> predictions(const net::Tensor& logits) {
    std::vector<int32_t> result;
    for (int64_t n = 0; n < logits.shape[0]; ++n) {
        const auto scores = row(logits, n);
        result.push_back(
            static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
    }
    return result;
}

double share_equal(std::span<const int32_t> a, std::span<const int32_t> b) {
    ADIABAT_CHECK(a.size() == b.size() && !a.empty(), "{} entries and {}", a.size(), b.size());
    size_t equal = 0;
    for (size_t k = 0; k < a.size(); ++k) equal += a[k] == b[k];
    return static_cast<double>(equal) / static_cast<double>(a.size());
}

double mean_divergence(const net::Tensor& reference, const net::Tensor& logits,
                       double temperature) {
    ADIABAT_CHECK(reference.shape == logits.shape, "logits of {} and {}",
                  net::to_string(reference.shape), net::to_string(logits.shape));
    double sum = 0;
    for (int64_t n = 0; n < logits.shape[0]; ++n) {
        const auto p = log_softmax(row(reference, n), temperature),
                   q = log_softmax(row(logits, n), temperature);
        for (size_t k = 0; k < p.size(); ++k) sum += std::exp(p[k]) * (p[k] - q[k]);
    }
    return sum / static_cast<double>(logits.shape[0]);
}

double relative_squared_error(const net::Tensor& reference, const net::Tensor& outputs) {
    ADIABAT_CHECK(reference.shape == outputs.shape, "outputs of {} and {}",
                  net::to_string(reference.shape), net::to_string(outputs.shape));
    const auto a = reference.as<float>(), b = outputs.as<float>();
    double mean = 0, square = 0, error = 0;
    for (float x : a) mean += static_cast<double>(x) / static_cast<double>(a.size());
    for (size_t k = 0; k < a.size(); ++k) {
        const double x = static_cast<double>(a[k]), difference = x - static_cast<double>(b[k]);
        square += (x - mean) * (x - mean);
        error += difference * difference;
    }
    return square > 0 ? error / square : error;
}

}  // namespace adiabat::pipeline
