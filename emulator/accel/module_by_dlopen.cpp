#include "emulator/accel/module_by_dlopen.h"

#include <dlfcn.h>

#include <memory>

namespace weft::loader {

namespace {

struct ModuleClose {
    void operator()(void* module) const { ::dlclose(module); }
};

}  // namespace

Result<const void*> dlopen_symbol(const std::string& path, const char* symbol) {
    // A name without a slash would be looked for in the system's folders.
    const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
    std::unique_ptr<void, ModuleClose> module(::dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL));
    if (!module) {
        const char* reason = ::dlerror();
        return fail(reason != nullptr ? reason : "unknown reason");
    }
    const void* address = ::dlsym(module.get(), symbol);
    if (address != nullptr) {
        static_cast<void>(module.release());
    }
    return address;
}

}  // namespace weft::loader
