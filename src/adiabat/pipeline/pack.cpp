// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/pack.h"

#include <array>
#include <cmath>
#include <filesystem>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/base/errors.h"
#include "adiabat/pack/pack.h"
#include "adiabat/pipeline/model.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

namespace fs = std::filesystem;

std::string output_of(const PackOptions& options, const char* extension) {
    fs::path output = options.output.value_or("");
    if (!options.output) {
        output = fs::path(options.input).replace_extension(extension);
        std::error_code error;
        if (fs::exists(output, error) && !fs::equivalent(output, options.input, error)) {
            throw InputError("{}: is there already: name the output with -o to overwrite it",
                             output.string());
        }
    }
    check_output(output, {options.input});
    return output.string();
}

enum Kind { kWeightCodes, kFloats, kOtherIntegers, kAllElse, kKinds };
constexpr std::array<const char*, kKinds> kKindNames = {"weight codes", "floats", "other integers",
                                                        "all else"};

Kind kind_of(net::DType type) {
    const int bits = net::bits_of(type);
    if (bits == 0) return kAllElse;
    if (net::is_floating(type)) return kFloats;
    return bits <= 8 && type != net::DType::kBool ? kWeightCodes : kOtherIntegers;
}

struct Count {
    uint64_t file_bytes = 0, packed_bytes = 0;
};

Json to_json(const char* name, const Count& count) {
    return {{"kind", name}, {"file_bytes", count.file_bytes}, {"packed_bytes", count.packed_bytes}};
}

// What took how many bytes.
void add_counts(Json& document, const pack::Packed& packed) {
    std::vector<uint64_t> file_bytes(packed.table.sections.size(), 0);
    for (const pack::Piece& piece : packed.table.pieces) file_bytes[piece.section] += piece.bytes;
    std::array<Count, kKinds> kinds;
    uint64_t rest = packed.bytes.size();
    Json sections = Json::array();
    for (size_t s = 0; s < file_bytes.size(); ++s) {
        const pack::Section& section = packed.table.sections[s];
        const Kind kind = kind_of(packed.types[s]);
        const Count count{file_bytes[s], section.stored_bytes()};
        kinds[kind].file_bytes += count.file_bytes;
        kinds[kind].packed_bytes += count.packed_bytes;
        rest -= count.packed_bytes;
        const bool is_tensor = kind != kAllElse;
        Json row = {{"name", section.name}};
        row.update(to_json(kKindNames[kind], count));
        row["type"] = is_tensor ? Json(net::name_of(packed.types[s])) : Json();
        row["bits"] = section.layout.width;
        row["codes"] = pack::codes_in(section.layout, section.stream_bytes);
        sections.push_back(std::move(row));
    }
    document["kinds"] = Json::array();
    for (size_t k = 0; k < kKinds; ++k) {
        document["kinds"].push_back(to_json(kKindNames[k], kinds[k]));
    }
    document["kinds"].push_back(to_json("header, table, digests", {0, rest}));
    document["sections"] = std::move(sections);
}

Json file_to_json(const std::string& path, const std::vector<uint8_t>& bytes) {
    return {{"path", path}, {"bytes", bytes.size()}, {"sha256", sha256(bytes)}};
}

Json begin_document(const char* verb, const PackOptions& options) {
    return {{"adiabat", version()}, {"verb", verb}, {"command", options.command}};
}

void write(Json& document, const std::string& output, const std::vector<uint8_t>& bytes,
           const StopToken& stop) {
    if (stop.requested()) throw Interrupted();
    write_file_atomically(output, bytes);
    document["output"] = file_to_json(output, bytes);
}

void end_document(Json& document, const StageClock& clock) {
    document["seconds"] = std::round(clock.total_seconds() * 1e3) / 1e3;
    document["peak_memory_bytes"] = peak_memory_bytes();
}

}  // namespace

Json pack(const PackOptions& options, StopToken stop, ProgressSink& progress) {
    StageClock clock;
    clock.begin("pack");
    const std::vector<uint8_t> model = read_file(options.input);
    const std::string output = output_of(options, ".adb");
    const pack::Packed packed =
        pack::pack(model, options.input, {options.threads, stop, &progress});
    const pack::Unpacked back = pack::unpack(packed.bytes, output, {options.threads, stop});
    ADIABAT_CHECK(back.bytes == model, "{} comes back changed", options.input);
    Json document = begin_document("pack", options);
    document["model"] = file_to_json(options.input, model);
    write(document, output, packed.bytes, stop);
    clock.end();
    add_counts(document, packed);
    end_document(document, clock);
    return document;
}

Json unpack(const PackOptions& options, StopToken stop, ProgressSink& progress) {
    StageClock clock;
    clock.begin("unpack");
    const std::vector<uint8_t> container = read_file(options.input);
    const std::string output = output_of(options, ".onnx");
    const pack::Unpacked unpacked =
        pack::unpack(container, options.input, {options.threads, stop, &progress});
    Json document = begin_document("unpack", options);
    document["container"] = file_to_json(options.input, container);
    write(document, output, unpacked.bytes, stop);
    clock.end();
    document["sections"] = unpacked.table.sections.size();
    end_document(document, clock);
    return document;
}

}  // namespace adiabat::pipeline
