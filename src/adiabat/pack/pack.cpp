// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include "adiabat/base/digest.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/net/tensor.h"
#include "adiabat/onnx/payloads.h"

namespace adiabat::pack {

namespace {

using Bytes = std::span<const uint8_t>;

// A section of its own costs about 30 bytes; below the lower limit a piece costs more than a layout
// of its own can save.
constexpr uint64_t kLeastOwnBytes = 1024, kLeastPooledBytes = 32;
constexpr uint64_t kLargeBytes = uint64_t{1} << 16;

// What becomes a section: its bytes, and of which type they are.
struct Stream {
    std::string name;
    net::DType type = net::DType::kUndefined;
    int planes = 0;
    std::vector<uint8_t> gathered = {};  // of many pieces of the file
    Bytes whole = {};                    // or one that lies in it

    Bytes bytes() const { return whole.empty() ? Bytes(gathered) : whole; }
};

// Cuts a file into streams.
class Cutter {
  public:
    explicit Cutter(Bytes model) : model_(model) { streams_.push_back({.name = "(structure)"}); }

    void cut(const std::vector<onnx::Payload>& payloads) {
        uint64_t at = 0;
        for (const onnx::Payload& payload : payloads) {
            if (payload.bytes < kLeastPooledBytes) continue;
            const bool is_own = payload.bytes >= kLeastOwnBytes;
            if (!is_own && !has_pool(payload.type)) continue;
            gather(0, at, payload.offset);
            at = payload.offset + payload.bytes;
            if (is_own) {
                pieces_.push_back({.section = own_stream(payload), .bytes = payload.bytes});
            } else {
                gather(pool(payload.type), payload.offset, at);
            }
        }
        gather(0, at, model_.size());
    }

    std::vector<Stream>& streams() { return streams_; }
    std::vector<Piece>& pieces() { return pieces_; }

  private:
    // Numbers of which many small tensors are made: scales, biases.
    static bool has_pool(net::DType type) {
        return net::is_real(type) || type == net::DType::kInt32;
    }

    void gather(uint64_t stream, uint64_t begin, uint64_t end) {
        if (begin == end) return;
        const Bytes bytes = model_.subspan(begin, end - begin);
        auto& gathered = streams_[stream].gathered;
        gathered.insert(gathered.end(), bytes.begin(), bytes.end());
        pieces_.push_back({.section = stream, .bytes = bytes.size()});
    }

    uint64_t pool(net::DType type) {
        const auto [place, is_new] = pools_.try_emplace(type, streams_.size());
        if (is_new) {
            streams_.push_back(
                {.name = fmt::format("(small {} tensors)", net::name_of(type)), .type = type});
        }
        return place->second;
    }

    // That of an equal tensor, if there is one.
    uint64_t own_stream(const onnx::Payload& payload) {
        const Bytes bytes = model_.subspan(payload.offset, payload.bytes);
        const auto key = std::pair(Sha256().update(bytes).raw(), payload.type);
        const auto [place, is_new] = owned_.try_emplace(key, streams_.size());
        if (is_new) {
            streams_.push_back({.name = payload.name.substr(0, kLongestName),
                                .type = payload.type,
                                .planes = payload.planes,
                                .whole = bytes});
        }
        return place->second;
    }

    const Bytes model_;
    std::vector<Stream> streams_;
    std::vector<Piece> pieces_;
    std::map<net::DType, uint64_t> pools_;
    std::map<std::pair<std::array<uint8_t, 32>, net::DType>, uint64_t> owned_;
};

struct Stored {
    Section section;
    std::vector<uint8_t> bytes;
};

Stored store(const Stream& stream, const Layout& layout, Effort effort, const StopToken& stop) {
    Stored stored;
    stored.section = {.name = stream.name, .layout = layout, .stream_bytes = stream.bytes().size()};
    const Parts parts = split(stream.bytes(), layout);
    const std::vector<int> bits = part_bits(layout);
    for (size_t p = 0; p < parts.size(); ++p) {
        const auto part = store_part(parts[p], bits[p], effort, stop);
        stored.section.part_bytes.push_back(part.size());
        stored.bytes.insert(stored.bytes.end(), part.begin(), part.end());
    }
    return stored;
}

// In the layout that gives the fewest bytes, the first of equal ones. Of a large stream they are
// compared with little effort.
Stored store_best(const Stream& stream, const StopToken& stop) {
    const std::vector<Layout> layouts = layouts_for(stream.type, stream.planes, stream.bytes());
    if (layouts.size() == 1) return store(stream, layouts[0], Effort::kThorough, stop);
    const bool is_large = stream.bytes().size() >= kLargeBytes;
    const Effort effort = is_large ? Effort::kQuick : Effort::kThorough;
    Stored best;
    for (const Layout& layout : layouts) {
        Stored tried = store(stream, layout, effort, stop);
        if (best.section.part_bytes.empty() || tried.bytes.size() < best.bytes.size()) {
            best = std::move(tried);
        }
    }
    if (is_large) return store(stream, best.section.layout, Effort::kThorough, stop);
    return best;
}

// work(k) for every section, the threads taking what is next; `done` counts bytes.
class Sections {
  public:
    Sections(std::string_view stage, uint64_t bytes, const Control& control) : control_(control) {
        control_.progress->begin(stage, bytes, "bytes");
    }

    void each(size_t count, const std::function<uint64_t(size_t)>& work) {
        const auto workers =
            std::min<int64_t>(thread_count(control_.threads), static_cast<int64_t>(count));
        std::atomic<size_t> next = 0;
        parallel_for(workers, static_cast<int>(workers), [&](int64_t, int64_t, int) {
            for (size_t k = next++; k < count; k = next++) report(work(k));
        });
        control_.progress->end();
    }

  private:
    void report(uint64_t bytes) {
        if (control_.stop.requested()) throw Interrupted();
        const std::lock_guard guard(mutex_);
        done_ += bytes;
        control_.progress->update(done_);
    }

    const Control& control_;
    std::mutex mutex_;
    uint64_t done_ = 0;
};

std::vector<uint8_t> decode(const Section& section, Bytes body, const std::string& where,
                            const StopToken& stop) {
    const std::vector<int> bits = part_bits(section.layout);
    const uint64_t codes = codes_in(section.layout, section.stream_bytes);
    Parts parts;
    for (size_t p = 0; p < bits.size(); ++p) {
        const uint64_t count = section.part_bytes[p];
        parts.push_back(load_part(body.first(count), codes, bits[p], where, stop));
        body = body.subspan(count);
    }
    return join(parts, section.layout);
}

std::vector<uint8_t> put_together(const Table& table,
                                  const std::vector<std::vector<uint8_t>>& streams) {
    std::vector<uint8_t> file;
    std::vector<uint64_t> used(streams.size(), 0);
    for (const Piece& piece : table.pieces) {
        const Bytes stream = streams[piece.section];
        uint64_t& at = used[piece.section];
        const Bytes next = stream.subspan(at, piece.bytes);
        file.insert(file.end(), next.begin(), next.end());
        at = (at + piece.bytes) % stream.size();
    }
    return file;
}

}  // namespace

Packed pack(Bytes model, const std::string& where, const Control& control) {
    if (model.size() > kMostFileBytes) {
        throw InputError("{}: has {} bytes, an ONNX file at most {}", where, model.size(),
                         kMostFileBytes);
    }
    Cutter cutter(model);
    cutter.cut(onnx::payloads_of(model, where));
    const std::vector<Stream>& streams = cutter.streams();
    std::vector<Stored> stored(streams.size());
    Sections("pack", model.size(), control).each(streams.size(), [&](size_t k) -> uint64_t {
        stored[k] = store_best(streams[k], control.stop);
        return streams[k].bytes().size();
    });
    Packed packed;
    packed.table.pieces = std::move(cutter.pieces());
    for (const Stream& stream : streams) packed.types.push_back(stream.type);
    std::vector<uint8_t> bodies;
    for (Stored& section : stored) {
        bodies.insert(bodies.end(), section.bytes.begin(), section.bytes.end());
        section.bytes = {};
        packed.table.sections.push_back(std::move(section.section));
    }
    const Head head{.file_bytes = model.size(), .file_digest = Sha256().update(model).raw()};
    packed.bytes = seal(head, serialize_table(packed.table), packed.table, bodies);
    return packed;
}

Unpacked unpack(Bytes container, const std::string& where, const Control& control, uint64_t most) {
    Opened opened = open(container, where, most);
    const std::vector<Section>& sections = opened.table.sections;
    std::vector<std::vector<uint8_t>> streams(sections.size());
    Sections("unpack", opened.head.file_bytes, control)
        .each(sections.size(), [&](size_t s) -> uint64_t {
            const std::string place = where + ": " + place_of(opened, s);
            const Bytes body = container.subspan(opened.offsets[s], sections[s].stored_bytes());
            streams[s] = decode(sections[s], body, place, control.stop);
            return streams[s].size();
        });
    Unpacked unpacked{.bytes = put_together(opened.table, streams)};
    if (Sha256().update(unpacked.bytes).raw() != opened.head.file_digest) {
        throw InputError(
            "{}: what it gives is not the file that was packed (another SHA-256): pack the network "
            "again",
            where);
    }
    unpacked.table = std::move(opened.table);
    return unpacked;
}

}  // namespace adiabat::pack
