// SPDX-License-Identifier: Apache-2.0
#pragma once

// The command line: one file a verb, each holding its options, its help and what it prints.
//
// Exit codes: 0 done, 2 the input is at fault (one line on standard error says what, where, and
// what would be right), 3 interrupted, 70 our own bug. Results go to standard output, progress to
// standard error.

namespace adiabat::cli {

int run_tool(int argc, char** argv);

}  // namespace adiabat::cli
