// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/finetune.h"

#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Train a compressed network to give what the original gives";
constexpr const char* kFooter =
    "MODEL is a file that adiabat compress wrote. Its weights, their scales and those of the "
    "activations\n"
    "are trained, rounded as the file has them; what was cut stays cut, and the file keeps its "
    "size.\n"
    "Labels are not needed. Of a set with a training and a test part the training part is read; "
    "some of\n"
    "its images are held out and choose the epoch that is kept. The result is never worse there "
    "than\n"
    "MODEL: else it is MODEL. A run that was killed or interrupted goes on with the same command.\n"
    "Example: adiabat finetune small.onnx --teacher net.onnx --data cifar-10-batches-bin \\\n"
    "             --preprocess net.json --epochs 8 -o tuned.onnx";

std::string number(const Json& json, const char* name, double factor = 1) {
    if (!json.contains(name)) return "";
    const double value = factor * json[name].get<double>();
    return factor == 1 ? fmt::format("{:.4g}", value) : fmt::format("{:.2f}", value);
}

void print(const Json& d) {
    const Json& training = d["training"];
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](const std::string& name, const std::string& loss, const Json& held_out,
                         const std::string& seconds) {
        const auto share = [&](const char* member) {
            return held_out.contains(member) ? percent(held_out[member].get<double>()) : "";
        };
        rows.push_back({name, loss, number(held_out, "loss"), number(held_out, "divergence"),
                        share("agreement"), share("top1"), seconds});
    };
    add("start", "", training["start"], "");
    const auto kept = training["kept"].get<size_t>();
    size_t k = 0;
    for (const Json& epoch : training["epochs"]) {
        ++k;
        add(fmt::format("epoch {}{}", k, k == kept ? ", kept" : ""), number(epoch, "loss"),
            epoch["held_out"], fmt::format("{:.1f}", epoch["seconds"].get<double>()));
    }
    print_table(
        {{"", false}, {"loss"}, {"held out"}, {"KL"}, {"same answer"}, {"top-1"}, {"seconds"}},
        rows);
    fmt::print("\n{} images trained {} layers, {} were held out\n",
               format_count(training["images"].get<int64_t>()), training["layers"].get<int64_t>(),
               format_count(training["held_out_images"].get<int64_t>()));
    const std::string ending = training["ending"].get<std::string>();
    if (ending == "diverged") fmt::print("training diverged: a lower --rate would help\n");
    if (ending == "interrupted") fmt::print("interrupted: the same command goes on\n");
    if (kept == 0)
        fmt::print("no epoch was better than the start: the start is what was written\n");
    fmt::print("wrote {} ({} bytes) and {} in {:.1f} s; accuracy on test images: adiabat eval\n",
               d["output"]["path"].get<std::string>(),
               format_count(d["output"]["bytes"].get<int64_t>()), d["run"].get<std::string>(),
               d["seconds"].get<double>());
}

void add_training_options(CLI::App& verb, pipeline::FinetuneOptions& options) {
    const std::string group = "Training";
    tune::DistillOptions& how = options.tuning.distill;
    verb.add_option("--epochs", how.epochs, "Times that all training images are gone through")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    verb.add_option("--batch", how.batch, "Images a step")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--rate", how.descent.rate, "The highest learning rate")
        ->check(CLI::Range(1e-9, 1e9))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--warm-up", how.descent.warm_up,
                    "Share of the steps in which the rate rises; then it falls along a cosine")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--momentum", how.descent.first,
                    "Share of the mean gradient that stays at each step")
        ->check(CLI::Range(0.0, 0.9999))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--clip", how.descent.clip, "Largest norm of a gradient; 0: any")
        ->check(CLI::Range(0.0, 1e9))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--temperature", how.objective.temperature,
                    "At which the scores of classes are compared")
        ->check(CLI::Range(0.01, 1000.0))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--label-weight", how.objective.label_weight,
                    "Weight of the labels' cross entropy beside the teacher's scores")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--patience", how.patience,
                    "End after so many epochs that were not better; 0: never")
        ->check(CLI::Range(0, 100000))
        ->capture_default_str()
        ->group(group);
    verb.add_option("--pad", options.tuning.pad,
                    "Shift images at random by up to so many pixels; 0: not; an eighth of the "
                    "shorter side if not given")
        ->check(CLI::Range(0, 1024))
        ->group(group);
    verb.add_flag("!--no-flip", how.augmentation.flip, "Do not mirror images at random")
        ->group(group);
    verb.add_flag("!--keep-scales", options.tuning.student.scales,
                  "Weights keep their scales, which are learned otherwise")
        ->group(group);
    verb.add_flag("!--keep-ranges", options.tuning.student.activations, "Activations keep theirs")
        ->group(group);
}

}  // namespace

void add_finetune(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("finetune", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::FinetuneOptions>();
    auto data = std::make_shared<DataArguments>();
    auto run_file = std::make_shared<std::string>();
    auto images = std::make_shared<int64_t>(0);
    verb->add_option("MODEL", options->model, "The compressed network (.onnx)")->required();
    verb->add_option("--teacher", options->teacher, "The original float network (.onnx)")
        ->required();
    verb->add_option("-o,--output", options->output, "The network to write (.onnx)")->required();
    verb->add_option("--run", *run_file,
                     "The document of the run; run.json beside the output if not given (where that "
                     "is one of compress, the output's name with .run.json)");
    verb->add_option("--images", *images, "Images drawn from the data; all if not given")
        ->check(CLI::Range(int64_t{2}, int64_t{1} << 32));
    verb->add_option("--held-out", options->held_out_share,
                     "Share of them that is held out and chooses the epoch")
        ->capture_default_str();
    verb->add_option("--cache", options->tuning.cache,
                     "Folder of the checkpoint; that of the output if not given");
    add_training_options(*verb, *options);
    add_data_options(*verb, *data);
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    add_seed_option(*verb, options->seed);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->data = data->options();
            options->command = frame.command;
            if (!run_file->empty()) options->run_file = *run_file;
            if (*images > 0) options->images = *images;
            const Json document = pipeline::finetune(*options, frame.stop, *frame.progress);
            frame.partial = document["training"]["ending"] == "interrupted";
            show(frame, document, print);
        };
    });
}

}  // namespace adiabat::cli
