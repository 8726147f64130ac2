// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds and loads the plug-in that runs networks, libadiabat_torch.so.
//
// It is opened with dlopen the first time anyone asks, once a process, and never closed: LibTorch
// leaves threads and registrations behind. Its symbols stay local. Searched in this order: the file
// that the environment variable ADIABAT_TORCH_PLUGIN names, the folder of libadiabat.so, and ../lib
// beside the executable.
//
// Where LibTorch's BLAS is OpenBLAS, that computes each product on the thread that asks from then
// on: whoever uses it beside adiabat in one process may set its threads anew, but not while adiabat
// runs. Its build without threads (Debian's openblas-serial) mixes up products that several threads
// ask for at once, and is refused.

#include <memory>

#include "adiabat/net/engine.h"

namespace adiabat::pipeline {

// A new engine. Throws InputError, one line, where the plug-in is not found, does not load, or was
// built for another version, or where its BLAS is the one that is refused.
std::unique_ptr<net::Engine> load_engine();

}  // namespace adiabat::pipeline
