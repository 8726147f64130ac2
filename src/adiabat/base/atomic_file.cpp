// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "adiabat/base/errors.h"

namespace adiabat {

namespace {

// A new file beside its target, removed again unless it is committed.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
        std::error_code error;
        // What a link points to is written, not the link.
        if (std::filesystem::is_symlink(target, error)) {
            const auto pointed = std::filesystem::canonical(target, error);
            if (!error) target_ = pointed;
        }
        const auto status = std::filesystem::status(target_, error);
        if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
            throw InputError("{}: is no regular file, a file name is needed to write to",
                             target.string());
        }
        const auto folder = target_.has_parent_path() ? target_.parent_path() : ".";
        if (target.empty() || !std::filesystem::is_directory(folder, error)) {
            throw InputError("{}: cannot be written: there is no directory {}", target.string(),
                             folder.string());
        }
        static std::atomic<unsigned> serial = 0;
        path_ =
            folder / fmt::format(".{}.{}.{}.tmp", target.filename().string(), getpid(), serial++);
        file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file_ < 0) fail();
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        if (file_ >= 0) close(file_);
        if (!committed_) unlink(path_.c_str());
    }

    void write(std::span<const uint8_t> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(file_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) fail();
            bytes = bytes.subspan(static_cast<size_t>(written));
        }
    }

    void commit() {
        if (fsync(file_) != 0) fail();
        if (rename(path_.c_str(), target_.c_str()) != 0) fail();
        committed_ = true;
    }

  private:
    [[noreturn]] void fail() const {
        throw InputError("{}: cannot be written: {}", target_.string(), std::strerror(errno));
    }

    std::filesystem::path target_, path_;
    int file_ = -1;
    bool committed_ = false;
};

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
    TemporaryFile file(path);
    file.write(bytes);
    file.commit();
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
    write_file_atomically(path,
                          std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

void check_writable(const std::filesystem::path& path) { TemporaryFile probe(path); }

namespace {

constexpr size_t kPieceBytes = size_t{1} << 18;

void check_readable(const std::filesystem::path& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) {
        throw InputError("{}: no such file", path.string());
    }
    if (error) throw InputError("{}: cannot be read: {}", path.string(), error.message());
    if (std::filesystem::is_directory(status)) {
        throw InputError("{}: is a directory, a file is needed", path.string());
    }
    if (!std::filesystem::is_regular_file(status)) {
        throw InputError("{}: is no regular file, one is needed", path.string());
    }
}

// In pieces, and no more than `most` bytes.
template <typename Bytes>
Bytes read_pieces(const std::filesystem::path& path, const StopToken& stop, uint64_t most) {
    check_readable(path);
    std::ifstream file(path, std::ios::binary);
    Bytes bytes;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error) bytes.reserve(std::min<uint64_t>(size, most));
    std::vector<char> piece(std::min<uint64_t>(kPieceBytes, most));
    while (bytes.size() < most) {
        if (stop.requested()) throw Interrupted();
        file.read(piece.data(), static_cast<std::streamsize>(
                                    std::min<uint64_t>(piece.size(), most - bytes.size())));
        if (file.gcount() == 0) break;
        bytes.insert(bytes.end(), piece.data(), piece.data() + file.gcount());
    }
    if (!file.is_open() || file.bad()) {
        throw InputError("{}: cannot be read: {}", path.string(), std::strerror(errno));
    }
    return bytes;
}

}  // namespace

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
    return read_pieces<std::vector<uint8_t>>(path, {}, UINT64_MAX);
}

HugeVector<uint8_t> read_large_file(const std::filesystem::path& path, const StopToken& stop,
                                    uint64_t most) {
    return read_pieces<HugeVector<uint8_t>>(path, stop, most);
}

}  // namespace adiabat
