// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

namespace adiabat {

void* map_huge_pages(size_t bytes) {
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // Advice alone: where it is not taken the memory is the same, and slower to return.
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void unmap_huge_pages(void* memory, size_t bytes) noexcept { munmap(memory, bytes); }

uint64_t machine_memory() {
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && size > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(size)
                                 : UINT64_MAX;
}

}  // namespace adiabat
