// SPDX-License-Identifier: Apache-2.0
#pragma once

// Optional parts that are libraries of their own, opened on first use so that nothing else starts
// with what they need. They lie beside the library that asks, or in ../lib of the program.

#include <string>

namespace adiabat {

struct Module {
    const char* file;      // "libadiabat_genetic.so"
    const char* variable;  // of the environment, that names another file
    const char* what;      // "the genetic algorithm": what needs it
};

// The function of that name; never null. Throws InputError where the module is not found, does not
// load, or has no such function. The module stays open.
void* module_function(const Module& module, const char* function);

}  // namespace adiabat
