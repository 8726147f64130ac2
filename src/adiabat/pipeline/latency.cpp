// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/latency.h"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>

#include "adiabat/base/child_process.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"

namespace adiabat::pipeline {

namespace {

constexpr double kProbeSeconds = 60, kMostSeconds = 600;

// What lies in the current folder is not what is to be imported.
constexpr const char* kProbe = R"py(
import sys
sys.path[:] = [p for p in sys.path if p]
import numpy, onnxruntime
print(onnxruntime.__version__)
)py";

constexpr const char* kMeasure = R"py(
import sys
sys.path[:] = [p for p in sys.path if p]
import json, statistics, time
import numpy, onnxruntime

files, shape, counts, seconds = sys.argv[1:3], json.loads(sys.argv[3]), json.loads(sys.argv[4]), float(sys.argv[5])
types = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}

def prepared(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()[0]
    batch = wanted.shape[0] if wanted.shape and isinstance(wanted.shape[0], int) else 1
    values = numpy.random.default_rng(0).standard_normal([batch] + shape).astype(types[wanted.type])
    return lambda: session.run(None, {wanted.name: values}), batch

rows = []
for threads in counts:
    runs, batches = zip(*(prepared(path, threads) for path in files))
    times = [[], []]
    for run in runs:
        for _ in range(3):
            run()
    until = time.perf_counter() + seconds
    while len(times[0]) < 11 or time.perf_counter() < until:
        for k in ((0, 1), (1, 0))[len(times[0]) % 2]:
            began = time.perf_counter()
            runs[k]()
            times[k].append(time.perf_counter() - began)
    rows.append({"threads": threads, "runs": len(times[0]), "before": 1e3 * statistics.median(times[0]),
                 "after": 1e3 * statistics.median(times[1])})
print(json.dumps({"batch": batches[0], "threads": rows}))
)py";

// The last line that is not empty, which is what a traceback ends in.
std::string last_line(const std::string& text) {
    const size_t end = text.find_last_not_of(" \r\n");
    if (end == std::string::npos) return {};
    const size_t begin = text.find_last_of('\n', end);
    return text.substr(begin + 1, end - begin);
}

std::string why(const ChildResult& child) {
    using End = ChildResult::End;
    switch (child.end) {
        case End::kNotStarted:
            return "cannot be started: " + std::generic_category().message(child.code);
        case End::kTimeout:
            return "took too long";
        case End::kStopped:
            return "interrupted";
        case End::kSignal:
            return fmt::format("ended by signal {}", child.code);
        case End::kExited:
            break;
    }
    const std::string line = last_line(child.errors);
    return line.empty() ? fmt::format("exit code {}", child.code) : line;
}

}  // namespace

Runtime::Runtime(const std::optional<std::string>& python, const StopToken& stop) {
    const char* const variable = std::getenv("ADIABAT_PYTHON");
    const bool is_named = python || (variable && *variable);
    python_ = python ? *python : is_named ? variable : "python3";
    const ChildResult probe = run_child({python_, "-c", kProbe}, kProbeSeconds, stop);
    if (probe.end == ChildResult::End::kStopped) throw Interrupted();
    if (is_named && probe.end == ChildResult::End::kNotStarted) {
        throw InputError("{} {}: {}: expected a Python interpreter",
                         python ? "--python" : "ADIABAT_PYTHON", python_, why(probe));
    }
    if (probe.is_success()) {
        version_ = "ONNX Runtime " + last_line(probe.output);
    } else {
        reason_ = fmt::format("{} has no ONNX Runtime ({})", python_, in_one_line(why(probe)));
    }
}

Json Runtime::measure(const Task& task, const StopToken& stop) const {
    if (!is_there()) return {{"skipped", reason_}};
    Json counts = Json::array({1});
    if (const int threads = thread_count(task.threads); threads > 1) counts.push_back(threads);
    const ChildResult child =
        run_child({python_, "-c", kMeasure, task.before, task.after, Json(task.image).dump(),
                   counts.dump(), fmt::format("{}", kLatencySeconds)},
                  kMostSeconds, stop);
    if (!child.is_success()) return {{"skipped", in_one_line(why(child))}};
    const Json found = Json::parse(last_line(child.output), nullptr, /*allow_exceptions=*/false);
    if (!found.is_object()) return {{"skipped", python_ + " printed no result"}};
    Json result = {{"runtime", version_}, {"python", python_}};
    result.update(found);
    return result;
}

}  // namespace adiabat::pipeline
