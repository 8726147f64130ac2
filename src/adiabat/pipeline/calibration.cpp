// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/calibration.h"

#include "adiabat/data/split.h"

namespace adiabat::pipeline {

Calibration read_calibration(const Subject& subject, const DrawOptions& options, StopToken stop,
                             ProgressSink& progress) {
    const auto source =
        open_images(options.data, data::Split::kTrain, subject.model(), subject.options().threads);
    BrokenFiles broken(*source, options.data, stop, progress);
    const data::CalibrationSplit split = data::draw_split(
        source->size(), options.images, options.judging_share, options.seed, broken.finder());
    broken.say();
    const auto read = [&](std::string_view stage, std::span<const int64_t> rows) {
        progress.begin(stage, rows.size(), "images");
        return read_images(*source, rows, options.data.preprocess, subject.model(), stop, progress);
    };
    Calibration result;
    result.sensing = read("calibration data", split.sensing);
    result.judging = read("judging data", split.judging);
    result.document = {{"path", options.data.path.string()},
                       {"part", data::name_of(source->part())},
                       {"calibration_images", result.sensing.size()},
                       {"calibration_sha256", result.sensing.sha256},
                       {"judging_images", result.judging.size()},
                       {"judging_sha256", result.judging.sha256},
                       {"preprocess", data::to_json(options.data.preprocess)}};
    if (options.data.skip_broken) result.document["left_out"] = broken.left_out();
    return result;
}

net::Tensor some_images(const net::Tensor& pixels, int64_t begin, int64_t count) {
    net::Shape shape = pixels.shape;
    const int64_t all = shape.at(0), row = all > 0 ? pixels.size() / all : 0;
    ADIABAT_CHECK(begin >= 0 && count >= 0 && begin + count <= all, "images {} .. {} of {}", begin,
                  begin + count, all);
    shape[0] = count;
    return net::Tensor::of<float>(
        shape, pixels.as<float>().subspan(static_cast<size_t>(begin) * static_cast<size_t>(row),
                                          static_cast<size_t>(count) * static_cast<size_t>(row)));
}

}  // namespace adiabat::pipeline
