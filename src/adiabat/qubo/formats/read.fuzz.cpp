// SPDX-License-Identifier: Apache-2.0
//
// Any bytes at all to the readers of problems; the first byte chooses the format. Where the
// environment names one, ADIABAT_FUZZ_FORMAT=qbsolv, all bytes are a file of that format. What
// reads is written in every format and read again: the same problem from adiabat-qubo, the same
// energies and constraints from the others. The one way out is InputError. Built with clang's
// libFuzzer (-D ADIABAT_BUILD_FUZZERS=ON); dev/fuzz.sh problem, dev/fuzz.sh problem:qbsolv run it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/formats/formats.h"

namespace {

using namespace adiabat;

constexpr int kLargest = 200;        // variables of a problem that is written and compared
constexpr double kModerate = 1e30;   // beyond that, sums may leave what readers accept
constexpr double kTolerance = 1e-8;  // of the sum of all sizes: squares are expanded
constexpr double kTiny = 1e-290;     // where halving loses bits

void require(bool condition, const char* what, qubo::Format format) {
    if (condition) return;
    std::fprintf(stderr, "does not hold: %s (%s)\n", what, qubo::name_of(format));
    std::abort();
}

// The sum of the sizes of everything that an energy is a sum of.
double size_of(const qubo::Problem& problem) {
    double size = std::abs(problem.offset());
    const int n = problem.variables();
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form)) {
        for (size_t k = 0; k < factored->weights().size(); ++k) {
            double form = std::abs(factored->constants()[k]);
            for (int i = 0; i < n; ++i) form += std::abs(factored->row(i)[k]);
            size += std::abs(factored->weights()[k]) * form * form;
        }
        for (const double value : factored->linear()) size += std::abs(value);
        for (const auto& block : factored->blocks()) {
            for (const double value : block.values) size += std::abs(value);
        }
        return size;
    }
    for (int i = 0; i < n; ++i) {
        size += std::abs(problem.linear(i));
        qubo::for_each_coupling(problem, i, [&](int, double value) { size += std::abs(value); });
    }
    return size;
}

double largest_constraint(const qubo::Constraints& constraints) {
    double largest = 0;
    for (const auto& budget : constraints.budgets) {
        for (const auto& term : budget.terms)
            largest = std::max(largest, std::abs(term.coefficient));
    }
    return largest;
}

std::optional<std::string> written(const qubo::Problem& problem, qubo::Format format) {
    try {
        return qubo::write_problem(problem, format);
    } catch (const InputError&) {
        return {};
    }
}

void compare(const qubo::Problem& problem, const qubo::Problem& back, qubo::Format format) {
    require(back.variables() == problem.variables(), "as many variables", format);
    if (format == qubo::Format::kOwnJson) {
        require(back == problem, "the same problem", format);
        return;
    }
    const double tolerance = kTolerance * size_of(problem) + kTiny;
    Random random(1);
    std::vector<uint8_t> x(static_cast<size_t>(problem.variables()));
    for (int k = 0; k < 8; ++k) {
        for (auto& value : x) value = k == 0 ? 0 : k == 1 ? 1 : random() & 1;
        const double difference = back.energy(x) - problem.energy(x);
        require(std::abs(difference) <= tolerance, "the same energy", format);
        // A budget's sums may be rounded anew in another order near its bounds.
        if (largest_constraint(problem.constraints) < 1e9)
            require(back.constraints.keeps(x) == problem.constraints.keeps(x),
                    "the same constraints", format);
    }
}

std::optional<qubo::Format> fixed_format;  // of all inputs

qubo::Problem read(std::span<const uint8_t> bytes) {
    if (fixed_format) return qubo::read_problem(bytes, "bytes", fixed_format);
    const qubo::Format format = qubo::kFormats[bytes[0] % std::size(qubo::kFormats)];
    return qubo::read_problem(bytes.subspan(1), "bytes",
                              bytes[0] < 200 ? std::optional(format) : std::nullopt);
}

void use(std::span<const uint8_t> bytes) {
    if (bytes.empty() && !fixed_format) return;
    qubo::Problem problem{qubo::Dense()};
    try {
        problem = read(bytes);
    } catch (const InputError&) {
        return;
    }
    problem.constraints.check(problem.variables());
    if (problem.variables() > kLargest || !(size_of(problem) < kModerate) ||
        largest_constraint(problem.constraints) > kModerate)
        return;
    for (const qubo::Format other : qubo::kFormats) {
        const auto text = written(problem, other);
        require(text || other != qubo::Format::kOwnJson, "own files hold everything", other);
        if (!text) continue;
        const std::span data(reinterpret_cast<const uint8_t*>(text->data()), text->size());
        compare(problem, qubo::read_problem(data, "written", other), other);
    }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* const name = std::getenv("ADIABAT_FUZZ_FORMAT");
    if (!name) return 0;
    try {
        fixed_format = qubo::format_of_name(name);
    } catch (const InputError& error) {
        std::fprintf(stderr, "fuzz: ADIABAT_FUZZ_FORMAT: %s\n", error.what());
        std::exit(2);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    use({data, size});
    return 0;
}
