// SPDX-License-Identifier: Apache-2.0
#pragma once

// LibTorch's warnings ("scatter_reduce() is in beta") go to stderr unless somebody takes them, and
// the library does not print. Taken a thread at a time, for the lifetime of a Silence.

#include <c10/util/Exception.h>
#include <torch/version.h>

namespace adiabat::torch {

struct NoWarnings final : c10::WarningHandler {
#if TORCH_VERSION_MAJOR < 2
    void process(const c10::SourceLocation&, const std::string&, const bool) override {}
#else
    void process(const c10::Warning&) override {}
#endif
};

class Silence {
  private:
    NoWarnings handler_;
#if TORCH_VERSION_MAJOR < 2
    c10::Warning::WarningHandlerGuard guard_{&handler_};
#else
    c10::WarningUtils::WarningHandlerGuard guard_{&handler_};
#endif
};

}  // namespace adiabat::torch
