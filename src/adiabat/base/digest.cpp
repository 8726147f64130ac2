// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/digest.h"

#include <sha2.h>

#include <fstream>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat {

namespace {

constexpr std::streamsize kPieceBytes = 1 << 18;

}  // namespace

struct Sha256::State {
    SHA2_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { SHA256Init(&state_->context); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const uint8_t> bytes) {
    if (!bytes.empty()) SHA256Update(&state_->context, bytes.data(), bytes.size());
    return *this;
}

Sha256& Sha256::update(std::string_view text) {
    return update(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

std::array<uint8_t, SHA256_DIGEST_LENGTH> Sha256::raw() const {
    SHA2_CTX copy = state_->context;
    std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
    SHA256Final(digest.data(), &copy);
    return digest;
}

std::string Sha256::hex() const {
    std::string text;
    for (const uint8_t byte : raw()) text += fmt::format("{:02x}", byte);
    return text;
}

std::string sha256(std::span<const uint8_t> bytes) { return Sha256().update(bytes).hex(); }

std::string sha256(std::string_view text) { return Sha256().update(text).hex(); }

std::string sha256_of_file(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) {
        throw InputError("{}: is a directory, expected a file", path.string());
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) throw InputError("{}: no such file, or it cannot be read", path.string());
    Sha256 hash;
    std::vector<char> piece(static_cast<size_t>(kPieceBytes));
    while (file) {
        file.read(piece.data(), kPieceBytes);
        hash.update(std::string_view(piece.data(), static_cast<size_t>(file.gcount())));
    }
    if (file.bad()) throw InputError("{}: reading failed", path.string());
    return hash.hex();
}

}  // namespace adiabat
