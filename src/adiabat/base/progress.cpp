// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/progress.h"

namespace adiabat {

ProgressSink& no_progress() {
    class Silent : public ProgressSink {
        void begin(std::string_view, uint64_t, std::string_view) override {}
        void update(uint64_t, std::string_view) override {}
        void end() override {}
        void say(std::string_view) override {}
    };
    static Silent silent;
    return silent;
}

}  // namespace adiabat
