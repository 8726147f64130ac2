// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/folder_labels.h"

#include <charconv>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/data/files.h"
#include "adiabat/data/idx.h"
#include "adiabat/data/npy.h"

namespace adiabat::data {

namespace {

// Lines without their ends; blank ones at the end of the file are none.
std::vector<std::string> read_lines(const std::filesystem::path& path) {
    std::vector<std::string> lines(1);
    for (const uint8_t byte : read_file(path)) {
        if (byte == '\n') {
            lines.emplace_back();
        } else if (byte != '\r') {
            lines.back().push_back(static_cast<char>(byte));
        }
    }
    while (!lines.empty() && lines.back().find_first_not_of(" \t") == std::string::npos) {
        lines.pop_back();
    }
    if (lines.empty()) throw InputError("{}: is empty", path.string());
    return lines;
}

std::unordered_map<std::string, int32_t> read_named_labels(const std::filesystem::path& path) {
    std::unordered_map<std::string, int32_t> labels;
    const auto lines = read_lines(path);
    for (size_t k = 0; k < lines.size(); ++k) {
        const std::string& line = lines[k];
        const size_t gap = line.find_last_of(" \t");
        const size_t name_end = line.find_last_not_of(" \t", gap);
        int32_t label = -1;
        const char *const begin = line.data() + gap + 1, *const end = line.data() + line.size();
        if (gap == std::string::npos || name_end == std::string::npos ||
            std::from_chars(begin, end, label).ptr != end || begin == end || label < 0) {
            throw InputError("{}: line {} is \"{}\": expected a file name and a label, 0 or more",
                             path.string(), k + 1, line);
        }
        if (!labels.emplace(line.substr(0, name_end + 1), label).second) {
            throw InputError("{}: line {} labels {} again", path.string(), k + 1,
                             line.substr(0, name_end + 1));
        }
    }
    return labels;
}

}  // namespace

std::unordered_map<std::string, int32_t> read_class_names(const std::filesystem::path& path) {
    std::unordered_map<std::string, int32_t> classes;
    const auto lines = read_lines(path);
    for (size_t k = 0; k < lines.size(); ++k) {
        if (lines[k].empty()) {
            throw InputError("{}: line {} is empty: expected one class name a line", path.string(),
                             k + 1);
        }
        if (!classes.emplace(lines[k], static_cast<int32_t>(k)).second) {
            throw InputError("{}: line {} names {} again", path.string(), k + 1, lines[k]);
        }
    }
    return classes;
}

std::vector<int32_t> read_folder_labels(const std::filesystem::path& path,
                                        std::span<const std::string> names) {
    if (path.extension() != ".txt") {
        const auto head = read_file(path);
        const bool npy = path.extension() == ".npy" || (!head.empty() && head[0] == 0x93);
        auto labels = labels_of(npy ? read_npy(path) : read_idx(path), path.string());
        check_count(static_cast<int64_t>(labels.size()), static_cast<int64_t>(names.size()),
                    path.string());
        return labels;
    }
    const auto named = read_named_labels(path);
    std::vector<int32_t> labels;
    for (const std::string& name : names) {
        const auto found = named.find(name);
        if (found == named.end()) throw InputError("{}: has no line for {}", path.string(), name);
        labels.push_back(found->second);
    }
    return labels;
}

}  // namespace adiabat::data
