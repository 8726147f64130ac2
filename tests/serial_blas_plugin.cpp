// SPDX-License-Identifier: Apache-2.0
//
// An engine plug-in whose BLAS says that it is OpenBLAS's build without threads: never an engine.

#include "adiabat/net/engine.h"

extern "C" {
adiabat::net::Engine* adiabat_make_engine(int) { return nullptr; }
int openblas_get_parallel() { return 0; }
void openblas_set_num_threads(int) {}
}
