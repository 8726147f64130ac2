// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where long loops say how far they are. The library never prints: a caller that wants to see
// progress passes a sink (the tool's draws a bar on a terminal and writes plain lines elsewhere).

#include <cstdint>
#include <string_view>

namespace adiabat {

class ProgressSink {
  public:
    virtual ~ProgressSink() = default;

    // A stage begins: its name, how many steps it has (0: unknown) and what they count ("images").
    // The stage before it has ended.
    virtual void begin(std::string_view stage, uint64_t steps, std::string_view unit) = 0;

    // So many steps of the current stage are done; `note` is a few words ("energy -0.31").
    virtual void update(uint64_t done, std::string_view note = {}) = 0;

    // The current stage ends; nothing where there is none.
    virtual void end() = 0;

    // Something that the user should know, one line, whatever the stage.
    virtual void say(std::string_view line) = 0;
};

// The sink that nobody reads.
ProgressSink& no_progress();

}  // namespace adiabat
