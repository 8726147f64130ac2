// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors for matrices and files: memory in pages of 2 MB where the system has them. Returning 800
// MB in pages of 4 KB takes 50 ms, which whoever interrupts a run waits for; in large ones 2 ms.
//
// From kLeastHugeBytes on memory is mapped and comes as zeros when it is first touched: a vector
// made by its size costs nothing until it is used, and one that is reserved only what is filled.
// All is aligned to 64 bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace adiabat {

inline constexpr size_t kLeastHugeBytes = size_t{4} << 20;

// Zeros. Throws std::bad_alloc.
void* map_huge_pages(size_t bytes);
// The machine's, in bytes.
uint64_t machine_memory();
void unmap_huge_pages(void* memory, size_t bytes) noexcept;

// An element made without a value is left as the zero that its memory is: such a vector is not to
// grow again after elements were taken from its end.
template <typename T>
class HugePages {
    static_assert(std::is_trivially_copyable_v<T>);

    static constexpr size_t kLine = 64;

  public:
    using value_type = T;

    HugePages() = default;
    template <typename Other>
    HugePages(const HugePages<Other>&) noexcept {}  // NOLINT(google-explicit-constructor)

    T* allocate(size_t count) {
        if (count > static_cast<size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
        const size_t bytes = count * sizeof(T);
        if (bytes >= kLeastHugeBytes) return static_cast<T*>(map_huge_pages(bytes));
        void* const memory = std::aligned_alloc(kLine, (bytes / kLine + 1) * kLine);
        if (memory == nullptr) throw std::bad_alloc();
        std::memset(memory, 0, bytes);
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, size_t count) noexcept {
        const size_t bytes = count * sizeof(T);
        if (bytes >= kLeastHugeBytes)
            unmap_huge_pages(memory, bytes);
        else
            std::free(memory);
    }
    template <typename Made, typename... Args>
    void construct(Made* at, Args&&... args) {
        if constexpr (sizeof...(Args) > 0)
            ::new (static_cast<void*>(at)) Made(std::forward<Args>(args)...);
    }
    bool operator==(const HugePages&) const { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugePages<T>>;

}  // namespace adiabat
