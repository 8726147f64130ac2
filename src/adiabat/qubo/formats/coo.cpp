// SPDX-License-Identifier: Apache-2.0
//
// COO text: a line "i j value" for each pair, "i i value" for linear terms, comments after '#', of
// which "# vartype=SPIN" and "# vartype=BINARY" count.
//
// The variables are the labels that occur, in ascending order, so that memory follows the bytes.
// Numbers are written without exponents: dimod's reader skips lines that have one.
//
// Source: dimod 0.12, dimod.serialization.coo.

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

constexpr int64_t kLargestLabel = std::numeric_limits<int64_t>::max();

struct Triplet {
    int64_t i = 0, j = 0;
    double value = 0;
};

// Whether a comment says spins or zeros and ones, if it says either.
std::optional<bool> spins_in_comment(const LineScanner& scanner) {
    const std::string_view line = scanner.line();
    constexpr std::string_view kKey = "vartype";
    size_t at = line.find(kKey);
    if (at == std::string_view::npos) return {};
    at += kKey.size();
    if (at == line.size() || (line[at] != '=' && line[at] != ':')) return {};
    const size_t first = line.find_first_not_of(" \t", at + 1);
    const size_t last =
        std::min(line.find_first_of(" \t", std::min(first, line.size())), line.size());
    const auto value = first < last ? line.substr(first, last - first) : std::string_view{};
    if (value != "SPIN" && value != "BINARY")
        scanner.fail(fmt::format("vartype {}", in_quotes(value)), "SPIN or BINARY");
    return value == "SPIN";
}

// The labels in ascending order; triplets then refer to their places.
std::vector<int64_t> compact(const Source& source, HugeVector<Triplet>& triplets) {
    StopLooks looks(source);
    std::unordered_map<int64_t, int64_t> places;
    for (const auto& [i, j, value] : triplets) {
        looks.look();
        places.try_emplace(i);
        places.try_emplace(j);
    }
    std::vector<int64_t> labels;
    labels.reserve(places.size());
    for (const auto& [label, place] : places) labels.push_back(label);
    std::ranges::sort(labels, [&](int64_t a, int64_t b) {
        looks.look();
        return a < b;
    });
    for (size_t k = 0; k < labels.size(); ++k) places[labels[k]] = static_cast<int64_t>(k);
    for (auto& triplet : triplets) {
        looks.look();
        triplet.i = places.find(triplet.i)->second;
        triplet.j = places.find(triplet.j)->second;
    }
    return labels;
}

// The names as labels, where they are whole numbers in ascending order; else nothing.
std::vector<int64_t> labels_of(const Problem& problem) {
    std::vector<int64_t> labels;
    for (const std::string& name : problem.names) {
        const auto label = parse_integer(name);
        if (!label || *label < 0 || std::to_string(*label) != name) return {};
        if (!labels.empty() && *label <= labels.back()) return {};
        labels.push_back(*label);
    }
    return labels;
}

}  // namespace

Problem read_coo(const Source& source, const ReadOptions& options) {
    Pairs pairs;
    std::optional<bool> spins = options.coo_spins;
    HugeVector<Triplet> triplets;
    triplets.reserve(count_lines(source));
    for (LineScanner scanner(source); scanner.next();) {
        if (scanner.words()[0].starts_with('#')) {
            if (const auto offset = scanner.offset_in_comment("#")) pairs.offset += *offset;
            const auto said = spins_in_comment(scanner);
            if (said && spins && *said != *spins) {
                scanner.fail(*said ? "vartype SPIN" : "vartype BINARY",
                             *spins ? "SPIN, as said before" : "BINARY, as said before");
            }
            if (said) spins = said;
            continue;
        }
        scanner.expect_words(3, "i j value");
        triplets.push_back({scanner.integer(0, 0, kLargestLabel, "a label"),
                            scanner.integer(1, 0, kLargestLabel, "a label"), scanner.number(2)});
    }
    const auto labels = compact(source, triplets);
    if (labels.size() > static_cast<size_t>(kMaxSparseVariables)) {
        throw InputError("{}: found {} variables, expected {} at most", source.name, labels.size(),
                         kMaxSparseVariables);
    }
    pairs.variables = static_cast<int>(labels.size());
    pairs.spins = spins.value_or(false);
    pairs.edges.reserve(triplets.size());
    StopLooks looks(source);
    for (const auto& [i, j, value] : triplets) {
        looks.look();
        pairs.edges.push_back({static_cast<int>(i), static_cast<int>(j), value});
    }
    std::vector<std::string> names;
    if (!labels.empty() && labels.back() != pairs.variables - 1) {
        for (const int64_t label : labels) names.push_back(std::to_string(label));
    }
    return problem_of(source, std::move(pairs), std::move(names));
}

std::string write_coo(const Problem& problem) {
    refuse_constraints(problem, "coo");
    const Listed list = list_of(problem, true);
    const auto labels = labels_of(problem);
    const auto label = [&](int i) {
        return std::to_string(labels.empty() ? i : labels[static_cast<size_t>(i)]);
    };
    std::string text = problem.spins ? "# vartype=SPIN\n" : "# vartype=BINARY\n";
    if (list.offset != 0) {
        text += "# offset=";
        append(text, list.offset);
        text += '\n';
    }
    // Zeros are written as well: a variable is there because its label is.
    for (int i = 0; i < problem.variables(); ++i) {
        append_all(text, label(i), " ", label(i), " ");
        append_fixed(text, list.linear[static_cast<size_t>(i)]);
        text += '\n';
    }
    for (const auto& [i, j, value] : list.pairs) {
        append_all(text, label(i), " ", label(j), " ");
        append_fixed(text, value);
        text += '\n';
    }
    return text;
}

}  // namespace adiabat::qubo::formats
