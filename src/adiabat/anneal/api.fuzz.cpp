// SPDX-License-Identifier: Apache-2.0
//
// Sequences of calls, chosen by the bytes: problems are built in all forms side by side, every call
// going to each form that has it, and must agree: energies, fields, rows, conversions, files; then
// they are solved by any technique with any options, and the answers are what solve() promises. The
// one way out is InputError, and after one the problem is still whole. Built with clang's libFuzzer
// (-D ADIABAT_BUILD_FUZZERS=ON); dev/fuzz.sh api runs it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "adiabat/anneal/solve.h"
#include "adiabat/base/errors.h"
#include "adiabat/qubo/formats/formats.h"
#include "adiabat/qubo/ising.h"
#include "adiabat/qubo/problem.h"

namespace {

using namespace adiabat;

constexpr int kMostVariables = 10, kMostSteps = 24;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// The bytes as choices; zeros when they are used up.
class Choices {
  public:
    explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    bool left() const { return !bytes_.empty(); }
    uint8_t byte() {
        if (bytes_.empty()) return 0;
        const uint8_t value = bytes_[0];
        bytes_ = bytes_.subspan(1);
        return value;
    }
    int below(int bound) { return byte() % bound; }
    // Eighths, so that sums are exact; now and then something that must be refused.
    double value() {
        const uint8_t choice = byte();
        if (choice == 255) return std::numeric_limits<double>::quiet_NaN();
        if (choice == 254) return std::numeric_limits<double>::infinity();
        return (choice - 127) / 8.0;
    }

  private:
    std::span<const uint8_t> bytes_;
};

// One problem three times. The calls that a form does not have are made of others.
class Builder {
  public:
    explicit Builder(int n) : n_(n), dense_(n), factored_(n) {}

    void step(Choices& choices) {
        // Sparse problems are built once, so that a call counts when it went through elsewhere.
        switch (choices.below(8)) {
            case 0:
                return offset(choices.value());
            case 1:
                return linear(choices.below(n_), choices.value());
            case 2:
                return coupling(choices);
            case 3:
                return squared(choices);
            case 4:
                return block(choices);
            case 5:
                return low_rank(choices);
            case 6:
                return budget(choices);
            default:
                return group(choices);
        }
    }
    qubo::Problem dense() const { return {dense_, constraints_}; }
    qubo::Problem factored() const { return {factored_, constraints_}; }
    qubo::Problem sparse() const { return {qubo::sparse_of(factored()), constraints_}; }

  private:
    void offset(double value) {
        factored_.add_offset(value);
        dense_.add_offset(value);
    }
    void linear(int i, double value) {
        factored_.add_linear(i, value);
        dense_.add_linear(i, value);
    }
    // x_i x_j = ((x_i + x_j)^2 - x_i - x_j) / 2.
    void coupling(Choices& choices) {
        const int i = choices.below(n_), j = choices.below(n_);
        const double value = choices.value();
        if (i == j) return linear(i, value);
        dense_.add_coupling(i, j, value);
        const qubo::Term terms[] = {{i, 1}, {j, 1}};
        factored_.add_squared(terms, 0, value / 2);
        factored_.add_linear(i, -value / 2);
        factored_.add_linear(j, -value / 2);
    }
    void squared(Choices& choices) {
        const double constant = choices.value(), weight = choices.value();
        std::vector<qubo::Term> terms;
        for (int k = choices.below(6); k > 0; --k) {
            const int i = choices.below(n_);
            terms.push_back({i, choices.value()});
        }
        factored_.add_squared(terms, constant, weight);
        dense_.add_squared(terms, constant, weight);
    }
    void block(Choices& choices) {
        const int first = choices.below(n_ + 1), size = choices.below(5);
        const auto s = static_cast<size_t>(size);
        std::vector<double> values(s * s);
        for (size_t i = 0; i < s; ++i) {
            for (size_t j = 0; j <= i; ++j) values[i * s + j] = values[j * s + i] = choices.value();
        }
        factored_.add_block(first, size, values);
        for (int i = 0; i < size; ++i) {
            for (int j = 0; j <= i; ++j) {
                const double value = values[static_cast<size_t>(i) * s + static_cast<size_t>(j)];
                dense_.add_coupling(first + i, first + j, i == j ? value : 2 * value);
            }
        }
    }
    void low_rank(Choices& choices) {
        const size_t r = static_cast<size_t>(choices.below(3)), n = static_cast<size_t>(n_);
        std::vector<double> u(n * r), s(r * r);
        for (double& value : u) value = choices.value();
        for (size_t k = 0; k < r; ++k) {
            for (size_t l = 0; l <= k; ++l) s[k * r + l] = s[l * r + k] = choices.value();
        }
        factored_.add_low_rank(u, s);
        for (size_t i = 0; i < n; ++i) {
            for (size_t j = 0; j < n; ++j) {
                double value = 0;
                for (size_t k = 0; k < r; ++k) {
                    for (size_t l = 0; l < r; ++l)
                        value += u[i * r + k] * s[k * r + l] * u[j * r + l];
                }
                dense_.add_coupling(static_cast<int>(i), static_cast<int>(j), value);
            }
        }
    }
    // Constraints are kept when they are right.
    void keep(const qubo::Constraints& more) {
        more.check(n_);
        constraints_ = more;
    }
    void budget(Choices& choices) {
        qubo::Constraints more = constraints_;
        qubo::LinearBudget budget;
        for (int k = choices.below(5); k > 0; --k) {
            const int i = choices.below(n_ + 1);
            budget.terms.push_back({i, choices.value()});
        }
        budget.lower = choices.value();
        budget.upper = choices.value();
        more.budgets.push_back(budget);
        keep(more);
    }
    void group(Choices& choices) {
        qubo::Constraints more = constraints_;
        if (choices.below(3) == 0) {
            const int i = choices.below(n_);
            more.fixed.push_back({i, static_cast<uint8_t>(choices.below(3))});
        } else {
            qubo::Group group;
            group.exactly_one = choices.below(2) == 1;
            for (int k = choices.below(5); k > 0; --k) group.members.push_back(choices.below(n_));
            more.groups.push_back(group);
        }
        keep(more);
    }

    int n_;
    qubo::Dense dense_;
    qubo::Factored factored_;
    qubo::Constraints constraints_;
};

bool close(double a, double b) { return std::abs(a - b) <= 1e-6 * (1 + std::abs(a)); }

void compare(const qubo::Problem& a, const qubo::Problem& b, std::span<const uint8_t> x) {
    require(close(a.energy(x), b.energy(x)), "the energies agree");
    const auto of_a = a.fields(x), of_b = b.fields(x);
    for (size_t i = 0; i < x.size(); ++i) require(close(of_a[i], of_b[i]), "the fields agree");
    std::vector<double> row_a(x.size()), row_b(x.size());
    for (int i = 0; i < a.variables(); ++i) {
        require(close(a.linear(i), b.linear(i)), "the linear terms agree");
        a.add_row(i, -1, row_a);
        b.add_row(i, -1, row_b);
        for (size_t j = 0; j < x.size(); ++j) {
            require(close(row_a[j], row_b[j]), "the rows agree");
            const auto other = static_cast<int>(j);
            if (other != i)
                require(close(a.coupling(i, other), b.coupling(i, other)), "the couplings agree");
        }
    }
}

// A flip changes the energy by its field.
void check_fields(const qubo::Problem& problem, std::vector<uint8_t> x) {
    const double before = problem.energy(x);
    const auto fields = problem.fields(x);
    for (size_t i = 0; i < x.size(); ++i) {
        x[i] ^= 1;
        const double change = x[i] ? fields[i] : -fields[i];
        require(std::abs(problem.energy(x) - before - change) <=
                    1e-6 * (1 + std::abs(before) + std::abs(change)),
                "fields are differences of energies");
        x[i] ^= 1;
    }
}

void check_ising(const qubo::Problem& problem, std::span<const uint8_t> x) {
    const qubo::Ising ising = qubo::to_ising(qubo::sparse_of(problem));
    require(close(ising.energy(qubo::spins_of(x)), problem.energy(x)), "the views agree");
    require(close(qubo::from_ising(ising).energy(x), problem.energy(x)), "and back");
}

void check_files(const qubo::Problem& problem, std::span<const uint8_t> x) {
    for (const qubo::Format format : qubo::kFormats) {
        std::string text;
        try {
            text = qubo::write_problem(problem, format);
        } catch (const InputError&) {
            continue;
        }
        const std::span data(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        const auto back = qubo::read_problem(data, "written", format);
        require(close(back.energy(x), problem.energy(x)), "files hold the energies");
        require(back.constraints.keeps(x) == problem.constraints.keeps(x), "and the constraints");
        if (format == qubo::Format::kOwnJson) require(back == problem, "and own files everything");
    }
}

// Any technique, its options within their ranges near either end, or beyond.
anneal::SolveOptions options_of(Choices& choices, int n) {
    anneal::SolveOptions options;
    const auto techniques = anneal::techniques();
    const anneal::Technique& technique =
        *techniques[static_cast<size_t>(choices.below(static_cast<int>(techniques.size())))];
    options.technique = technique.name;
    for (const anneal::Option& option : technique.options) {
        const int choice = choices.below(16);
        // Work without end is kept away, not numbers: what counts something stays small.
        double value = option.least + (option.whole ? choice : choice / 4.0);
        if (choice == 15 && option.most < 1e4) value = option.most;
        if (choice == 14) value = option.least - 1;
        const auto words = anneal::words_of(option);
        if (choice % 4 == 0 && !option.whole) continue;
        options.values[option.name] = option.is_choice()
                                          ? words[static_cast<size_t>(choice) % words.size()]
                                          : fmt::format("{}", value);
    }
    options.reads = 1 + choices.below(4);
    options.seed = choices.byte();
    options.threads = 1 + (choices.below(8) == 0);
    options.keep = 1 + choices.below(5);
    options.restarts = 1 + choices.below(3);
    options.polish = choices.below(2) == 0;
    options.time_limit = 2;  // far beyond what these need
    if (choices.below(4) == 0) options.target = choices.value();
    if (choices.below(4) == 0) options.penalty = choices.value();
    for (int k = choices.below(3); k > 0; --k) {
        auto& start = options.initial.emplace_back(static_cast<size_t>(n));
        for (auto& value : start) value = choices.byte() & 1;
    }
    return options;
}

// The lowest energy of assignments that keep the constraints; infinite where there are none.
double lowest_energy(const qubo::Problem& problem) {
    double lowest = std::numeric_limits<double>::infinity();
    std::vector<uint8_t> x(static_cast<size_t>(problem.variables()));
    for (unsigned word = 0; word < 1u << x.size(); ++word) {
        for (size_t i = 0; i < x.size(); ++i) x[i] = word >> i & 1;
        if (problem.constraints.keeps(x)) lowest = std::min(lowest, problem.energy(x));
    }
    return lowest;
}

void check_solutions(const qubo::Problem& problem, const anneal::SolveOptions& options) {
    anneal::SolveResult result;
    try {
        result = anneal::solve(problem, options);
    } catch (const InputError&) {
        return;
    }
    require(!result.lowest.empty(), "there is a solution");
    require(result.lowest.size() <= static_cast<size_t>(options.keep), "no more than asked for");
    const double lowest = lowest_energy(problem);
    for (size_t k = 0; k < result.lowest.size(); ++k) {
        const auto& [x, energy, multiplicity] = result.lowest[k];
        require(x.size() == static_cast<size_t>(problem.variables()), "of all variables");
        require(energy == problem.energy(x), "energies are those of the assignments");
        require(problem.constraints.keeps(x), "constraints are kept");
        require(k == 0 || result.lowest[k - 1].energy <= energy, "lowest first");
        require(energy >= lowest, "none below the lowest");
        require(multiplicity >= 1, "each was found");
    }
    if (result.bound)
        require(*result.bound <= lowest + 1e-6 * (1 + std::abs(lowest)), "bounds are bounds");
    if (result.end != anneal::EndReason::kFinished) return;
    anneal::SolveOptions other = options;
    other.threads = 3 - options.threads;
    const auto again = anneal::solve(problem, other);
    if (again.end != anneal::EndReason::kFinished) return;
    require(again.best == result.best && again.last == result.last && again.lowest == result.lowest,
            "the same answers for any number of threads");
}

void use(std::span<const uint8_t> bytes) {
    Choices choices(bytes);
    const int n = 1 + choices.below(kMostVariables);
    const bool spins = choices.below(2) == 1;
    Builder builder(n);
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (auto& value : x) value = choices.byte() & 1;
    const anneal::SolveOptions options = options_of(choices, n);
    for (int step = 0; step < kMostSteps && choices.left(); ++step) {
        try {
            builder.step(choices);
        } catch (const InputError&) {
        }
        const qubo::Problem dense = builder.dense();
        compare(dense, builder.factored(), x);
    }
    std::vector<qubo::Problem> forms{builder.factored()};
    forms.push_back({qubo::dense_of(forms[0]), forms[0].constraints});
    forms.push_back(builder.sparse());
    forms.push_back({qubo::best_form(qubo::sparse_of(forms[1])), forms[0].constraints});
    for (auto& problem : forms) {
        problem.spins = spins;
        compare(forms[0], problem, x);
        check_fields(problem, x);
        check_ising(problem, x);
        check_files(problem, x);
        problem.constraints.broken(x);
        require(problem.memory_bytes() > 0, "a problem takes memory");
        check_solutions(problem, options);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    use({data, size});
    return 0;
}
