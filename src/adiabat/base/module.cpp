// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat {

namespace {

namespace fs = std::filesystem;

fs::path find_module(const Module& module) {
    if (const char* const named = std::getenv(module.variable); named && *named) return named;
    std::vector<fs::path> folders;
    Dl_info library{};
    static const char here = 0;
    if (dladdr(&here, &library) != 0 && library.dli_fname)
        folders.push_back(fs::absolute(library.dli_fname).parent_path());
    std::error_code ignored;
    const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
    if (!executable.empty())
        folders.push_back((executable.parent_path() / ".." / "lib").lexically_normal());
    std::string searched;
    for (const fs::path& folder : folders) {
        if (fs::exists(folder / module.file, ignored)) return folder / module.file;
        searched += (searched.empty() ? "" : " or ") + folder.string();
    }
    throw InputError("{} needs {}, which is not in {}: install it there or set {}", module.what,
                     module.file, searched, module.variable);
}

}  // namespace

void* module_function(const Module& module, const char* function) {
    const fs::path path = find_module(module);
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) throw InputError("{} does not load: {}", path.string(), dlerror());
    void* const symbol = dlsym(library, function);
    if (!symbol)
        throw InputError("{} is no plug-in of this version of adiabat: it has no {}", path.string(),
                         function);
    return symbol;
}

}  // namespace adiabat
