// SPDX-License-Identifier: Apache-2.0
#pragma once

// Weights that a model keeps in other files: `data_location: EXTERNAL`, with location, offset and
// length beside it.
//
// The location is relative to the folder of the model and must stay inside it: no absolute path, no
// "..". Offset and length are checked against the file before anything is allocated. O(bytes read).
//
// Source: onnx/docs/ExternalData.md.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace onnx {
class TensorProto;
}

namespace adiabat::onnx {

bool is_external(const ::onnx::TensorProto& proto);

class ExternalFiles {
  public:
    // Without a folder there are no other files: a model in memory has none.
    explicit ExternalFiles(std::optional<std::filesystem::path> folder)
        : folder_(std::move(folder)) {}

    // The data of a tensor of `needed` bytes. `what` begins every message. Throws InputError where
    // there is no folder, no such file, or where it does not hold what the tensor says.
    std::vector<uint8_t> read(const ::onnx::TensorProto& proto, int64_t needed,
                              const std::string& what);

    int64_t bytes_read() const { return bytes_read_; }

  private:
    std::optional<std::filesystem::path> folder_;
    int64_t bytes_read_ = 0;
};

}  // namespace adiabat::onnx
