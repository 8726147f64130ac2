// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/qubo/formats/promised.h"
#include "adiabat/qubo/formats/readers.h"

namespace adiabat::qubo {

namespace {

using namespace formats;

constexpr uint64_t kBeginning = uint64_t{1} << 16;

struct Entry {
    Format format;
    const char* name;
    std::initializer_list<std::string_view> endings;
    Problem (*read)(const Source&, const ReadOptions&);
    std::string (*write)(const Problem&);
};

// In the order of the enumeration.
const Entry kEntries[] = {
    {Format::kCoo, "coo", {".coo"}, read_coo, write_coo},
    {Format::kBqmJson, "bqm-json", {}, read_bqm_json, write_bqm_json},
    {Format::kBqmBinary, "bqm", {".bqm"}, read_bqm_binary, write_bqm_binary},
    {Format::kQbsolv, "qbsolv", {".qubo"}, read_qbsolv, write_qbsolv},
    {Format::kRudy, "rudy", {".rudy", ".gset", ".mc"}, read_rudy, write_rudy},
    {Format::kRudyIsing, "rudy-ising", {}, read_rudy_ising, write_rudy_ising},
    {Format::kBiqMac, "biqmac", {".sparse"}, read_biqmac, write_biqmac},
    {Format::kLp, "lp", {".lp"}, read_lp, write_lp},
    {Format::kOwnJson, "json", {".json"}, read_own_json, write_own_json},
};

const Entry& entry_of(Format format) { return kEntries[static_cast<size_t>(format)]; }

std::string lower_case(std::string_view word) {
    std::string lower(word);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return lower;
}

// adiabat-qubo says so; whatever else is JSON can be dimod's alone.
Format json_format(std::string_view text) {
    return text.find("\"adiabat-qubo\"") != std::string_view::npos ? Format::kOwnJson
                                                                   : Format::kBqmJson;
}

Format detect_by_content(const Source& source) {
    constexpr std::string_view kMagic = "DIMODBQM";
    if (source.bytes.starts_with(kMagic)) return Format::kBqmBinary;
    const size_t first = source.bytes.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && source.bytes[first] == '{')
        return json_format(source.bytes);
    LineScanner scanner(source);
    while (scanner.next()) {
        const auto& words = scanner.words();
        const std::string word = lower_case(words[0]);
        if (word.starts_with('#') || word == "c") continue;
        if (words.size() > 1 && word == "p" && words[1] == "qubo") return Format::kQbsolv;
        for (const std::string_view opening : {"minimize", "minimum", "min", "maximize", "maximum",
                                               "max", "subject", "such", "st", "s.t.", "st."}) {
            if (word == opening) return Format::kLp;
        }
        if (word.starts_with('\\')) return Format::kLp;
        const bool numbers = std::ranges::all_of(
            words, [](std::string_view each) { return parse_number(each).has_value(); });
        if (numbers && words.size() == 3) return Format::kCoo;
        if (numbers && words.size() == 2)
            scanner.fail(in_quotes(scanner.line()) + ", as rudy, rudy-ising and biqmac begin",
                         "the format to be named");
        scanner.fail(in_quotes(scanner.line()), "a format that is known, or named");
    }
    // Nothing but comments is a COO file without variables.
    if (source.bytes.find('#') != std::string_view::npos) return Format::kCoo;
    scanner.fail("nothing", "a problem");
}

Source source_of(std::span<const uint8_t> bytes, std::string_view name,
                 const ReadOptions& options = {}) {
    return {{reinterpret_cast<const char*>(bytes.data()), bytes.size()},
            name,
            options.stop,
            options.memory_limit,
            bytes.size()};
}

// A promise larger than the memory that there is; what the file takes counts as well.
void refuse_promised(std::span<const uint8_t> beginning, const std::filesystem::path& path,
                     std::optional<Format> format, const ReadOptions& options) {
    const std::string name = path.string();
    if (!format) format = format_of_ending(name);
    Source source = source_of(beginning, name, options);
    // Beside "num_variables" dimod's JSON has no form.
    if (!format || *format == Format::kOwnJson) {
        const size_t first = source.bytes.find_first_not_of(" \t\r\n");
        if (first == std::string_view::npos || source.bytes[first] != '{') {
            if (!format) return;
        } else {
            format = source.bytes.find("\"num_variables\"") == std::string_view::npos
                         ? Format::kOwnJson
                         : Format::kBqmJson;
        }
    }
    const auto promise = promised(source, *format);
    if (!promise) return;
    std::error_code error;
    source.size = std::filesystem::file_size(path, error);
    if (error) return;
    if (promise->dense)
        source.check_dense_memory(0, promise->variables);
    else
        source.check_memory(0, promise->variables, static_cast<uint64_t>(promise->pairs),
                            sizeof(Edge));
}

}  // namespace

const char* name_of(Format format) { return entry_of(format).name; }

std::vector<std::string> format_names() {
    std::vector<std::string> names;
    for (const Entry& entry : kEntries) names.emplace_back(entry.name);
    return names;
}

Format format_of_name(std::string_view name) {
    std::string names;
    for (const Entry& entry : kEntries) {
        if (name == entry.name) return entry.format;
        names += (names.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw InputError("found format {}, expected one of {}", in_quotes(name), names);
}

std::optional<Format> format_of_ending(std::string_view name) {
    const std::string lower = lower_case(name);
    for (const Entry& entry : kEntries) {
        for (const std::string_view ending : entry.endings) {
            if (lower.ends_with(ending)) return entry.format;
        }
    }
    return {};
}

std::optional<std::string> contradiction_of_ending(std::string_view name, Format format) {
    const auto said = format_of_ending(name);
    const bool agree = !said || *said == format ||
                       (*said == Format::kOwnJson && format == Format::kBqmJson) ||
                       (*said == Format::kRudy && format == Format::kRudyIsing);
    if (agree) return {};
    return fmt::format("{}: its name says {}", name, name_of(*said));
}

Format detect_format(std::span<const uint8_t> bytes, std::string_view name) {
    const Source source = source_of(bytes, name);
    const auto format = format_of_ending(name);
    if (format == Format::kOwnJson) return json_format(source.bytes);
    return format ? *format : detect_by_content(source);
}

Problem read_problem(std::span<const uint8_t> bytes, std::string_view name,
                     std::optional<Format> format, const ReadOptions& options) {
    const Format chosen = format ? *format : detect_format(bytes, name);
    return entry_of(chosen).read(source_of(bytes, name, options), options);
}

Problem read_problem(const std::filesystem::path& path, std::optional<Format> format,
                     const ReadOptions& options) {
    if (options.memory_limit) {
        const auto beginning = read_large_file(path, options.stop, kBeginning);
        refuse_promised(beginning, path, format, options);
    }
    const auto bytes = read_large_file(path, options.stop);
    return read_problem(bytes, path.string(), format, options);
}

std::string write_problem(const Problem& problem, Format format) {
    return entry_of(format).write(problem);
}

void write_problem(const Problem& problem, const std::filesystem::path& path,
                   std::optional<Format> format) {
    if (!format) format = format_of_ending(path.string());
    if (!format) {
        throw InputError(
            "{}: its ending says no format: expected it named, or one of .coo .bqm "
            ".qubo .rudy .sparse .lp .json",
            path.string());
    }
    write_file_atomically(path, write_problem(problem, *format));
}

}  // namespace adiabat::qubo
