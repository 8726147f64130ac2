// SPDX-License-Identifier: Apache-2.0
//
// The tool: hands its arguments to cli.

#include "adiabat/cli/tool.h"

int main(int argc, char** argv) { return adiabat::cli::run_tool(argc, argv); }
