// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/digest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adiabat/base/errors.h"

namespace adiabat {
namespace {

// The examples of FIPS 180-4 (NIST, "SHA256.pdf" and the empty message).
TEST(Digest, GivesTheKnownAnswers) {
    EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Digest, PiecesDoNotCountAndReadingDoesNotEnd) {
    Sha256 hash;
    hash.update("a");
    EXPECT_EQ(hash.hex(), sha256("a"));
    hash.update("b").update("c");
    EXPECT_EQ(hash.hex(), sha256("abc"));
}

TEST(Digest, OfAFileEqualsThatOfItsBytes) {
    const auto path = std::filesystem::path(testing::TempDir()) / "adiabat_digest.bin";
    std::string content;
    for (int k = 0; k < 700'000; ++k) content += static_cast<char>(k * 31 + k / 256);
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(sha256_of_file(path), sha256(content));
    std::filesystem::remove(path);
    EXPECT_THROW(sha256_of_file(path), InputError);
    EXPECT_THROW(sha256_of_file(testing::TempDir()), InputError);
}

}  // namespace
}  // namespace adiabat
