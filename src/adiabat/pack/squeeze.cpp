// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/squeeze.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "adiabat/base/errors.h"

namespace adiabat::pack {

namespace {

constexpr int kQuickLevel = 1, kThoroughLevel = 19;
// From here on a level that gains nothing is not followed by a slower one.
constexpr size_t kManyBytes = size_t{1} << 16;
// Between two looks at the stop token.
constexpr size_t kPieceBytes = size_t{1} << 18;
// A frame of a level up to 19 refers at most 8 MiB back.
constexpr int kMostWindowLog = 23;

struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void require(size_t code, const char* what) {
    ADIABAT_CHECK(ZSTD_isError(code) == 0, "{}: {}", what, ZSTD_getErrorName(code));
}

std::vector<uint8_t> squeeze_at(std::span<const uint8_t> bytes, int level, const StopToken& stop) {
    const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
    if (!context) throw std::bad_alloc();
    require(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level), "level");
    require(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0), "no size");
    require(ZSTD_CCtx_setPledgedSrcSize(context.get(), bytes.size()), "pledged size");
    std::vector<uint8_t> squeezed(ZSTD_compressBound(bytes.size()));
    ZSTD_outBuffer out{squeezed.data(), squeezed.size(), 0};
    size_t begin = 0, left = 1;
    while (left > 0) {
        if (stop.requested()) throw Interrupted();
        const size_t count = std::min(kPieceBytes, bytes.size() - begin);
        ZSTD_inBuffer in{bytes.data() + begin, count, 0};
        const bool is_last = begin + count == bytes.size();
        left =
            ZSTD_compressStream2(context.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
        require(left, "compression");
        begin += in.pos;
        if (!is_last) left = 1;
    }
    squeezed.resize(out.pos);
    return squeezed;
}

}  // namespace

std::vector<uint8_t> squeeze(std::span<const uint8_t> bytes, Effort effort, const StopToken& stop) {
    std::vector<uint8_t> quick = squeeze_at(bytes, kQuickLevel, stop);
    const bool is_hopeless = quick.size() >= bytes.size() && bytes.size() >= kManyBytes;
    if (effort == Effort::kQuick || is_hopeless) return quick;
    std::vector<uint8_t> thorough = squeeze_at(bytes, kThoroughLevel, stop);
    return thorough.size() < quick.size() ? thorough : quick;
}

std::vector<uint8_t> unsqueeze(std::span<const uint8_t> squeezed, uint64_t count,
                               const std::string& where, const StopToken& stop) {
    const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    if (!context) throw std::bad_alloc();
    require(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMostWindowLog), "window");
    std::vector<uint8_t> bytes;
    ZSTD_inBuffer in{squeezed.data(), squeezed.size(), 0};
    size_t left = 1;
    while (left > 0) {
        if (stop.requested()) throw Interrupted();
        const size_t before = bytes.size();
        const uint64_t room = std::min<uint64_t>(kPieceBytes, count - before + 1);
        bytes.resize(before + static_cast<size_t>(room));
        ZSTD_outBuffer out{bytes.data() + before, static_cast<size_t>(room), 0};
        left = ZSTD_decompressStream(context.get(), &out, &in);
        bytes.resize(before + out.pos);
        if (ZSTD_isError(left) != 0) {
            throw InputError("{}: no zstd: {}", where, ZSTD_getErrorName(left));
        }
        if (bytes.size() > count) throw InputError("{}: holds more than {} bytes", where, count);
        if (left > 0 && out.pos == 0 && in.pos == in.size) {
            throw InputError("{}: ends after {} of {} bytes", where, bytes.size(), count);
        }
    }
    if (bytes.size() != count || in.pos != in.size) {
        throw InputError("{}: holds {} bytes, {} were promised", where, bytes.size(), count);
    }
    return bytes;
}

}  // namespace adiabat::pack
