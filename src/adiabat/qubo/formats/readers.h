// SPDX-License-Identifier: Apache-2.0
#pragma once

// The readers and writers of single formats, one file each; formats.h chooses among them.

#include <string>

#include "adiabat/qubo/formats/formats.h"
#include "adiabat/qubo/formats/scan.h"

namespace adiabat::qubo::formats {

Problem read_coo(const Source& source, const ReadOptions& options);
std::string write_coo(const Problem& problem);
Problem read_bqm_json(const Source& source, const ReadOptions& options);
std::string write_bqm_json(const Problem& problem);
Problem read_bqm_binary(const Source& source, const ReadOptions& options);
std::string write_bqm_binary(const Problem& problem);
Problem read_qbsolv(const Source& source, const ReadOptions& options);
std::string write_qbsolv(const Problem& problem);
Problem read_rudy(const Source& source, const ReadOptions& options);
std::string write_rudy(const Problem& problem);
Problem read_rudy_ising(const Source& source, const ReadOptions& options);
std::string write_rudy_ising(const Problem& problem);
Problem read_biqmac(const Source& source, const ReadOptions& options);
std::string write_biqmac(const Problem& problem);
Problem read_lp(const Source& source, const ReadOptions& options);
std::string write_lp(const Problem& problem);
Problem read_own_json(const Source& source, const ReadOptions& options);
std::string write_own_json(const Problem& problem);

}  // namespace adiabat::qubo::formats
