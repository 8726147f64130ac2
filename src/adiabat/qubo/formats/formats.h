// SPDX-License-Identifier: Apache-2.0
#pragma once

// Problems from files and into files: eight formats, read strictly.
//
// A reader takes what doc/formats.md says and nothing else; whatever is amiss ends in one
// InputError, "file:line: found this, expected that". Reading and writing are O(bytes) in time
// (O(bytes log bytes) where duplicates are looked for) and memory: what a file promises (a number
// of variables in a header) is checked against its size before anything is allocated.
//
// Sources: doc/formats.md, format by format.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::qubo {

enum class Format {
    kCoo,        // coo: lines i j value, as dimod writes them
    kBqmJson,    // bqm-json: dimod's to_serializable() as JSON
    kBqmBinary,  // bqm: dimod's to_file()
    kQbsolv,     // qbsolv: .qubo
    kRudy,       // rudy: a weighted graph whose maximum cut is sought, E = -cut (Gset)
    kRudyIsing,  // rudy-ising: the same file meant as E = sum of w s s
    kBiqMac,     // biqmac: entries of a symmetric Q, E = x'Qx
    kLp,         // lp: CPLEX LP with a quadratic objective and linear constraints
    kOwnJson,    // json: adiabat-qubo, which holds every form and every constraint
};

inline constexpr Format kFormats[] = {Format::kCoo,    Format::kBqmJson, Format::kBqmBinary,
                                      Format::kQbsolv, Format::kRudy,    Format::kRudyIsing,
                                      Format::kBiqMac, Format::kLp,      Format::kOwnJson};

// "coo", "bqm-json", ..
const char* name_of(Format format);
std::vector<std::string> format_names();
// Throws InputError that lists the names.
Format format_of_name(std::string_view name);

// From the ending of the file's name (.coo .bqm .qubo .rudy .gset .mc .sparse .lp; .json is
// adiabat-qubo or dimod's by its content), else from the content. Throws InputError where neither
// tells.
Format detect_format(std::span<const uint8_t> bytes, std::string_view name);
// From the ending alone; .json is adiabat-qubo. Nothing where the ending says nothing.
std::optional<Format> format_of_ending(std::string_view name);
// "n.coo: its name says coo", where the ending names another format than this one: whoever reads
// the file by its name alone takes it for that. Nothing where it does not, or where the content
// tells (.json), or the user always has to (rudy-ising).
std::optional<std::string> contradiction_of_ending(std::string_view name, Format format);

struct ReadOptions {
    // What the values in a COO file without a vartype header multiply: spins or zeros and ones. One
    // that contradicts the header is an error.
    std::optional<bool> coo_spins = {};
    // Asked every millisecond or so; requested, reading ends in Interrupted.
    StopToken stop = {};
    // Bytes of memory; what would need more is refused as soon as its size is known, before it is
    // made and, where the beginning of the file tells, before the rest is read.
    std::optional<uint64_t> memory_limit = {};
};

// Constraints have been checked, names are different from each other, coefficients are at most
// kLargestCoefficient in size. The form is the one that best_form() chooses, but for adiabat-qubo,
// which says its own. Throws InputError.
Problem read_problem(const std::filesystem::path& path, std::optional<Format> format = {},
                     const ReadOptions& options = {});
// `name` stands for the file in messages, and its ending counts.
Problem read_problem(std::span<const uint8_t> bytes, std::string_view name,
                     std::optional<Format> format = {}, const ReadOptions& options = {});

// The bytes of the file. Throws InputError where the format cannot hold the problem: its
// constraints, its linear terms (rudy), its names (lp). Numbers are written so that they are read
// back the same; which formats lose names or the spin view is in doc/formats.md.
std::string write_problem(const Problem& problem, Format format);
// By the ending where no format is given. The file is there whole or not at all.
void write_problem(const Problem& problem, const std::filesystem::path& path,
                   std::optional<Format> format = {});

// So that no sum, product or square of coefficients overflows.
inline constexpr double kLargestCoefficient = 1e60;
// A header may promise this many variables whatever the size of the file; beyond that, 16 a byte.
inline constexpr int kFreeVariables = 100'000;

}  // namespace adiabat::qubo
