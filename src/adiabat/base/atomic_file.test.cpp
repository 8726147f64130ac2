// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/atomic_file.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"

namespace adiabat {
namespace {

class AtomicFile : public testing::Test {
  protected:
    AtomicFile() { std::filesystem::create_directories(folder_); }
    ~AtomicFile() override { std::filesystem::remove_all(folder_); }
    size_t files() const {
        size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_))
            ++count;
        return count;
    }
    std::filesystem::path folder_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("adiabat-") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(AtomicFile, WritesReplacesAndLeavesNothingElse) {
    const auto path = folder_ / "a.txt";
    write_file_atomically(path, "first");
    write_file_atomically(path, "second, longer");
    const auto bytes = read_file(path);
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "second, longer");
    EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFile, RefusesWhatCannotBeWritten) {
    EXPECT_THROW(write_file_atomically(folder_ / "no" / "a", "x"), InputError);
    EXPECT_THROW(write_file_atomically(folder_, "x"), InputError);
    EXPECT_THROW(check_writable(folder_ / "no" / "a"), InputError);
    check_writable(folder_ / "a");
    EXPECT_EQ(files(), 0u);
}

TEST_F(AtomicFile, ReadingNamesWhatIsWrong) {
    EXPECT_THROW(read_file(folder_ / "missing"), InputError);
    EXPECT_THROW(read_file(folder_), InputError);
}

}  // namespace
}  // namespace adiabat
