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
    result.judging_rows = split.judging;
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

}  // namespace adiabat::pipeline
