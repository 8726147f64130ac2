// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan carried out and judged: the bytes of the file that it becomes, and what that file does.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/subject.h"

namespace adiabat::pipeline {

// Images that a plan is calibrated with, of those that sense: reconstruction gains little from
// more, and holds their activations in memory.
inline constexpr int64_t kCalibrationImages = 1024;

// Cut, quantized, reconstructed, encoded: the ONNX file, of exactly the bytes that the costs say.
std::vector<uint8_t> apply_plan(const Subject& subject, const plan::Plan& plan,
                                const net::Tensor& sensing, StopToken stop, ProgressSink& progress);

// What a written network does on the judging images, against the original.
struct Judgement {
    bool is_classifier = false;
    // KL(original || written) in nats, or the relative squared error: what plans are ranked by.
    double divergence = 0;
    double tempered = 0;   // the divergence at the Judge's temperature; the same for others
    double agreement = 0;  // share of equal answers, of classifiers
    bool has_labels = false;
    double top1_before = 0, top1_after = 0;  // shares

    Json to_json(int64_t images, size_t file_bytes) const;
};

class Judge {
  public:
    // Runs the original once. The temperature is that of sensing.
    Judge(const Subject& subject, const Images& images, double temperature, StopToken stop);

    // Reads the file back, as anybody would; `name` is for messages.
    Judgement judge(std::span<const uint8_t> file, const std::string& name, StopToken stop,
                    ProgressSink& progress) const;
    // The same on so many threads.
    Judgement judge(std::span<const uint8_t> file, const std::string& name, int threads,
                    StopToken stop, ProgressSink& progress) const;

  private:
    const Subject& subject_;
    const Images& images_;
    double temperature_;
    net::Tensor expected_;
};

struct Written {
    std::vector<uint8_t> file;
    Judgement judgement;
};

// Plans applied and judged, several at once where there is more than one thread and the activations
// of as many networks take no more than kMostBytesAtOnce: one network alone keeps few threads busy.
// The results do not depend on how many.
inline constexpr int64_t kMostBytesAtOnce = int64_t{5} << 28;
std::vector<Written> carry_out(const Subject& subject, const Judge& judge,
                               std::span<const plan::Plan> plans, const net::Tensor& sensing,
                               StopToken stop, ProgressSink& progress);

// The plan layer by layer, for documents, and how many groups go.
Json plan_to_json(const plan::Network& network, const plan::Plan& plan);
Json groups_to_json(const plan::Network& network, const plan::Plan& plan);

}  // namespace adiabat::pipeline
