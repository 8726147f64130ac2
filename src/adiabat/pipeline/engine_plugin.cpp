// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/engine_plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::pipeline {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "libadiabat_torch.so";
constexpr const char* kVariable = "ADIABAT_TORCH_PLUGIN";

// Folders in which the plug-in may lie, best first.
std::vector<fs::path> folders() {
    std::vector<fs::path> found;
    Dl_info library{};
    static const char here = 0;
    if (dladdr(&here, &library) != 0 && library.dli_fname) {
        found.push_back(fs::absolute(library.dli_fname).parent_path());
    }
    std::error_code ignored;
    const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
    if (!executable.empty()) {
        found.push_back((executable.parent_path() / ".." / "lib").lexically_normal());
    }
    return found;
}

fs::path find_plugin() {
    if (const char* named = std::getenv(kVariable); named && *named) {
        if (!fs::exists(named)) {
            throw InputError("{} names {}, which does not exist", kVariable, named);
        }
        return named;
    }
    std::string searched;
    for (const fs::path& folder : folders()) {
        std::error_code ignored;
        if (fs::exists(folder / kPlugin, ignored)) return folder / kPlugin;
        searched += (searched.empty() ? "" : " or ") + folder.string();
    }
    throw InputError("running networks needs {}, which is not in {}: install it there or set {}",
                     kPlugin, searched, kVariable);
}

// Of LibTorch's BLAS, where it is OpenBLAS.
void prepare_openblas(void* library) {
    constexpr int kSequential = 0;
    const auto parallel = reinterpret_cast<int (*)()>(dlsym(library, "openblas_get_parallel"));
    const auto set_threads =
        reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"));
    if (!parallel || !set_threads) return;
    if (parallel() == kSequential) {
        throw InputError(
            "LibTorch's BLAS is OpenBLAS's build without threads, which is wrong when several of "
            "ours use it: install libopenblas0-pthread, or choose another libblas.so.3 by "
            "update-alternatives");
    }
    set_threads(1);
}

net::EngineFactory load_factory() {
    static std::mutex mutex;
    static net::EngineFactory factory = nullptr;
    const std::lock_guard lock(mutex);
    if (factory) return factory;
    const fs::path path = find_plugin();
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) throw InputError("{} does not load: {}", path.string(), dlerror());
    void* entry = dlsym(library, net::kEngineEntry);
    if (!entry)
        throw InputError("{} is no plug-in of adiabat: it has no {}", path.string(),
                         net::kEngineEntry);
    prepare_openblas(library);
    factory = reinterpret_cast<net::EngineFactory>(entry);
    return factory;
}

}  // namespace

std::unique_ptr<net::Engine> load_engine() {
    std::unique_ptr<net::Engine> engine(load_factory()(net::kEngineAbi));
    if (!engine) {
        throw InputError("{} was built for another version of adiabat (interface {} is needed)",
                         kPlugin, net::kEngineAbi);
    }
    return engine;
}

}  // namespace adiabat::pipeline
