// SPDX-License-Identifier: Apache-2.0
//
// ONNX's backend node tests, run through our reader, shape inference and engine in one process.
//
//   adiabat_node_tests FOLDER ..
//   adiabat_node_tests --operators
//
// A folder that holds model.onnx is a test, with its values in test_data_set_*/{input,output}_K.pb;
// of any other folder the folders inside are taken. Each test runs twice, as read and simplified as
// the tool does, and writes one line: "pass NAME" or "fail NAME: reason". Floating outputs are
// compared as ONNX's own runner does, |found - expected| <= 1e-7 + 1e-3 |expected| with NaN equal
// to NaN; all else must be equal, types and shapes included. --operators writes what
// doc/operators.md is made of, one line an operator: its name and which of "shape", "folded" and
// "run" it is.
//
// Source: onnx/backend/test/runner/__init__.py.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "adiabat/base/atomic_file.h"
#include "adiabat/net/coupling_rules.h"
#include "adiabat/net/evaluate.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/onnx/read.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/model.h"

namespace {

namespace fs = std::filesystem;
using adiabat::InputError;
using adiabat::net::DType;
using adiabat::net::Tensor;

constexpr double kRelative = 1e-3, kAbsolute = 1e-7;

// The elements of a typed field, each narrowed.
template <typename T, typename Field>
void narrow(const Field& field, Tensor& tensor) {
    const size_t count =
        std::min(tensor.bytes.size() / sizeof(T), static_cast<size_t>(field.size()));
    for (size_t k = 0; k < count; ++k) {
        const T element = static_cast<T>(field.Get(static_cast<int>(k)));
        std::memcpy(tensor.bytes.data() + k * sizeof(T), &element, sizeof(T));
    }
}

// Unlike the library's reader this takes what no weight may be: NaN and infinite elements.
Tensor read_tensor(const fs::path& path) {
    const std::vector<uint8_t> bytes = adiabat::read_file(path);
    ::onnx::TensorProto proto;
    if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        throw InputError("{} is no tensor", path.filename().string());
    }
    const auto type = static_cast<DType>(proto.data_type());
    if (type == DType::kString) throw InputError("{} holds strings", path.filename().string());
    if (adiabat::net::bits_of(type) == 0) {
        throw InputError("{} is of element type {}", path.filename().string(), proto.data_type());
    }
    const adiabat::net::Shape shape(proto.dims().begin(), proto.dims().end());
    // A sequence or an optional, read as a tensor, has any shape.
    if (adiabat::net::elements(shape) > static_cast<int64_t>(bytes.size()) * 8) {
        throw InputError("{} is no tensor", path.filename().string());
    }
    Tensor tensor(type, shape);
    if (proto.has_raw_data()) {
        if (proto.raw_data().size() != tensor.bytes.size()) {
            throw InputError("{} holds {} bytes", path.filename().string(),
                             proto.raw_data().size());
        }
        tensor.bytes.assign(proto.raw_data().begin(), proto.raw_data().end());
        return tensor;
    }
    switch (type) {
        case DType::kFloat:
            narrow<float>(proto.float_data(), tensor);
            break;
        case DType::kDouble:
            narrow<double>(proto.double_data(), tensor);
            break;
        case DType::kInt64:
            narrow<int64_t>(proto.int64_data(), tensor);
            break;
        case DType::kUint64:
            narrow<uint64_t>(proto.uint64_data(), tensor);
            break;
        case DType::kUint32:
            narrow<uint32_t>(proto.uint64_data(), tensor);
            break;
        case DType::kInt32:
            narrow<int32_t>(proto.int32_data(), tensor);
            break;
        default:
            if (adiabat::net::bits_of(type) == 16) {
                narrow<uint16_t>(proto.int32_data(), tensor);
            } else {
                narrow<uint8_t>(proto.int32_data(), tensor);
            }
    }
    return tensor;
}

// input_0.pb, input_1.pb, ... of a folder.
std::vector<Tensor> read_numbered(const fs::path& folder, const std::string& stem) {
    std::vector<Tensor> tensors;
    for (size_t k = 0;; ++k) {
        const fs::path path = folder / (stem + "_" + std::to_string(k) + ".pb");
        if (!fs::exists(path)) return tensors;
        tensors.push_back(read_tensor(path));
    }
}

// Empty where they agree.
std::string difference(const Tensor& found, const Tensor& expected) {
    using namespace adiabat::net;
    if (found.type != expected.type || found.shape != expected.shape) {
        return fmt::format("is {} {}, expected {} {}", name_of(found.type), to_string(found.shape),
                           name_of(expected.type), to_string(expected.shape));
    }
    if (!is_floating(expected.type)) {
        if (found.bytes == expected.bytes) return "";
        const auto f = found.to_doubles(), e = expected.to_doubles();
        for (size_t k = 0; k < f.size(); ++k) {
            if (f[k] != e[k]) return fmt::format("element {} is {}, expected {}", k, f[k], e[k]);
        }
        return "";  // padding bits of a packed type
    }
    const auto f = found.to_doubles(), e = expected.to_doubles();
    for (size_t k = 0; k < f.size(); ++k) {
        if (f[k] == e[k] || (std::isnan(f[k]) && std::isnan(e[k]))) continue;
        const bool near = std::fabs(f[k] - e[k]) <= kAbsolute + kRelative * std::fabs(e[k]);
        if (!near || std::isinf(f[k]) || std::isinf(e[k])) {
            return fmt::format("element {} is {}, expected {}", k, f[k], e[k]);
        }
    }
    return "";
}

// Old test data hold bfloat16 as the words of its bits.
void retype(Tensor& tensor, DType declared) {
    if (tensor.type == DType::kUint16 && declared == DType::kBfloat16) tensor.type = declared;
}

void run_data_set(adiabat::net::Session& session, const fs::path& folder, const std::string& how) {
    auto inputs = read_numbered(folder, "input"), expected = read_numbered(folder, "output");
    const auto& graph = session.graph();
    if (inputs.size() != graph.inputs.size() || expected.size() != graph.outputs.size()) {
        throw InputError("{} inputs and {} outputs for a graph of {} and {}", inputs.size(),
                         expected.size(), graph.inputs.size(), graph.outputs.size());
    }
    for (size_t k = 0; k < inputs.size(); ++k) retype(inputs[k], graph.value(graph.inputs[k]).type);
    for (size_t k = 0; k < expected.size(); ++k) {
        retype(expected[k], graph.value(graph.outputs[k]).type);
    }
    std::vector<adiabat::net::Feed> feeds;
    for (size_t k = 0; k < inputs.size(); ++k) feeds.push_back({graph.inputs[k], &inputs[k]});
    const auto found = session.run(feeds, graph.outputs);
    for (size_t k = 0; k < found.size(); ++k) {
        const std::string what = difference(found[k], expected[k]);
        if (!what.empty()) {
            throw InputError("{}{} {}", how, graph.value(graph.outputs[k]).name, what);
        }
    }
}

void run_test(adiabat::net::Engine& engine, const fs::path& folder) {
    const fs::path path = folder / "model.onnx";
    const std::vector<uint8_t> bytes = adiabat::read_file(path);
    for (const bool simplified : {false, true}) {
        const std::string where = "model.onnx";
        auto graph = simplified ? adiabat::pipeline::parse_simplified(bytes, where)
                                : adiabat::onnx::parse_model(bytes, where);
        if (!simplified) adiabat::net::infer_shapes(graph);
        const auto session = engine.open(graph, {.threads = 1});
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (!entry.path().filename().string().starts_with("test_data_set_")) continue;
            run_data_set(*session, entry.path(), simplified ? "simplified: " : "");
        }
    }
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void report(adiabat::net::Engine& engine, const fs::path& folder) {
    const std::string name = folder.filename().string();
    std::string reason;
    try {
        run_test(engine, folder);
    } catch (const std::exception& error) {
        reason = first_line(error.what());
    } catch (...) {
        reason = "an exception of an unknown kind";
    }
    if (reason.empty()) {
        std::printf("pass %s\n", name.c_str());
    } else {
        std::printf("fail %s: %s\n", name.c_str(), reason.c_str());
    }
    std::fflush(stdout);
}

// Every operator that any table of ours knows.
void list_operators(const adiabat::net::Engine& engine) {
    std::map<std::string, std::string> operators;
    const auto add = [&](const std::vector<std::string>& names, const char* what) {
        for (const std::string& name : names) operators[name] += what;
    };
    add(adiabat::net::operators_inferred(), " shape");
    add(adiabat::net::operators_evaluated(), " folded");
    add(engine.operators(), " run");
    for (const auto& rule : adiabat::net::coupling_rules()) {
        operators[rule.op] += std::string("\t") + rule.note;
    }
    for (const auto& [name, what] : operators) std::printf("%s%s\n", name.c_str(), what.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto engine = adiabat::pipeline::load_engine();
        for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
            if (argument == "--operators") {
                list_operators(*engine);
                continue;
            }
            if (fs::exists(fs::path(argument) / "model.onnx")) {
                report(*engine, fs::path(argument));
                continue;
            }
            std::vector<fs::path> folders;
            for (const auto& entry : fs::directory_iterator(argument)) {
                if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
            }
            std::sort(folders.begin(), folders.end());
            for (const fs::path& folder : folders) report(*engine, folder);
        }
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "node_tests: %s\n", error.what());
        return 2;
    }
}
