// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/solve.h"

#include <gtest/gtest.h>

#include <chrono>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {
namespace {

using testing::Form;
using testing::random_problem;

SolveOptions quick() {
    SolveOptions options;
    options.values["sweeps"] = "200";
    options.reads = 8;
    return options;
}

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <typename Work>
std::string message_of(Work work) {
    try {
        work();
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Solve, FindsTheOptimumOfAThousandRandomProblems) {
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const auto form = testing::kForms[seed % 3];
        const int n = 1 + static_cast<int>(seed % 14);
        qubo::Problem problem = random_problem(form, n, seed);
        if (seed % 2) problem.constraints = testing::random_constraints(n, seed);
        const auto result = solve(problem, quick());
        EXPECT_NEAR(result.lowest.front().energy, brute_force(problem), 1e-9) << seed;
        EXPECT_TRUE(problem.constraints.keeps(result.lowest.front().x));
    }
}

TEST(Solve, TheSameForAnyNumberOfThreads) {
    for (const Form form : testing::kForms) {
        const auto problem = random_problem(form, 60, 5);
        SolveOptions options = quick();
        options.values["sweeps"] = "20";
        options.reads = 11;
        options.threads = 1;
        const auto one = solve(problem, options);
        for (const int threads : {2, 4}) {
            options.threads = threads;
            const auto other = solve(problem, options);
            EXPECT_EQ(one.lowest, other.lowest);
            EXPECT_EQ(one.best, other.best);
            EXPECT_EQ(one.last, other.last);
        }
        options.seed = 1;
        EXPECT_NE(solve(problem, options).last, one.last);
    }
}

TEST(Solve, CountsHowOftenAStateWasMet) {
    const auto problem = random_problem(Form::kDense, 8, 1);
    SolveOptions options = quick();
    options.reads = 50;
    const auto result = solve(problem, options);
    ASSERT_EQ(result.best.size(), 50u);
    int count = 0;
    for (size_t r = 0; r < 50; ++r) {
        count += result.best[r].x == result.lowest.front().x ||
                 result.last[r].x == result.lowest.front().x;
    }
    EXPECT_EQ(result.lowest.front().multiplicity, count);
    EXPECT_TRUE(result.lowest.complete);
    EXPECT_EQ(result.end, EndReason::kFinished);
}

TEST(Solve, FixedVariablesStay) {
    for (const Form form : testing::kForms) {
        for (uint64_t seed = 0; seed < 30; ++seed) {
            qubo::Problem problem = random_problem(form, 9, seed);
            problem.constraints.fixed = {{1, 1}, {7, 0}, {4, 1}};
            problem.constraints.groups = {{{1, 2, 3}, true}, {{5, 6, 7}, true}};
            problem.constraints.budgets = {{{{0, 1.0}, {1, 2.0}, {5, 1.5}}, 1, 3.6}};
            const auto result = solve(problem, quick());
            EXPECT_NEAR(result.lowest.front().energy, brute_force(problem), 1e-9);
            EXPECT_TRUE(problem.constraints.keeps(result.lowest.front().x));
        }
    }
}

TEST(Solve, AllVariablesFixed) {
    qubo::Problem problem = random_problem(Form::kDense, 3, 1);
    problem.constraints.fixed = {{0, 1}, {1, 0}, {2, 1}};
    const auto result = solve(problem, quick());
    EXPECT_EQ(result.lowest.front().x, (std::vector<uint8_t>{1, 0, 1}));
    EXPECT_EQ(result.bound, result.lowest.front().energy);
}

TEST(Solve, StartsWhereItIsTold) {
    const auto problem = random_problem(Form::kDense, 40, 2);
    SolveOptions options = quick();
    options.values = {{"sweeps", "1"}, {"beta-min", "1e9"}, {"beta-max", "1e9"}};
    // The optimum stays where it is at zero temperature.
    const auto best = solve(problem, quick()).lowest.front();
    options.initial = {best.x};
    EXPECT_EQ(solve(problem, options).last.front().x, best.x);
}

TEST(Solve, EndsAtATarget) {
    const auto problem = random_problem(Form::kDense, 100, 2);
    SolveOptions options = quick();
    const double reachable = solve(problem, options).lowest.front().energy;
    options.restarts = 0;
    options.target = reachable + 0.1;
    const auto result = solve(problem, options);
    EXPECT_EQ(result.end, EndReason::kTargetReached);
    EXPECT_LE(result.lowest.front().energy, *options.target);
}

TEST(Solve, RestartsUntilTheTimeLimit) {
    const auto problem = random_problem(Form::kSparse, 50, 2);
    SolveOptions options = quick();
    options.restarts = 0;
    options.time_limit = 0.2;
    options.threads = 1;
    SolveResult result;
    const double before = processor_seconds();  // the machine may do other work
    const double seconds = seconds_of([&] { result = solve(problem, options); });
    EXPECT_GT(result.rounds, 1);
    EXPECT_EQ(result.end, EndReason::kTimeLimit);
    EXPECT_FALSE(result.lowest.complete);
    EXPECT_GT(seconds, 0.1);
    EXPECT_LT(processor_seconds() - before, 0.4);
}

TEST(Solve, AStopReturnsTheBestSoFar) {
    const auto problem = random_problem(Form::kDense, 200, 2);
    StopSource source;
    source.request();
    SolveOptions options = quick();
    options.values["sweeps"] = "100000000";
    options.threads = 1;
    const double before = processor_seconds();
    const SolveResult result = solve(problem, options, source.token());
    EXPECT_LT(processor_seconds() - before, 0.4);
    EXPECT_EQ(result.end, EndReason::kInterrupted);
    ASSERT_FALSE(result.lowest.empty());
}

// So many variables that setting up is cut short as well: what comes back are assignments with
// their true energies all the same.
TEST(Solve, AStopWhileSettingUpReturnsStates) {
    StopSource source;
    source.request();
    for (const Form form : {Form::kDense, Form::kSparse}) {
        const auto problem = random_problem(form, 1200, 2);
        for (const Technique* const technique : techniques()) {
            if (technique->most_variables < problem.variables()) continue;
            SolveOptions options;
            options.technique = technique->name;
            options.threads = 2;
            const SolveResult result = solve(problem, options, source.token());
            EXPECT_EQ(result.end, EndReason::kInterrupted) << technique->name;
            ASSERT_FALSE(result.best.empty()) << technique->name;
            ASSERT_EQ(result.best.size(), result.last.size()) << technique->name;
            for (const Solution& solution : result.best) {
                ASSERT_EQ(solution.x.size(), 1200u) << technique->name;
                EXPECT_EQ(solution.energy, problem.energy(solution.x)) << technique->name;
            }
        }
    }
}

TEST(Solve, RefusesWhatItCannotHold) {
    const auto problem = random_problem(Form::kDense, 300, 2);
    SolveOptions options = quick();
    options.memory_limit = 1000;
    const auto message = message_of([&] { solve(problem, options); });
    EXPECT_TRUE(message.starts_with("annealing needs ")) << message;
}

TEST(Solve, SaysWhatIsWrong) {
    const auto problem = random_problem(Form::kDense, 4, 2);
    const auto with = [&](auto change) {
        SolveOptions options = quick();
        qubo::Problem changed = problem;
        change(options, changed);
        return message_of([&] { solve(changed, options); });
    };
    using O = SolveOptions;
    using P = qubo::Problem;
    EXPECT_EQ(with([](O& o, P&) { o.reads = 0; }), "reads is 0: expected 1 to 1,000,000");
    EXPECT_EQ(with([](O& o, P&) { o.restarts = 0; }),
              "restarts is 0: until a limit, so expected a time limit or a target energy");
    EXPECT_EQ(with([](O& o, P&) { o.values["sweeps"] = "0.5"; }),
              "sweeps is 0.5: expected 1 to 4,000,000,000, whole");
    EXPECT_EQ(
        with([](O& o, P&) { o.values["sweep"] = "5"; }),
        "there is no option 'sweep' here: expected sweeps, beta-min, beta-max, schedule or moves");
    EXPECT_EQ(with([](O& o, P&) { o.values["schedule"] = "fast"; }),
              "schedule is 'fast': expected geometric, linear or adaptive");
    EXPECT_EQ(with([](O& o, P&) {
                  o.initial = {{0, 1}};
              }),
              "an initial state has 2 values: expected 4");
    EXPECT_EQ(with([](O& o, P&) {
                  o.initial = {{0, 1, 2, 0}};
              }),
              "an initial state holds 2: expected 0 and 1");
    EXPECT_EQ(with([](O& o, P&) { o.time_limit = -1; }),
              "the time limit is -1: expected 0 or more seconds");
    EXPECT_EQ(with([](O& o, P&) {
                  o.values["beta-min"] = "5";
                  o.values["beta-max"] = "1";
              }),
              "the temperatures are beta 5 to 1: expected beta-min <= beta-max");
    EXPECT_EQ(with([](O&, P& p) {
                  p.constraints.fixed = {{0, 0}, {0, 1}};
              }),
              "variable 0 is fixed at both 0 and 1");
    EXPECT_EQ(with([](O&, P& p) {
                  p.constraints.groups = {{{0, 1}, true}, {{0, 2}, true}, {{1, 2}, true}};
                  p.constraints.budgets = {{{{3, 1.0}}, 0, 1}};
              }).substr(0, 57),
              "no assignment was found that keeps the constraints: of th");
}

TEST(Solve, SchedulesRiseFromOneTemperatureToTheOther) {
    const auto problem = random_problem(Form::kDense, 50, 3);
    for (const char* schedule : {"geometric", "linear", "adaptive"}) {
        SolveOptions options = quick();
        options.values["schedule"] = schedule;
        options.values["sweeps"] = "2000";
        const auto result = solve(problem, options);
        EXPECT_NEAR(result.lowest.front().energy, solve(problem, quick()).lowest.front().energy,
                    0.2)
            << schedule;
        EXPECT_EQ(result.options["schedule"], schedule);
    }
}

}  // namespace
}  // namespace adiabat::anneal
