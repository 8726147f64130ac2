// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "adiabat/base/random.h"

namespace adiabat::plan {
namespace {

std::vector<JudgedPlan> plans_of(const Interactions& truth, double noise, int count) {
    Random random(1, 2);
    std::vector<JudgedPlan> plans;
    for (int k = 0; k < count; ++k) {
        JudgedPlan plan;
        plan.terms.single = 0.1 + 3 * random.uniform();
        plan.terms.within = plan.terms.single * (0.1 + 0.6 * random.uniform());
        plan.terms.cuts = plan.terms.single * (0.8 * random.uniform() - 0.1);
        plan.divergence = 0.02 * std::pow(plan.terms.energy(truth), 1.4) *
                          std::exp(noise * (random.uniform() - 0.5));
        plans.push_back(plan);
    }
    return plans;
}

TEST(Fit, FindsWhatPlansWereMadeWith) {
    const Interactions truth = {1.3, 1, 0.25, 0, 0, true};
    const auto plans = plans_of(truth, 0, 20);
    const Fit fit = fit_interactions(plans, {0.5, 1, 0.1, 0.3, 0.7, 0});
    EXPECT_NEAR(fit.interactions.kappa, 1.3, 0.15);
    EXPECT_NEAR(fit.interactions.rho_cuts, 0.25, 0.1);
    // Nothing says anything of these.
    EXPECT_EQ(fit.interactions.rho_mixed, 0.3);
    EXPECT_EQ(fit.interactions.rho_widths, 0.7);
    EXPECT_NEAR(fit.exponent, 1.4, 0.02);
    EXPECT_GT(fit.correlation, 0.999);
    for (const JudgedPlan& plan : plans) {
        EXPECT_NEAR(fit.predicted(plan.terms), plan.divergence, 0.05 * plan.divergence);
    }
}

TEST(Fit, LetsVanishWhatIsNotThere) {
    const Fit fit =
        fit_interactions(plans_of({0, 1, 0, 0, 0, 0}, 0.02, 40), {0.5, 1, 0.3, 0, 0, 0});
    EXPECT_LT(fit.interactions.kappa, 0.1);
    EXPECT_LT(fit.interactions.rho_cuts, 0.1);
}

TEST(Fit, OfOneOrNoPlanIsNoTrouble) {
    EXPECT_EQ(calibrate({}, {}).scale, 0);
    const auto one = plans_of({1, 1, 0, 0, 0, 0}, 0, 1);
    const Fit fit = fit_interactions(one, {1, 1, 0, 0, 0, 0});
    EXPECT_EQ(fit.exponent, 1);
    EXPECT_EQ(fit.interactions, (Interactions{1, 1, 0, 0, 0, 0}));
    EXPECT_NEAR(fit.predicted(one[0].terms), one[0].divergence, 1e-12);
}

TEST(Fit, IsNeverWorseThanCalibrationAlone) {
    const auto plans = plans_of({0.8, 1, 0.1, 0, 0, true}, 0.3, 12);
    const Interactions before = {0.2, 1, 0.4, 0, 0, true};
    EXPECT_LE(fit_interactions(plans, before).error, calibrate(plans, before).error);
}

}  // namespace
}  // namespace adiabat::plan
