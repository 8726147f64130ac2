// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/hamiltonian.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "adiabat/plan/problems.test.h"

namespace adiabat::plan {
namespace {

NetworkOptions some_widths() {
    NetworkOptions options;
    options.widths = {2, 3, 6, 8};
    options.first_last = 8;
    return options;
}

TEST(Hamiltonian, OneHotHasAVariableForEveryWidth) {
    const Fixture f(net::residual_network(2), 1, some_widths());
    const Encoding encoding = one_hot_encoding(f.network);
    int64_t expected = 0;
    for (size_t k = 0; k < f.network.families(); ++k) expected += f.network.groups(k);
    for (size_t k = 0; k < f.network.layers.size(); ++k) {
        const auto widths = static_cast<int>(f.network.widths(k).size());
        EXPECT_EQ(encoding.layers[k].count, widths > 1 ? widths : 0);
        expected += encoding.layers[k].count;
        for (const Encoding::Word& word : encoding.layers[k].words) {
            EXPECT_EQ(std::popcount(word.pattern), widths > 1 ? 1 : 0);
        }
    }
    EXPECT_EQ(encoding.variables, expected);
    EXPECT_EQ(encoding.layers[0].words, (std::vector<Encoding::Word>{{8, 0}}));
}

TEST(Hamiltonian, PlansComeBack) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
        NetworkOptions options = seed % 2 ? some_widths() : NetworkOptions();
        options.branches = seed >= 4;
        if (seed == 3) options = with_activations(options);
        const Fixture f(net::residual_network(seed), 1, options);
        std::vector<Encoding> encodings = {one_hot_encoding(f.network)};
        if (!options.branches) encodings.push_back(f.problem.encoding());
        for (const Encoding& encoding : encodings) {
            const std::vector<double> revival(static_cast<size_t>(encoding.variables), 0.0);
            Random random(seed);
            for (int trial = 0; trial < 20; ++trial) {
                const Plan plan = f.random_plan(random);
                const auto x = encode(f.network, encoding, plan);
                EXPECT_EQ(decode(f.network, encoding, x, revival), plan);
                std::vector<uint8_t> any(x.size());
                for (uint8_t& value : any) value = random.below(2);
                check_plan(f.network, decode(f.network, encoding, any, revival));
            }
        }
    }
}

TEST(Hamiltonian, PatternsThatAreNoWordMeanTheNearest) {
    const Fixture f(1);
    const Encoding encoding = one_hot_encoding(f.network);
    const std::vector<double> revival(static_cast<size_t>(encoding.variables), 0.0);
    const auto bits_of = [&](uint32_t pattern) {
        auto x = encode(f.network, encoding, uniform_plan(f.network, 4));
        for (int b = 0; b < encoding.layers[1].count; ++b) {
            x[encoding.layers[1].at(b)] = pattern >> b & 1;
        }
        return decode(f.network, encoding, x, revival).bits[1];
    };
    EXPECT_EQ(bits_of(0b0000001), 2);
    EXPECT_EQ(bits_of(0b0010001), 6);  // the widest that is set
    EXPECT_EQ(bits_of(0b0011101), 6);
    EXPECT_EQ(bits_of(0), 8);
}

TEST(Hamiltonian, RevivesWhatIsWorthMost) {
    NetworkOptions options;
    options.least_kept = 0.4;
    const Fixture f(net::residual_network(3), 1, options);
    const Encoding encoding = one_hot_encoding(f.network);
    Random random(1);
    std::vector<double> revival;
    for (int k = 0; k < encoding.variables; ++k) revival.push_back(random.normal());
    const Plan plan =
        decode(f.network, encoding,
               std::vector<uint8_t>(static_cast<size_t>(encoding.variables), 1), revival);
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        EXPECT_EQ(f.network.groups(g) - cut_count(plan, g), f.network.least_kept(g));
        const auto value = [&](size_t m) {
            return revival[static_cast<size_t>(encoding.cut_variable(g, m))];
        };
        for (size_t a = 0; a < plan.cut[g].size(); ++a) {
            for (size_t b = 0; b < plan.cut[g].size(); ++b) {
                if (!plan.cut[g][a] && plan.cut[g][b]) {
                    EXPECT_LT(value(a), value(b));
                }
            }
        }
    }
}

TEST(Hamiltonian, EveryVariableHasANameOfItsOwn) {
    const Fixture with(net::residual_network(2), 1, with_branches()),
        f(net::residual_network(2), 1, with_activations());
    const auto last = variable_names(f.network, one_hot_encoding(f.network)).back();
    EXPECT_EQ(last.substr(0, 11), "activation ");
    EXPECT_EQ(last.substr(last.size() - 3), " 32");
    for (const auto& [network, encoding] :
         {std::pair{&with.network, one_hot_encoding(with.network)},
          {&f.network, one_hot_encoding(f.network)},
          {&f.network, f.problem.encoding()}}) {
        auto names = variable_names(*network, encoding);
        const auto first = static_cast<size_t>(encoding.layers[0].first);
        EXPECT_EQ(names[0].substr(0, 4), "cut ");
        EXPECT_EQ(names[first].substr(0, 5), "bits ");
        std::sort(names.begin(), names.end());
        EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    }
}

}  // namespace
}  // namespace adiabat::plan
