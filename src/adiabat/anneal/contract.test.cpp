// SPDX-License-Identifier: Apache-2.0

// What technique.h asks of every technique, asked of every technique there is.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <string>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/anneal/technique.h"
#include "adiabat/base/processor_time.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

using Values = std::map<std::string, std::string>;

// Settings with which a technique is quick on small problems; others run as they are.
Values quick(const Technique& technique) {
    static const std::map<std::string, Values> kQuick = {
        {"quantum-annealing", {{"sweeps", "60"}, {"slices", "8"}}},
        {"genetic", {{"generations", "40"}, {"population", "40"}}},
        {"bifurcation", {{"sweeps", "100"}}},
        {"memetic", {{"generations", "20"}, {"population", "8"}}},
        {"tempering", {{"sweeps", "100"}, {"temperatures", "8"}}},
        {"population", {{"sweeps", "3"}, {"steps", "20"}}},
    };
    if (const auto found = kQuick.find(technique.name); found != kQuick.end()) return found->second;
    const bool has_sweeps = std::ranges::any_of(
        technique.options, [](const Option& o) { return o.name == std::string("sweeps"); });
    return has_sweeps ? Values{{"sweeps", "100"}} : Values{};
}

qubo::Problem sparse_problem(int n, uint64_t seed) {
    Random random(seed, 1);
    std::vector<qubo::Edge> edges;
    std::vector<double> linear;
    const auto bound = static_cast<uint32_t>(n);
    for (int i = 0; i < n; ++i) {
        linear.push_back(2 * random.uniform() - 1);
        for (int k = 0; k < 2; ++k)
            edges.push_back({i, static_cast<int>(random.below(bound)), 4 * random.uniform() - 2});
    }
    return {qubo::Sparse(n, edges, linear, random.uniform())};
}

qubo::Problem factored_problem(int n, uint64_t seed) {
    Random random(seed, 2);
    qubo::Factored problem(n);
    const auto count = static_cast<size_t>(n);
    const auto draw = [&](size_t size) {
        std::vector<double> values(size);
        for (double& value : values) value = 2 * random.uniform() - 1;
        return values;
    };
    problem.add_offset(0.25);
    for (int i = 0; i < n; ++i) problem.add_linear(i, 2 * random.uniform() - 1);
    problem.add_squares(draw(3 * count), draw(3), draw(3));
    if (n >= 4) {
        std::vector<double> block = draw(9);
        for (size_t i = 0; i < 3; ++i)
            for (size_t j = 0; j < i; ++j) block[i * 3 + j] = block[j * 3 + i];
        problem.add_block(n - 3, 3, block);
    }
    return {problem};
}

// By trying all assignments, each one flip from the one before (Gray's code).
double lowest_of_all(const qubo::Problem& problem) {
    const int n = problem.variables();
    LocalFields state(problem, std::vector<uint8_t>(static_cast<size_t>(n), 0));
    double lowest = state.energy();
    for (uint64_t k = 1; k < uint64_t{1} << n; ++k) {
        state.flip(std::countr_zero(k));
        lowest = std::min(lowest, state.energy());
    }
    return lowest;
}

// Problems of all forms and sizes with their lowest energies, made once.
struct Known {
    qubo::Problem problem;
    double lowest;
};
const std::vector<Known>& known_problems() {
    static const std::vector<Known> kKnown = [] {
        std::vector<Known> all;
        const auto add = [&](qubo::Problem problem) {
            const double lowest = lowest_of_all(problem);
            all.push_back({std::move(problem), lowest});
        };
        for (int n = 1; n <= 20; ++n) {
            const uint64_t seed = 100 + static_cast<uint64_t>(n);
            add({n % 2 ? qubo::random_dense(n, seed) : qubo::random_integer(n, seed)});
            add(sparse_problem(n, seed));
            add(factored_problem(n, seed));
        }
        for (const int n : {1, 7, 17}) {  // nothing to choose between
            add({qubo::Dense(n)});
            add({qubo::Sparse(n, {})});
            add({qubo::Factored(n)});
        }
        qubo::Dense lonely(5);  // a variable without a term among others
        lonely.add_linear(0, -1);
        lonely.add_coupling(1, 3, -2);
        add({lonely});
        return all;
    }();
    return kKnown;
}

struct Call {
    const Technique& technique;
    OptionValues values;
    Watch watch;

    Call(const Technique& used, const Values& given, std::optional<double> limit = {},
         std::optional<double> target = {}, StopToken stop = {})
        : technique(used),
          values(used.options),
          watch(std::move(stop), limit, target, no_progress()) {
        for (const auto& [name, value] : given) values.set(name, value);
    }
    Outcome operator()(const qubo::Problem& problem, int reads, int threads = 1,
                       std::span<const std::vector<uint8_t>> initial = {}) {
        const Task task{problem, values, 42, reads, threads, 0, initial, watch};
        EXPECT_GT(technique.memory_bytes(task), 0u);
        return technique.run(task);
    }
};

void expect_valid(const Outcome& outcome, const qubo::Problem& problem) {
    ASSERT_FALSE(outcome.reads.empty());
    const auto n = static_cast<size_t>(problem.variables());
    const double tolerance = 1e-9 * (1 + energy_tolerance(problem) * 1e12);
    for (const Read& read : outcome.reads) {
        ASSERT_EQ(read.best.size(), n);
        ASSERT_EQ(read.last.size(), n);
        for (size_t i = 0; i < n; ++i) ASSERT_TRUE(read.best[i] <= 1 && read.last[i] <= 1);
        EXPECT_LE(problem.energy(read.best), problem.energy(read.last) + tolerance);
    }
}

double lowest_of(const Outcome& outcome, const qubo::Problem& problem) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const Read& read : outcome.reads) lowest = std::min(lowest, problem.energy(read.best));
    return lowest;
}

// So large, or as large as an exact technique ends on in a moment.
int size_for(const Technique& technique, int variables) {
    const std::string name = technique.name;
    if (name == "exhaustive") return std::min(variables, 20);
    if (name == "branch-and-bound") return std::min(variables, 30);
    return variables;
}

class Contract : public ::testing::TestWithParam<const Technique*> {};

TEST_P(Contract, FindsTheOptimumOfSmallProblems) {
    for (const Known& known : known_problems()) {
        const int n = known.problem.variables();
        if (n > GetParam()->most_variables) continue;
        Call run(*GetParam(), quick(*GetParam()));
        const Outcome outcome = run(known.problem, 16);
        expect_valid(outcome, known.problem);
        const double tolerance = 1e-9 * (1 + std::abs(known.lowest));
        EXPECT_NEAR(lowest_of(outcome, known.problem), known.lowest, tolerance)
            << known.problem.form_name() << " " << n;
        EXPECT_GE(run.watch.lowest(), known.lowest - tolerance);  // nothing untrue was offered
    }
}

TEST_P(Contract, GivesTheSameReadsForAnyNumberOfThreads) {
    const int n = size_for(*GetParam(), 40);
    const std::vector<qubo::Problem> problems = {
        {qubo::random_dense(n, 7)}, sparse_problem(n, 7), factored_problem(n, 7)};
    for (const qubo::Problem& problem : problems) {
        const Outcome one = Call(*GetParam(), quick(*GetParam()))(problem, 9);
        for (const int threads : {2, 4}) {
            const Outcome more = Call(*GetParam(), quick(*GetParam()))(problem, 9, threads);
            ASSERT_EQ(more.reads.size(), one.reads.size());
            for (size_t r = 0; r < one.reads.size(); ++r) {
                EXPECT_EQ(more.reads[r].best, one.reads[r].best);
                EXPECT_EQ(more.reads[r].last, one.reads[r].last);
            }
            EXPECT_EQ(more.flips, one.flips);
            EXPECT_EQ(more.proposals, one.proposals);
        }
    }
}

TEST_P(Contract, ReturnsAFirstReadWhereTheRunIsOverAtOnce) {
    const int n = size_for(*GetParam(), 500);
    for (const auto& problem :
         {qubo::Problem{qubo::random_dense(n, 3)}, sparse_problem(n, 3), factored_problem(n, 3)}) {
        std::vector<std::vector<uint8_t>> initial(1, std::vector<uint8_t>(static_cast<size_t>(n)));
        for (size_t i = 0; i < initial[0].size(); i += 3) initial[0][i] = 1;
        StopSource source;
        source.request();
        Call run(*GetParam(), {}, {}, {}, source.token());
        const double before = processor_seconds();
        const Outcome outcome = run(problem, 50, 2, initial);
        EXPECT_LT(processor_seconds() - before, 0.1);  // it takes some milliseconds
        expect_valid(outcome, problem);
        EXPECT_LE(lowest_of(outcome, problem), problem.energy(initial[0]) + 1e-9);
    }
}

TEST_P(Contract, KeepsATimeLimit) {
    const int n = size_for(*GetParam(), 300);
    for (const auto& problem :
         {qubo::Problem{qubo::random_dense(n, 3)}, sparse_problem(n, 3), factored_problem(n, 3)}) {
        Call run(*GetParam(), {}, 0.03);
        const double before = processor_seconds();  // the machine may do other work
        const Outcome outcome = run(problem, 4'000, 2);
        EXPECT_LT(processor_seconds() - before, 2 * 0.03 + 0.2);
        expect_valid(outcome, problem);
        EXPECT_GE(run.watch.lowest(), lowest_of(outcome, problem) - 1e-9);
    }
}

TEST_P(Contract, EndsAtATarget) {
    const int n = size_for(*GetParam(), 300);
    const qubo::Problem problem{qubo::random_dense(n, 3)};
    const double half = 0.5 * lowest_of(Call(*GetParam(), quick(*GetParam()))(problem, 1), problem);
    Call run(*GetParam(), {}, 60.0, half);
    const Outcome outcome = run(problem, 200, 2);
    expect_valid(outcome, problem);
    EXPECT_LE(lowest_of(outcome, problem), half);
}

bool keeps_itself(Keeps keeps) {
    return keeps == Keeps::kNatively || keeps == Keeps::kByOscillation;
}

TEST_P(Contract, KeepsTheConstraintsThatItSaysItKeeps) {
    const Technique& technique = *GetParam();
    const int n = 15;
    qubo::Problem problem{qubo::random_dense(n, 11)};
    if (keeps_itself(technique.groups)) {
        problem.constraints.groups = {{{0, 1, 2, 3}, true}, {{4, 5, 6}, false}};
    }
    if (keeps_itself(technique.budgets)) {
        qubo::LinearBudget budget;
        for (int i = 0; i < n; ++i) budget.terms.push_back({i, 1.0 + i % 3});
        budget.lower = 5;
        budget.upper = 12;
        problem.constraints.budgets = {budget};
    }
    if (problem.constraints.empty() || n > technique.most_variables) return;
    std::vector<std::vector<uint8_t>> initial(1, std::vector<uint8_t>(n, 0));
    initial[0][0] = initial[0][7] = initial[0][8] = initial[0][9] = 1;
    ASSERT_TRUE(problem.constraints.keeps(initial[0]));
    const qubo::Dense& dense = std::get<qubo::Dense>(problem.form);
    double lowest = std::numeric_limits<double>::infinity();
    std::vector<uint8_t> x(n);
    for (uint64_t word = 0; word < uint64_t{1} << n; ++word) {
        for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = word >> i & 1;
        if (problem.constraints.keeps(x)) lowest = std::min(lowest, dense.energy_of_word(word));
    }
    const Outcome outcome = Call(technique, quick(technique))(problem, 16, 1, initial);
    expect_valid(outcome, problem);
    for (const Read& read : outcome.reads) {
        EXPECT_EQ(problem.constraints.broken(read.best), std::nullopt);
        EXPECT_EQ(problem.constraints.broken(read.last), std::nullopt);
    }
    EXPECT_NEAR(lowest_of(outcome, problem), lowest, 1e-9);
}

TEST_P(Contract, SolvesWithConstraintsOfWhateverKind) {
    const Technique& technique = *GetParam();
    qubo::Problem problem = testing::random_problem(testing::Form::kDense, 12, 5);
    problem.constraints = testing::random_constraints(12, 5);
    problem.constraints.fixed = {{3, 1}};
    if (technique.budgets == Keeps::kNot || technique.groups == Keeps::kNot) return;
    SolveOptions options;
    options.technique = technique.name;
    options.values = quick(technique);
    const SolveResult result = solve(problem, options);
    EXPECT_NEAR(result.lowest.front().energy, brute_force(problem), 1e-9);
    for (const Solution& solution : result.lowest)
        EXPECT_EQ(problem.constraints.broken(solution.x), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Every, Contract,
                         ::testing::ValuesIn(techniques().begin(), techniques().end()),
                         [](const auto& each) {
                             std::string name = each.param->name;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST(Techniques, AreFoundByName) {
    for (const Technique* const each : techniques()) {
        EXPECT_EQ(&technique(each->name), each);
        EXPECT_NE(std::string(each->idea), "");
        const OptionValues values(each->options);
        for (const Option& option : each->options) {
            EXPECT_LE(option.least, option.most);
            EXPECT_NE(std::string(option.help), "");
            if (values.has(option.name)) {
                EXPECT_GE(values[option.name], option.least) << option.name;
                EXPECT_LE(values[option.name], option.most) << option.name;
            }
        }
    }
    EXPECT_THROW(technique("magic"), InputError);
}

}  // namespace
}  // namespace adiabat::anneal
