// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/evaluate.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp =
    "Accuracy and speed on a data set, and the difference from a reference network";
constexpr const char* kFooter =
    "Of a set with a training and a test part the test part is read. Quantized networks run on "
    "exact\n"
    "integer sums, as in ONNX Runtime.\n"
    "Example: adiabat eval small.onnx --reference net.onnx --data cifar-10-batches-bin \\\n"
    "             --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --scale 1/255\n"
    "         adiabat eval resnet50.onnx --data imagenet --resize 256 --crop 224 \\\n"
    "             --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --scale 1/255";

void print_run(const std::string& name, const Json& run) {
    fmt::print("{}: {} images, {:.2f} s, {:.0f} images/s", name, run["images"].get<int64_t>(),
               run["seconds"].get<double>(), run["images_per_second"].get<double>());
    if (run.contains("top1")) fmt::print(", top-1 {}", percent(run["top1"].get<double>()));
    fmt::print("\n");
}

void print(const Json& d) {
    print_run(d["model"]["path"].get<std::string>(), d["result"]);
    if (!d.contains("reference")) return;
    const Json& reference = d["reference"];
    print_run(reference["model"]["path"].get<std::string>(), reference["result"]);
    if (reference.contains("agreement")) {
        fmt::print("same answer as the reference on {}, KL divergence {:.5f}\n",
                   percent(reference["agreement"].get<double>()),
                   reference["divergence"].get<double>());
    } else {
        fmt::print("relative squared error {:.3e}\n",
                   reference["relative_squared_error"].get<double>());
    }
}

}  // namespace

void add_eval(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("eval", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::EvaluateOptions>();
    auto data = std::make_shared<DataArguments>();
    auto reference = std::make_shared<std::string>();
    auto images = std::make_shared<int64_t>(0);
    auto seed = std::make_shared<uint64_t>(0);
    verb->add_option("MODEL", options->model, "The network (.onnx), float or quantized")
        ->required();
    verb->add_option("--reference", *reference, "Another network to compare its outputs with");
    verb->add_option("--images", *images, "Only the first so many")->check(CLI::PositiveNumber);
    verb->add_option("--batch", options->batch, "Images a run")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    add_data_options(*verb, *data);
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    add_seed_option(*verb, *seed);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->data = data->options();
            if (!reference->empty()) options->reference = *reference;
            if (*images > 0) options->images = *images;
            show(frame, pipeline::evaluate(*options, frame.stop, *frame.progress), print);
        };
    });
}

}  // namespace adiabat::cli
